"""Secondary suppression: cells are held back until no small count can be worked out from what is shown.

A small count is recovered if only one value from 1 to the threshold is possible given every released number. So for each one
another world is looked for, with other counts that would have been released just so; where there is none, the cells
that cost least are held back until there is one. Whoever looks is taken to know how it is done, the exact counts behind
each estimate that is shown and, as far as that can be, which cells were held back for being small.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from d2tra.disclosure.feasible import Cell, Found, Worlds, find_world
from d2tra.disclosure.ledger import PLACE, Remembered, place_of, remembered
from d2tra.disclosure.primary import (
    SUPPRESSED,
    Profile,
    coarsened,
    disclose,
    emptied,
    gives_away,
    released_range,
    rounded,
)
from d2tra.disclosure.relations import NOT_ASSESSABLE, NOT_MET, Bound, Name, Place, Shown, bind
from d2tra.tables import Table
from d2tra.tables.agreement import EXACTLY
from d2tra.tables.results import NOT_RECORDED

HELD_BACK: dict[str, type[pl.DataType]] = dict.fromkeys((*PLACE, "why"), pl.String)
Rows = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]  # cohort and table → its cells
Changes = list[tuple[Name, int, int]]  # a count, and how far from the exact one it may be
SMALL = "small count"
CHANGED = "its difference from an earlier release is a small count"
SUBTRACTED = "with it could be worked out: {}"
LOST = "can be worked out from what was released before"
UNPRINTED = ("median_iqr", "mean_sd")  # their n stands in no printed table: it alone is held back
COMMONEST_FIRST = {
    "definition_overlap": (EXACTLY,),
    "treatment_sequence": ("First mechanism", "Sequence of mechanisms"),
}
LAST = (NOT_RECORDED, "other sequences")
STEPS_AROUND, MANY_SUMS = 4, 12  # the size of a group is in many sums: a world near by leaves it as it is


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
    reach: int  # how far a count is moved at most
    small: bool  # whether it is taken to be known which counts are small
    targets: dict[int, tuple[int, int]]
    cells: dict[Place, Cell]
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
    later: Mapping[str, Sequence[Table]] | None = None,
) -> tuple[list[Table], pl.DataFrame]:
    """Returns the cohort's tables as they may be shown beside everything shown before, and what was held back (columns
    HELD_BACK; with a reason, so not to be shown).

    `tables`: exact numbers. `members`: cohort → its patients. `earlier`: cohorts disclosed before this one, under the same
    profile. `ledger`: cells of earlier releases, see d2tra.disclosure.ledger; `later`: exact tables of the other cohorts that
    it may name.
    """
    if not profile.small_up_to:
        return [t.with_cells(disclose(t.cells, profile)) for t in tables], pl.DataFrame(schema=HELD_BACK)
    others = {name: one.exact for name, one in earlier.items()} | dict(later or {})
    exact = {name: _exact(own, profile) for name, own in (others | {cohort: tables}).items()}
    bound = bind(exact, members)
    before = remembered(ledger)
    primary = {
        Place(cohort, table.name, index): SMALL
        for table in exact[cohort]
        for index, hidden in enumerate(gives_away(table.cells, profile))
        if hidden
    }
    rows = {(c, table.name): table.cells.rows(named=True) for c in exact for table in exact[c]}
    changed = _changes(bound, rows, cohort, profile, before)
    primary |= {place: CHANGED for place in changed if place not in primary}
    known = _known_for_good(bound, rows, earlier, before, profile)
    gate = _gate(bound, rows, cohort, profile, primary, known, changed)
    _make_safe(gate)
    names = {gate.worlds.place[name]: name for name in reversed(bound.values)}
    words = {target: " | ".join(part or "" for part in names[target]) for target in gate.targets}
    reasons = primary | {place: SUBTRACTED.format(words[target]) for place, target in gate.why.items()}
    shown = [table.with_cells(_let_out(table, cohort, profile, reasons)) for table in exact[cohort]]
    return shown, _held_back(rows, reasons, [words[target] for target in gate.lost])


def _exact(tables: Sequence[Table], profile: Profile) -> list[Table]:
    return [table.with_cells(coarsened(table.cells, profile)) for table in tables]


def _gate(
    bound: Bound,
    rows: Rows,
    cohort: str,
    profile: Profile,
    primary: Collection[Place],
    known: Iterable[Shown],
    changed: Mapping[Place, Changes],
) -> _Gate:
    worlds = Worlds(bound)
    reach = 3 * (profile.small_up_to + profile.base)
    low, high = np.maximum(-worlds.truth, -reach), np.full(len(worlds.truth), reach)
    targets: dict[int, tuple[int, int]] = {}
    for place in sorted({worlds.place[name] for name in bound.hidden}):
        value = int(worlds.truth[place])
        if 1 <= value <= profile.small_up_to:
            targets[place] = (1 - value, profile.small_up_to - value)
    for shown in known:
        for place, (least, most) in _ranges(shown, worlds, profile).items():
            low[place], high[place] = max(low[place], least), min(high[place], most)
    for changes in changed.values():
        for name, least, most in changes:
            targets.setdefault(worlds.place[name], (least, most))
    cells = {
        shown.place: Cell(
            _cost(rows[shown.place[:2]][shown.place.which], rank), _ranges(shown, worlds, profile)
        )
        for rank, shown in enumerate(bound.shown)
        if shown.place.cohort == cohort and shown.place not in primary
    }
    return _Gate(worlds, low, high, reach, profile.suppress_up_to > 0, targets, cells)


def _known_for_good(
    bound: Bound, rows: Rows, earlier: Mapping[str, Released], before: Remembered, profile: Profile
) -> list[Shown]:
    """What other cohorts' tables show, and what earlier releases showed if it is still as they showed it."""
    let_out = {
        place_of(cell, cohort, table.name): cell
        for cohort, one in earlier.items()
        for table in one.shown
        for cell in table.cells.iter_rows(named=True)
    }
    known = []
    for shown in bound.shown:
        cell = rows[shown.place[:2]][shown.place.which]
        place = place_of(cell, *shown.place[:2])
        if place in let_out:
            other = let_out[place]
            is_known = other["note"] != SUPPRESSED and (not shown.counts or other["n"] is not None)
        else:
            is_known = any(_is_same(cell, old, profile) for old in before.get(place, ()))
        known += [shown] if is_known else []
    return known


def _is_same(cell: Mapping[str, Any], old: Mapping[str, Any], profile: Profile) -> bool:
    if cell["n"] is None:
        return cell["estimate"] is not None and round(cell["estimate"], 2) == old["estimate"]
    counts = [None if cell[name] is None else rounded(cell[name], profile) for name in ("n", "total")]
    return counts == [old["n"], old["total"]]


def _changes(
    bound: Bound, rows: Rows, cohort: str, profile: Profile, before: Remembered
) -> dict[Place, Changes]:
    """Counts that differ by a small number from what an earlier release showed exactly. Rounded ones leave several
    differences possible."""
    found: dict[Place, Changes] = {}
    for shown in bound.shown if profile.rounding == "none" else ():
        cell = rows[shown.place[:2]][shown.place.which]
        for old in before.get(place_of(cell, *shown.place[:2]), ()) if shown.place.cohort == cohort else ():
            for name, was in zip(shown.counts, (old["n"], old["total"]), strict=False):
                gap = bound.values[name] - was if was is not None else 0
                if 1 <= abs(gap) <= profile.small_up_to:
                    others = (1 - gap, profile.small_up_to - gap)
                    others = others if gap > 0 else (-profile.small_up_to - gap, -1 - gap)
                    found.setdefault(shown.place, []).append((name, *others))
    return found


def _let_out(table: Table, cohort: str, profile: Profile, reasons: Collection[Place]) -> pl.DataFrame:
    held = pl.Series(
        [Place(cohort, table.name, index) in reasons for index in range(table.cells.height)], dtype=pl.Boolean
    )
    cells = disclose(table.cells, profile)
    unprinted = held & cells["kind"].is_in(UNPRINTED) & (cells["note"].fill_null("") != SUPPRESSED)
    let_out = emptied(cells, held & ~unprinted).with_columns(n=pl.when(~unprinted).then("n"))
    return _reordered(let_out, table.name)


def _reordered(cells: pl.DataFrame, table: str) -> pl.DataFrame:
    """Levels that the table puts in the order of their exact counts, in that of the released ones: the order, too, tells
    which of two is the larger."""
    listed = cells.rows(named=True)
    for row in COMMONEST_FIRST.get(table, ()):
        places = [i for i, c in enumerate(listed) if c["row"] == row and c["level"] not in (*LAST, None)]
        by_level: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for place in places:
            by_level[listed[place]["level"]].append(listed[place])
        sizes = {level: own[0]["n"] for level, own in by_level.items()}
        order = sorted(sizes, key=lambda level: (sizes[level] is None, -(sizes[level] or 0), level))
        moved = [cell for level in order for cell in by_level[level]]
        for place, cell in zip(places, moved, strict=True):
            listed[place] = cell
    return pl.DataFrame(listed, schema=cells.schema)


def _held_back(rows: Rows, reasons: Mapping[Place, str], lost: Iterable[str]) -> pl.DataFrame:
    found = [
        {**place_of(rows[place[:2]][place.which], *place[:2])._asdict(), "why": why}
        for place, why in sorted(reasons.items())
    ]
    return pl.DataFrame(found + [{"row": name, "why": LOST} for name in lost], schema=HELD_BACK)


def _ranges(shown: Shown, worlds: Worlds, profile: Profile) -> dict[int, tuple[int, int]]:
    """How far each count may be from the exact one without the cell looking otherwise."""
    found: dict[int, tuple[int, int]] = {}
    for name in shown.counts[:2]:  # the rest is what these leave
        place = worlds.place[name]
        value = int(worlds.truth[place])
        least, most = released_range(rounded(value, profile), profile)
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
        worth += 6.0 * (cell["row"] == "Patients") + 3.0 * (
            cell["column"] in ("Met", "Remaining", "Patients")
        )
    return worth + 1e-5 * rank  # of two that cost the same, the first


def _make_safe(gate: _Gate) -> None:
    _prove_together(gate)
    doubtful = []
    for target in gate.targets:
        if target in gate.safe or _prove(gate, target):
            continue
        if not _protect(gate, target):
            doubtful.append(target)
    gate.small = (
        False  # who knows which are small cannot always be helped against; the released numbers do not tell
    )
    for target in doubtful:
        gate.targets[target] = (
            gate.targets[target][0],
            gate.reach,
        )  # what is held back may be a larger count
        if not _prove(gate, target) and not _protect(gate, target):
            gate.lost.append(target)


def _protect(gate: _Gate, target: int) -> bool:
    """Holds back what costs least for the count not to be recovered; returns whether that can be done."""
    found = _cheapest(gate, target)
    if found is None:
        return False
    world, places = found
    for place in (places[number] for number in world.held_back):
        gate.why[place] = target
        del gate.cells[place]
    _mark_safe(gate, world)
    return True


def _known(gate: _Gate) -> tuple[np.ndarray, np.ndarray]:
    """How far each count may be from the exact one, whatever else is held back."""
    low, high = gate.low.copy(), gate.high.copy()
    for place, (least, most) in gate.targets.items() if gate.small else ():
        low[place], high[place] = max(low[place], least), min(high[place], most)
    return low, high


def _as_shown(gate: _Gate) -> tuple[np.ndarray, np.ndarray]:
    """How far each count may be from the exact one while every cell that is shown looks the same."""
    low, high = _known(gate)
    for cell in gate.cells.values():
        for place, (least, most) in cell.ranges.items():
            low[place], high[place] = max(low[place], least), min(high[place], most)
    return low, high


def _prove_together(gate: _Gate) -> None:
    """Looks for worlds that move many counts at once, with nothing more held back."""
    low, high = _as_shown(gate)
    progress = True
    while progress and len(gate.safe) < len(gate.targets):
        before = len(gate.safe)
        for sign in (1, -1):
            wanted = np.zeros(len(low))
            wanted[[target for target in gate.targets if target not in gate.safe]] = sign
            found = find_world(gate.worlds, low, high, [], wanted)
            if found is not None:
                _mark_safe(gate, found)
        progress = len(gate.safe) > before


def _prove(gate: _Gate, target: int) -> bool:
    """Whether the one count can be another number, with nothing more held back."""
    for first, last in _sides(gate, target):
        low, high = _as_shown(gate)
        low[target], high[target] = max(low[target], first), min(high[target], last)
        if low[target] <= high[target]:
            found = find_world(gate.worlds, low, high, [], np.zeros(len(low)))
            if found is not None:
                _mark_safe(gate, found)
                return True
    return False


def _sides(gate: _Gate, target: int) -> tuple[tuple[int, int], tuple[int, int]]:
    least, most = gate.targets[target]
    return (1, most), (least, -1)


def _mark_safe(gate: _Gate, world: Found) -> None:
    for target, (least, most) in gate.targets.items():
        if world.moved[target] and least <= world.moved[target] <= most:
            gate.safe.add(target)


def _cheapest(gate: _Gate, target: int) -> tuple[Found, list[Place]] | None:
    """The world in which the target is another number, for the least that must be held back; looked for near by first."""
    for steps in (STEPS_AROUND, None):
        near = _neighbours(gate.worlds, target, steps)
        places = [place for place, cell in gate.cells.items() if not near.isdisjoint(cell.ranges)]
        cells = [gate.cells[place] for place in places]
        best: Found | None = None
        for first, last in _sides(gate, target):
            low, high = _known(gate)
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
    hubs = {place for place, sums in beside.items() if len(sums) > MANY_SUMS} - {start}
    reached = edge = {start}
    for _ in range(steps):
        sums = {number for place in edge for number in beside[place]}
        edge = {place for number in sums for place, _ in worlds.sums[number]} - reached - hubs
        reached = reached | edge
    return reached
