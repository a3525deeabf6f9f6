"""Every figure that this project promises, measured anew by one command, with its peers beside it. About three hours on 2 cores.

`uv run python benchmarks/everything.py [name …]` runs the benchmarks one after the other (names: only those), shows what each prints,
and ends with a line per benchmark: minutes, and whether it ended well. Ends with 1 where one did not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROMISED = {  # name: what it shows, and its command
    "whole_runs": ("audit, everything, nothing to do, a colour changed, validation", []),
    "registry": ("1 M patients, 24 definitions: seconds and memory", []),
    "growth": ("10 M patients: no more than 11 times that", ["registry.py", "10000000"]),
    "peers": ("the same work in DuckDB, pandas, data.table, every cell compared", []),
    "beside_r": ("Firth, imputation and bootstrap beside R", []),
    "coverage": ("95 % limits hold the truth", []),
    "review_coverage": ("those of the chart review too", []),
    "fuzz_extracts": ("10,000 extracts gone wrong", []),
    "screen": ("planted identifiers found, clean extracts pass", []),
    "unit_sentinel": ("swapped units found, clean extracts pass", []),
    "attack": ("no suppressed count recovered in 1,000 releases", []),
    "faults": ("200 kills and every other fault", []),
}


def main(names: list[str]) -> int:
    """Runs the benchmarks; returns 1 where one did not end well."""
    ended = {}
    for name in names:
        what, command = PROMISED[name]
        print(f"\n## {name}: {what}\n", flush=True)
        script, *asked = command or [f"{name}.py"]
        began = time.perf_counter()
        code = subprocess.run([sys.executable, str(HERE / script), *asked], check=False).returncode
        ended[name] = (code, (time.perf_counter() - began) / 60)
    print(f"\n{'benchmark':<20}{'minutes':>8}  ended")
    for name, (code, minutes) in ended.items():
        print(f"{name:<20}{minutes:>8.1f}  {'well' if code == 0 else f'with {code}'}")
    return int(any(code for code, _ in ended.values()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Every promised figure, measured anew.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"only these of {', '.join(PROMISED)}")
    asked = parser.parse_args().names or list(PROMISED)
    if unknown := [name for name in asked if name not in PROMISED]:
        parser.error(f"no benchmark {unknown[0]!r}")
    sys.exit(main(asked))
