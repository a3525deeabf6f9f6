"""Does the unit sentinel find every swap, and never cry wolf?

`uv run python benchmarks/unit_sentinel.py [draws]` simulates departments of 95 to 722 patients (default 500, synthetic),
asks the sentinel about each as it is (no stop may come), then seeds swaps of every kind: in the whole column, one file, one
calendar year, one clinic. Prints false stops and swaps found per kind and scope. Ends with 1 if a clean draw is stopped
or fewer than 99 % of the swaps are found.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from d2tra.extract.sentinel import judge_units, watched
from extracts import site_of
from unit_swaps import SCOPES, draw_extract, seeded, swaps_to_seed

SITE = site_of(Path(), crp_unit="mg/L")


def stopped(draw) -> list[tuple[str, str, str, str]]:  # type: ignore[no-untyped-def]
    """Returns table, column, by, group of every swap that would stop the run."""
    judged = judge_units(draw.harmonised(), SITE)
    return judged.filter(verdict="swapped").select("table", "column", "by", "group").rows()


def main(n_draws: int) -> int:
    """Returns 1 where a clean draw is stopped or fewer than 99 % of seeded swaps are found, else 0."""
    columns, tries, false_stops = watched(), swaps_to_seed(), 0
    found: dict[tuple[str, str], list[bool]] = {(kind.name, scope): [] for kind, scope in tries}
    for seed in range(n_draws):
        draw = draw_extract(seed)
        wrong = stopped(draw)
        false_stops += bool(wrong)
        if wrong:
            print(f"false stop in draw {seed}: {wrong}")
        for turn in range(4):  # every swap comes round in turn
            kind, scope = tries[(seed * 4 + turn) % len(tries)]
            swap = seeded(draw, kind, scope, seed, columns[kind.column].values_at_least)
            if swap is not None:
                hits = [hit for hit in stopped(swap[0]) if hit[:2] == (kind.table, kind.column)]
                found[kind.name, scope].append(bool(hits))
                if not hits:
                    print(f"missed in draw {seed}: {kind.name}, {scope} {swap[1]}")
    print(f"clean draws: {n_draws}, stopped: {false_stops}")
    print("| swap | " + " | ".join(SCOPES) + " |\n|---|" + "---|" * len(SCOPES))
    for name in dict.fromkeys(kind.name for kind, _ in tries):
        cells = [found.get((name, scope), []) for scope in SCOPES]
        print(f"| {name} | " + " | ".join(f"{sum(c)}/{len(c)}" if c else "" for c in cells) + " |")
    every = [hit for hits in found.values() for hit in hits]
    print(f"seeded swaps: {len(every)}, found: {sum(every)} ({100 * sum(every) / max(len(every), 1):.2f} %)")
    return int(false_stops > 0 or sum(every) < 0.99 * len(every))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
