"""Does somebody who knows everything that was released work out a count that was held back?

`uv run python benchmarks/attack.py [releases]` simulates releases (default 1,000: three cohorts each, profiles in turn, every other
one released a second time with further tables), attacks each, and prints how many small counts were recovered, with secondary
suppression and, to show that the attack is one, without. Ends with 1 where anything is recovered with it. Synthetic.
"""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from release_attack import attack_simulated

PROFILES = ("opensafely", "acro", "midpoint6")


def main(n_releases: int) -> int:
    """Returns 1 where a count is recovered from a release with secondary suppression, else 0."""
    recovered = 0
    with multiprocessing.Pool() as pool:
        for seed, found in enumerate(pool.imap(_attack, range(n_releases))):
            recovered += len(found)
            for name in found:
                print(f"release {seed}: {name}", flush=True)
        print(f"{n_releases} releases with secondary suppression: recovered = {recovered}", flush=True)
        without = pool.map(_attack_without, range(max(n_releases // 20, len(PROFILES))))
    print(
        f"{len(without)} without it: {sum(map(bool, without))} with recovered counts, {sum(map(len, without))} counts"
    )
    return int(recovered > 0)


def _attack(seed: int) -> list[str]:
    return attack_simulated(seed, PROFILES[seed % len(PROFILES)], twice=seed % 2 == 1)


def _attack_without(seed: int) -> list[str]:
    return attack_simulated(seed, PROFILES[seed % len(PROFILES)], secondary=False)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
