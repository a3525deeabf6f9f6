"""Is there another set of counts that would have been released just so? Found by integer programming, or there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array

from d2tra.disclosure.relations import Bound, Name

FAR = 10_000  # further than any count of a study can be moved


class Worlds:
    """The sets of counts that obey what binds them. They are told by how far each count is from its exact value: all 0
    is the truth. Counts that are equal by definition are one."""

    def __init__(self, bound: Bound) -> None:
        leader: dict[Name, Name] = {name: name for name in bound.values}

        def find(name: Name) -> Name:
            while leader[name] != name:
                leader[name] = name = leader[leader[name]]
            return name

        for terms in bound.sums:
            if len(terms) == 2:
                leader[find(terms[1][1])] = find(terms[0][1])
        leaders = list(dict.fromkeys(find(name) for name in bound.values))
        index = {name: place for place, name in enumerate(leaders)}
        self.place = {name: index[find(name)] for name in bound.values}
        self.truth = np.array([bound.values[name] for name in leaders])
        sums = dict.fromkeys(self._merged(terms) for terms in bound.sums if len(terms) > 2)
        self.sums = [terms for terms in sums if terms]

    def _merged(self, terms: Sequence[tuple[int, Name]]) -> tuple[tuple[int, int], ...]:
        total: dict[int, int] = {}
        for sign, name in terms:
            total[self.place[name]] = total.get(self.place[name], 0) + sign
        return tuple(sorted((place, sign) for place, sign in total.items() if sign))


@dataclass(frozen=True)
class Cell:
    """A cell that may be held back: what it costs, and the range in which it shows each count (as distances)."""

    cost: float
    ranges: Mapping[int, tuple[int, int]]


@dataclass(frozen=True)
class Found:
    """Another world: `moved`, how far each count is from the exact one; `held_back`, the cells that must not be shown."""

    moved: np.ndarray
    held_back: list[int]
    cost: float


def find_world(
    worlds: Worlds, low: np.ndarray, high: np.ndarray, cells: Sequence[Cell], wanted: np.ndarray
) -> Found | None:
    """Returns the world within low..high that costs least, cells held back first, then by `wanted` (a weight per count:
    positive, to be large; all 0: none); None where there is none."""
    near = [place for place in range(len(low)) if low[place] < high[place]]
    column = {place: index for index, place in enumerate(near)}
    rows: list[tuple[list[tuple[int, float]], float, float]] = []
    for terms in worlds.sums:
        kept = [(column[place], float(sign)) for place, sign in terms if place in column]
        if kept:
            rows.append((kept, 0.0, 0.0))
    cost = [-float(wanted[place]) for place in near]
    for number, cell in enumerate(cells):
        for place, (least, most) in cell.ranges.items():
            if place not in column:
                continue
            here, choice = column[place], len(near) + number
            if least > low[place]:
                rows.append(([(here, 1.0), (choice, float(least - low[place]))], float(least), np.inf))
            if most < high[place]:
                rows.append(([(here, 1.0), (choice, -float(high[place] - most))], -np.inf, float(most)))
        cost.append(cell.cost)
    if not near:
        return None
    solved = milp(
        cost,
        integrality=np.ones(len(cost)),
        bounds=Bounds(
            np.concatenate([low[near], np.zeros(len(cells))]), np.concatenate([high[near], np.ones(len(cells))])
        ),
        constraints=_constraints(rows, len(cost)),
    )
    if solved.x is None:
        return None
    answer = np.rint(solved.x).astype(int)
    moved = np.zeros(len(low), dtype=int)
    moved[near] = answer[: len(near)]
    chosen = [number for number in range(len(cells)) if answer[len(near) + number]]
    if not _obeys(worlds, moved, low, high, [cell for n, cell in enumerate(cells) if n not in chosen]):
        return None  # a solver's rounding must not pass for a proof
    return Found(moved, chosen, sum(cells[number].cost for number in chosen))


def _obeys(
    worlds: Worlds, moved: np.ndarray, low: np.ndarray, high: np.ndarray, shown: Sequence[Cell]
) -> bool:
    return (
        bool(((low <= moved) & (moved <= high)).all())
        and all(sum(sign * moved[place] for place, sign in terms) == 0 for terms in worlds.sums)
        and all(least <= moved[place] <= most for cell in shown for place, (least, most) in cell.ranges.items())
    )


def _constraints(
    rows: Sequence[tuple[Sequence[tuple[int, float]], float, float]], width: int
) -> LinearConstraint | tuple[()]:
    if not rows:
        return ()
    entries = [(row, place, value) for row, (terms, _, _) in enumerate(rows) for place, value in terms]
    where, places, values = zip(*entries, strict=True)
    matrix = csr_array(coo_array((values, (where, places)), shape=(len(rows), width)))
    return LinearConstraint(matrix, [row[1] for row in rows], [row[2] for row in rows])
