"""Secondary suppression: cells are held back until no small count can be worked out from what is shown.

A small count is recovered if only one value from 1 to the threshold is possible given every released number. So for each one
another world is looked for, with other counts that would have been released just so; where there is none, the cells
that cost least are held back until there is one. Whoever looks is taken to know which cells were held back for being
small, how it is done, and the exact counts behind each estimate that is shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from d2tra.disclosure.feasible import Cell, Found, Worlds, find_world
from d2tra.disclosure.primary import Profile, coarsened, disclose, emptied, gives_away, released_range
from d2tra.disclosure.relations import NOT_ASSESSABLE, NOT_MET, Bound, Place, Shown, bind
from d2tra.tables import Table

HELD_BACK = {
    "cohort": pl.String,
    "table": pl.String,
    "row": pl.String,
    "level": pl.String,
    "column": pl.String,
    "why": pl.String,
}
SMALL = "small count"
CHANGED = "its difference from an earlier release is a small count"
SUBTRACTED = "with it could be worked out: {}"
LOST = "can be worked out from what was released before"
UNPRINTED = ("median_iqr", "mean_sd")  # their n stands in no printed table: it alone is held back
STEPS_AROUND = 4
KEY = ("cohort", "table", "row", "level", "column")


@dataclass(frozen=True)
class Released:
    """A cohort's tables: exact, and as they were let out."""

    exact: Sequence[Table]
    shown: Sequence[Table]


@dataclass
class _Gate:
    """The state of one release: what is known for good, what could still be held back, what is proven safe."""

    worlds: Worlds
    low: np.ndarray
    high: np.ndarray
    targets: dict[int, tuple[int, int]]
    cells: dict[Place, Cell]
    around: dict[int, set[int]] = field(default_factory=dict)
    safe: set[int] = field(default_factory=set)
    why: dict[Place, int] = field(default_factory=dict)
    lost: list[int] = field(default_factory=list)


def release_tables(
    cohort: str,
    tables: Sequence[Table],
    profile: Profile,
    members: Mapping[str, Collection[Any]],
    earlier: Mapping[str, Released],
    ledger: pl.DataFrame,
) -> tuple[list[Table], pl.DataFrame]:
    """Returns the cohort's tables as they may be shown beside everything shown before, and what was held back (columns
    HELD_BACK; with a reason, so not to be shown).

    `tables`: exact numbers. `members`: cohort → its patients. `earlier`: cohorts disclosed before this one, under the same
    profile. `ledger`: cells of earlier releases, see d2tra.disclosure.ledger.
    """
    if not profile.small_up_to:
        return [t.with_cells(disclose(t.cells, profile)) for t in tables], pl.DataFrame(schema=HELD_BACK)
    exact = {name: _exact(one.exact, profile) for name, one in earlier.items()} | {
        cohort: _exact(tables, profile)
    }
    bound = bind(exact, members)
    primary = {
        Place(cohort, table.name, index): SMALL
        for table in exact[cohort]
        for index, hidden in enumerate(gives_away(table.cells, profile))
        if hidden
    }
    changed = _changed(bound, exact[cohort], cohort, profile, ledger)
    primary |= {place: CHANGED for place in changed if place not in primary}
    gate = _gate(bound, exact, cohort, profile, primary, earlier, ledger, changed)
    _make_safe(gate)
    reasons = primary | {place: _named(gate, bound, target) for place, target in gate.why.items()}
    shown = [
        table.with_cells(_without(disclose(table.cells, profile), cohort, table.name, reasons))
        for table in exact[cohort]
    ]
    return shown, _held_back(exact[cohort], cohort, reasons, [_name(gate, bound, t) for t in gate.lost])


def _exact(tables: Sequence[Table], profile: Profile) -> list[Table]:
    return [table.with_cells(coarsened(table.cells, profile)) for table in tables]


def _gate(
    bound: Bound,
    exact: Mapping[str, Sequence[Table]],
    cohort: str,
    profile: Profile,
    primary: Collection[Place],
    earlier: Mapping[str, Released],
    ledger: pl.DataFrame,
    changed: Mapping[Place, list[tuple[int, int, int]]],
) -> _Gate:
    worlds = Worlds(bound)
    reach = 3 * (profile.small_up_to + profile.base)
    low, high = np.maximum(-worlds.truth, -reach), np.full(len(worlds.truth), reach)
    targets: dict[int, tuple[int, int]] = {}
    for place in sorted({worlds.place[name] for name in bound.hidden}):
        value = int(worlds.truth[place])
        if 1 <= value <= profile.small_up_to:
            targets[place] = (1 - value, profile.small_up_to - value)
            low[place], high[place] = targets[place]
    for shown in bound.shown:
        for known in _known_for_good(shown, earlier, ledger, exact[shown.place.cohort]):
            for place, (least, most) in _ranges(known, worlds, profile).items():
                low[place], high[place] = max(low[place], least), min(high[place], most)
    for place in changed:
        for index, least, most in changed[place]:
            here = worlds.place[_shown_at(bound, place).counts[index]]
            targets.setdefault(here, (least, most))
    kinds = {table.name: table.cells.rows(named=True) for table in exact[cohort]}
    cells = {
        shown.place: Cell(_cost(kinds[shown.place.table][shown.place.index], rank), ranges)
        for rank, shown in enumerate(bound.shown)
        if shown.place.cohort == cohort and shown.place not in primary
        if (ranges := _ranges(shown, worlds, profile))
    }
    return _Gate(worlds, low, high, targets, cells)


def _ranges(shown: Shown, worlds: Worlds, profile: Profile) -> dict[int, tuple[int, int]]:
    """How far each count may be from the exact one without the cell looking otherwise."""
    found: dict[int, tuple[int, int]] = {}
    for name in shown.counts[:2]:  # the rest is what these leave
        place = worlds.place[name]
        value = int(worlds.truth[place])
        least, most = released_range(profile.rounded(value), profile)
        found[place] = (least - value, most - value)
    return found | {worlds.place[name]: (0, 0) for name in shown.exactly}


def _cost(cell: Mapping[str, Any], rank: int) -> float:
    """What a reader loses: least with who is not assessable, most with the size of a group or its prevalence."""
    if cell["kind"] in UNPRINTED:
        worth = 1.0
    elif cell["kind"] not in ("count", "proportion"):
        worth = 8.0
    else:
        worth = {NOT_ASSESSABLE: 2.0, NOT_MET: 4.0}.get(cell["column"], 6.0)
        worth += 6.0 * (cell["row"] == "Patients") + 3.0 * (cell["column"] in ("Met", "Remaining", "Patients"))
    return worth + 1e-5 * rank  # of two that cost the same, the first


def _make_safe(gate: _Gate) -> None:
    _prove_together(gate)
    for target in gate.targets:
        if target in gate.safe:
            continue
        found = _cheapest(gate, target)
        if found is None:
            gate.lost.append(target)
            continue
        world, places = found
        for place in (places[number] for number in world.held_back):
            gate.why[place] = target
            del gate.cells[place]
        _mark_safe(gate, world)
        if world.held_back:
            _prove_together(gate)


def _prove_together(gate: _Gate) -> None:
    """Looks for worlds that move many counts at once, with nothing more held back."""
    low, high = gate.low.copy(), gate.high.copy()
    for cell in gate.cells.values():
        for place, (least, most) in cell.ranges.items():
            low[place], high[place] = max(low[place], least), min(high[place], most)
    progress = True
    while progress and len(gate.safe) < len(gate.targets):
        progress = False
        for sign in (1, -1):
            wanted = np.zeros(len(low))
            for target in gate.targets.keys() - gate.safe:
                wanted[target] = sign
            found = find_world(gate.worlds, low, high, [], wanted)
            before = len(gate.safe)
            if found is not None:
                _mark_safe(gate, found)
            progress |= len(gate.safe) > before


def _mark_safe(gate: _Gate, world: Found) -> None:
    for target, (least, most) in gate.targets.items():
        if world.moved[target] and least <= world.moved[target] <= most:
            gate.safe.add(target)


def _cheapest(gate: _Gate, target: int) -> tuple[Found, list[Place]] | None:
    """The world in which the target is another number, for the least that must be held back; looked for near by first."""
    least, most = gate.targets[target]
    for steps in (STEPS_AROUND, None):
        near = _neighbours(gate.worlds, target, steps)
        places = [place for place, cell in gate.cells.items() if not near.isdisjoint(cell.ranges)]
        cells = [gate.cells[place] for place in places]
        best: Found | None = None
        for first, last in ((1, most), (least, -1)):
            low, high = gate.low.copy(), gate.high.copy()
            low[target], high[target] = max(low[target], first), min(high[target], last)
            far = np.array([place not in near for place in range(len(low))])
            low[far], high[far] = 0, 0
            if (low > high).any():
                continue
            found = find_world(gate.worlds, low, high, cells, np.zeros(len(low)))
            if found is not None and (best is None or found.cost < best.cost):
                best = found
        if best is not None:
            return best, places
    return None


def _neighbours(worlds: Worlds, start: int, steps: int | None) -> set[int]:
    """The counts that so many sums connect with the first; None: all of them."""
    if steps is None:
        return set(range(len(worlds.truth)))
    beside: dict[int, list[int]] = defaultdict(list)
    for number, terms in enumerate(worlds.sums):
        for place, _ in terms:
            beside[place].append(number)
    reached = edge = {start}
    for _ in range(steps):
        sums = {number for place in edge for number in beside[place]}
        edge = {place for number in sums for place, _ in worlds.sums[number]} - reached
        reached = reached | edge
    return reached


def _key(cell: Mapping[str, Any], cohort: str, table: str) -> tuple[Any, ...]:
    return (cohort, table, cell["row"], cell["level"], cell["column"])
