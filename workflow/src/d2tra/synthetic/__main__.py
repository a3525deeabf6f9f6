"""`python -m d2tra.synthetic <folder>` writes the demo extract anew."""

import sys

from d2tra.synthetic import write_demo

if len(sys.argv) != 2:
    raise SystemExit("usage: python -m d2tra.synthetic <folder>")
write_demo(sys.argv[1])
