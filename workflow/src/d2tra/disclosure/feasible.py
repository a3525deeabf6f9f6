"""Is there another set of counts that would have been released just so? Found by integer programming, or there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array

from d2tra.disclosure.relations import Bound, Name


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
        entries = [(row, place, sign) for row, terms in enumerate(self.sums) for place, sign in terms]
        self.matrix = _matrix(entries, len(self.sums), len(leaders))

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
    near = np.flatnonzero((low != 0) | (high != 0))  # one that must be another number is near too
    if not len(near) or (low > high).any():
        return None
    column = {int(place): index for index, place in enumerate(near)}
    sums = worlds.matrix[:, near]
    sums = sums[np.diff(sums.indptr) > 0]
    rows: list[tuple[int, int, float, float, float]] = []  # count, choice, its weight, least, most
    for number, cell in enumerate(cells):
        for place, (least, most) in cell.ranges.items():
            here, choice = column.get(place), len(near) + number
            if here is not None and least > low[place]:
                rows.append((here, choice, float(least - low[place]), float(least), np.inf))
            if here is not None and most < high[place]:
                rows.append((here, choice, -float(high[place] - most), -np.inf, float(most)))
    width = len(near) + len(cells)
    entries = [entry for n, row in enumerate(rows) for entry in ((n, row[0], 1.0), (n, row[1], row[2]))]
    solved = milp(
        np.concatenate([-wanted[near], [cell.cost for cell in cells]]),
        integrality=np.ones(width),
        bounds=Bounds(
            np.concatenate([low[near], np.zeros(len(cells))]),
            np.concatenate([high[near], np.ones(len(cells))]),
        ),
        constraints=[
            LinearConstraint(_widened(sums, width), 0, 0),
            LinearConstraint(_matrix(entries, len(rows), width), [r[3] for r in rows], [r[4] for r in rows]),
        ],
    )
    if solved.x is None:
        return None
    moved = np.zeros(len(low), dtype=int)
    moved[near] = np.rint(solved.x[: len(near)]).astype(int)
    if not ((low <= moved) & (moved <= high)).all() or (worlds.matrix @ moved).any():
        return None  # a solver's rounding must not pass for a proof
    # read off the counts: the solver takes a choice of a millionth for none, which frees a count of a wide range
    chosen = [number for number, cell in enumerate(cells) if not _looks_the_same(cell, moved)]
    return Found(moved, chosen, sum(cells[number].cost for number in chosen))


def _looks_the_same(cell: Cell, moved: np.ndarray) -> bool:
    return all(least <= moved[place] <= most for place, (least, most) in cell.ranges.items())


def _matrix(entries: Sequence[tuple[int, int, float]], height: int, width: int) -> csr_array:
    rows, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
    return csr_array(coo_array((values, (rows, columns)), shape=(height, width), dtype=float))


def _widened(matrix: csr_array, width: int) -> csr_array:
    """The matrix with empty columns at its right."""
    return csr_array((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], width))
