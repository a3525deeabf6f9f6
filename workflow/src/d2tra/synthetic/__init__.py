"""The demo extract: 722 synthetic patients as a department would hand them over, made from a seed.

`python -m d2tra.synthetic <folder>` writes it. The first 95 by sequence are built to give the published audit's
counts, the other 627 follow a stated model (`truth.json`). The pipeline reads none of this: its numbers come from the
raw rows, and a changed row changes them.
"""

from d2tra.synthetic.files import write_demo
from d2tra.synthetic.people import SEED

__all__ = ["SEED", "write_demo"]
