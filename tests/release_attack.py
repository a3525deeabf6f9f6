"""Simulated releases, and somebody who tries to work out what they hold back.

The attacker is written apart from the suppressor and shares no code with it: counts are cells of patients (cohort × status ×
level), every released number is a condition on a sum of them, and the search is plain enumeration with narrowing of ranges.
The attacker knows how disclosure control works, which cells are small, and everything released before.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import Bounds, LinearConstraint, milp

from d2tra.disclosure import Profile, disclose, load_profile
from d2tra.disclosure.ledger import LEDGER, released_cells
from d2tra.disclosure.secondary import Released, release_tables
from d2tra.tables import Table
from d2tra.tables.cells import Cell, as_cells, count_cell, proportion_cell, text_cell, value_cell

STATUSES = ("Met", "Not met", "Not assessable")
FACTORS = {"Obese": ("yes", "no"), "Smoking": ("never", "former", "current")}
MISSING = "not recorded"
PARTS = {"audit": ("first",), "extension": ("rest",), "full": ("first", "rest")}
MOST_NODES = 90
Atom = tuple[str, ...]  # (part, status) or (part, status, factor, level): so many patients
Counts = dict[Atom, int]
Sum = tuple[
    list[tuple[int, int]], int, int
]  # counts with their signs, the least and the largest that they add up to


# Releases


def simulate(seed: int) -> Counts:
    """Returns how many patients of each kind there are; cohorts, groups and levels vary from tiny to middling."""
    draw = random.Random(seed)
    counts: Counts = {}
    weights = (draw.choice([2, 5]), 10, draw.choice([0, 1]))
    frequent = {f: {level: draw.choice([1, 3, 9]) for level in levels} for f, levels in FACTORS.items()}
    for part, size in (("first", draw.randint(15, 60)), ("rest", draw.randint(20, 90))):
        statuses = draw.choices(STATUSES, weights, k=size)
        for status in STATUSES:
            counts[part, status] = statuses.count(status)
            for factor, common in frequent.items():
                options = {**common, MISSING: draw.choice([0, 0.3, 1])}
                levels = draw.choices(list(options), list(options.values()), k=statuses.count(status))
                counts |= {(part, status, factor, level): levels.count(level) for level in options}
    return counts


def build(counts: Counts, cohort: str, with_models: bool = True) -> list[Table]:
    """Returns the cohort's exact tables, named as those of a study are."""

    def n(statuses: tuple[str, ...], *kind: str) -> int:
        return sum(counts[(part, status, *kind)] for part in PARTS[cohort] for status in statuses)

    groups = {
        "All": STATUSES,
        **{status: (status,) for status in STATUSES if status != "Not assessable" or n((status,))},
    }
    table_1 = [count_cell("Patients", name, n(group)) for name, group in groups.items()]
    lines: list[Cell] = []
    for factor, levels in FACTORS.items():
        missing = {name: n(group, factor, MISSING) for name, group in groups.items()}
        for level in levels if len(levels) > 2 else ("yes",):
            shown = None if len(levels) == 2 else level
            table_1 += [
                proportion_cell(factor, name, n(group, factor, level), n(group) - missing[name], shown)
                for name, group in groups.items()
            ]
        if any(missing.values()):
            table_1 += [count_cell(factor, name, missing[name], MISSING) for name in groups]
        for level in levels:
            lines += _line(
                factor,
                level,
                levels,
                {one: (n(("Met",), factor, one), n(("Not met",), factor, one)) for one in levels},
            )
    met, not_met, unknown = (n((status,)) for status in STATUSES)
    row = "A definition (a_definition, primary)"
    prevalence = [
        proportion_cell(row, "Met", met, n(STATUSES)),
        count_cell(row, "Not met", not_met),
        count_cell(row, "Not assessable", unknown),
        proportion_cell(row, "Upper bound (not assessable counted as met)", met + unknown, n(STATUSES)),
        proportion_cell(row, "Complete cases", met, met + not_met),
    ]
    tables = {"table_1": table_1, "prevalence": prevalence}
    if with_models:
        known = proportion_cell("Patients in whom the outcome is known", "Met / patients", met, met + not_met)
        tables["odds_ratios"] = [known, *lines]
    return [Table(name, name, as_cells(cells)) for name, cells in tables.items()]


def _line(
    factor: str, level: str, levels: tuple[str, ...], by_level: dict[str, tuple[int, int]]
) -> list[Cell]:
    reference = levels[-1] if len(levels) == 2 else levels[0]
    met, not_met = by_level[level]
    named = level if len(levels) == 2 or level == reference else f"{level} v {reference}"
    cells = [proportion_cell(factor, "Met / patients", met, met + not_met, named)]
    if level == reference:
        return [*cells, text_cell(factor, "Univariable", "1 (reference)", named)]
    table = (met, not_met, *by_level[reference])
    smallest = min((count for count in table if count), default=None)
    return [
        *cells,
        value_cell("estimate", factor, "Univariable", *odds_ratio(*table), level=named, smallest=smallest),
    ]


def odds_ratio(a: int, b: int, c: int, d: int) -> tuple[float | None, float | None, float | None]:
    """Returns the odds ratio with Wald limits; nulls where a cell is empty."""
    if not a * b * c * d:
        return None, None, None
    log, error = math.log(a * d / (b * c)), math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    return math.exp(log), math.exp(log - 1.96 * error), math.exp(log + 1.96 * error)


def release(
    counts: Counts,
    profile: Profile,
    cohorts: list[str],
    secondary: bool = True,
    ledger: pl.DataFrame | None = None,
    with_models: bool = True,
) -> dict[str, list[Table]]:
    """Returns what is let out of each cohort, one after the other; without secondary suppression: the planted weakness."""
    members = {name: {(part, i) for part in parts for i in range(9)} for name, parts in PARTS.items()}
    earlier: dict[str, Released] = {}
    for cohort in cohorts:
        exact = build(counts, cohort, with_models)
        if secondary:
            old = pl.DataFrame(schema=LEDGER) if ledger is None else ledger
            named = set(old["cohort"]) - {*earlier, cohort}
            later = {name: build(counts, name, with_models) for name in PARTS if name in named}
            shown, _ = release_tables(cohort, exact, profile, members, earlier, old, later)
        else:
            shown = [table.with_cells(disclose(table.cells, profile)) for table in exact]
        earlier[cohort] = Released(exact, shown)
    return {cohort: list(one.shown) for cohort, one in earlier.items()}


def ledger_of(released: dict[str, list[Table]]) -> pl.DataFrame:
    """Returns the ledger after the release."""
    return pl.concat([released_cells("one", cohort, tables) for cohort, tables in released.items()])


def attack_simulated(seed: int, profile: str, secondary: bool = True, twice: bool = False) -> list[str]:
    """Returns what is recovered from one simulated release of three cohorts; `twice`: from it and from an earlier one of
    the same patients without the models."""
    counts, rules = simulate(seed), load_profile(profile)
    cohorts = ["audit", "extension", "full"] if seed % 5 else ["audit", "full"]
    before = [release(counts, rules, cohorts, secondary, with_models=False)] if twice else []
    ledger = ledger_of(before[0]) if before else None
    return attack([*before, release(counts, rules, cohorts, secondary, ledger)], counts, rules)


# The attacker


@dataclass
class Puzzle:
    """Unknown counts with their ranges, conditions on sums of them, and, per released odds ratio, the tables that give it."""

    low: list[int]
    high: list[int]
    sums: list[Sum] = field(default_factory=list)
    tables: list[tuple[list[list[int]], list[tuple[int, ...]]]] = field(default_factory=list)


def attack(
    releases: list[dict[str, list[Table]]], counts: Counts, profile: Profile, knows_small: bool = True
) -> list[str]:
    """Returns the small counts that are recovered: only one value from 1 to the threshold is possible given every released
    number. `knows_small`: tried first with the knowledge which of the suppressed cells are small; what falls then, is tried
    again without. The truth serves to order the search, not as knowledge."""
    threshold = max(profile.suppress_up_to, profile.base if profile.rounding != "none" else 0)
    atoms = list(counts)
    index = {atom: place for place, atom in enumerate(atoms)}
    truth = [counts[atom] for atom in atoms]
    puzzle = Puzzle([0] * len(atoms), [200] * len(atoms))
    for part in ("first", "rest"):
        for status in STATUSES:
            for factor in FACTORS:
                levels = [(index[atom], -1) for atom in atoms if atom[:3] == (part, status, factor)]
                puzzle.sums.append(([(index[part, status], 1), *levels], 0, 0))
    small: dict[tuple[int, ...], str] = {}
    for cohort in PARTS:  # what the attacker knows to be small, whether or not it is in this release
        for table in build(counts, cohort):
            for cell in table.cells.filter(pl.col("n").is_not_null()).iter_rows(named=True):
                for said, who in _claims(cohort, cell, index):
                    value = sum(truth[i] for i in who)
                    is_out = any(cohort in one for one in releases)
                    if is_out and said != "exact" and 1 <= value <= threshold:
                        small[tuple(sorted(who))] = (
                            f"{cohort} | {cell['row']} | {cell['level']} | {cell['column']} | {said}"
                        )
    for who in small if knows_small and profile.suppress_up_to else ():
        puzzle.sums.append(([(i, 1) for i in who], 1, threshold))
    for one in releases:
        for cohort, tables in one.items():
            for table in tables:
                _read(puzzle, cohort, table.cells, index, profile)
    everything = Sums(puzzle.sums)
    assert everything.narrow(puzzle.low, puzzle.high, list(range(len(puzzle.sums))))
    for place, (who, (wanted,)) in enumerate(puzzle.tables):
        ranges = [(sum(puzzle.low[i] for i in one), sum(puzzle.high[i] for i in one)) for one in who]
        puzzle.tables[place] = (who, _candidates(wanted, ranges))
    recovered = []
    for who, name in small.items():
        value = sum(truth[i] for i in who)
        most = (
            threshold if knows_small else 3 * threshold
        )  # what is held back to protect others may be larger
        others = sorted((v for v in range(1, most + 1) if v != value), key=lambda v: abs(v - value))
        if not any(_possible(puzzle, list(who), other, truth) for other in others):
            recovered.append(name)
    if recovered and knows_small:
        return [name for name in attack(releases, counts, profile, knows_small=False) if name in recovered]
    return recovered


def _claims(cohort: str, cell: dict[str, Any], index: dict[Atom, int]) -> Iterator[tuple[str, list[int]]]:
    """Whom the cell's count and its total count, and who is left: places of the atoms to add up."""
    row, level, column = cell["row"], cell["level"], cell["column"]
    if column == "Met / patients":
        n_of, total_of = ("Met",), ("Met", "Not met")
    elif column.startswith("Upper bound"):
        n_of, total_of = ("Met", "Not assessable"), STATUSES
    elif row.startswith("A definition"):
        n_of = ("Met",) if column == "Complete cases" else (column,)
        total_of = ("Met", "Not met") if column == "Complete cases" else STATUSES
    else:
        n_of = total_of = STATUSES if column == "All" else (column,)

    def places(statuses: tuple[str, ...], *kind: str) -> list[int]:
        return [index[(part, status, *kind)] for part in PARTS[cohort] for status in statuses]

    if row not in FACTORS:
        n, total = places(n_of), places(total_of)
    else:
        this = "yes" if level is None else level.split(" v ")[0]
        n = places(n_of, row, this)
        known = FACTORS[row] if column != "Met / patients" else (this,)
        total = [place for one in known for place in places(total_of, row, one)]
    yield "n", n
    if cell["kind"] == "proportion":
        yield "total", total
        yield "rest", [place for place in total if place not in n]


def _read(puzzle: Puzzle, cohort: str, cells: pl.DataFrame, index: dict[Atom, int], profile: Profile) -> None:
    for cell in cells.iter_rows(named=True):
        if cell["n"] is not None:
            for said, who in _claims(cohort, cell, index):
                if said != "rest":
                    shown = cell["n" if said == "n" else "total"]
                    possible = [n for n in range(400) if _as_released(n, profile) == shown]
                    puzzle.sums.append(([(i, 1) for i in who], possible[0], possible[-1]))
        elif cell["kind"] == "estimate" and cell["estimate"] is not None:
            _invert(puzzle, cohort, cell, index)


def _as_released(n: int, profile: Profile) -> int | None:
    if n == 0:
        return 0
    if n <= profile.suppress_up_to:
        return None
    if profile.rounding == "nearest":
        return profile.base * ((2 * n + profile.base) // (2 * profile.base))
    if profile.rounding == "midpoint":
        return profile.base * math.ceil(n / profile.base) - profile.base // 2
    return n


def _invert(puzzle: Puzzle, cohort: str, cell: dict[str, Any], index: dict[Atom, int]) -> None:
    """All 2 × 2 tables that give the odds ratio and its limits to two decimals, by brute force."""
    factor, levels = cell["row"], FACTORS[cell["row"]]
    level = cell["level"].split(" v ")[0]
    reference = levels[-1] if len(levels) == 2 else levels[0]
    who = [
        [index[part, status, factor, one] for part in PARTS[cohort]]
        for one in (level, reference)
        for status in ("Met", "Not met")
    ]
    wanted = (cell["estimate"], cell["low"], cell["high"])
    puzzle.tables.append((who, [wanted]))  # which tables give it, is looked up once the ranges are narrow


def _candidates(wanted: tuple[float, ...], ranges: list[tuple[int, int]]) -> list[tuple[int, ...]]:
    (a0, a1), (b0, b1), (c0, c1), (d0, d1) = ranges
    found = []
    for a in range(max(a0, 1), a1 + 1):
        for b in range(max(b0, 1), b1 + 1):
            for c in range(max(c0, 1), c1 + 1):
                ideal = wanted[0] * b * c / a
                for d in range(max(d0, 1, math.floor(ideal * 0.9)), min(d1, math.ceil(ideal * 1.1) + 1) + 1):
                    if all(
                        abs((x or 0) - w) < 0.00501
                        for x, w in zip(odds_ratio(a, b, c, d), wanted, strict=True)
                    ):
                        found.append((a, b, c, d))
    return found


def _possible(puzzle: Puzzle, who: list[int], value: int, truth: list[int]) -> bool:
    """Whether some set of counts agrees with everything and has this value: narrowed, enumerated near the truth, then proven."""
    nodes = 0

    def search(low: list[int], high: list[int], sums: Sums, tables: list[Any]) -> bool:
        nonlocal nodes
        nodes += 1
        if nodes > MOST_NODES:
            raise TimeoutError
        if tables:
            (atoms, options), *rest = tables
            near = [sum(truth[i] for i in one) for one in atoms]
            for option in sorted(
                options, key=lambda o: sum(abs(x - y) for x, y in zip(o, near, strict=True))
            ):
                lower, upper, more = low[:], high[:], Sums(sums.terms)
                new = [more.add([(i, 1) for i in one], x, x) for one, x in zip(atoms, option, strict=True)]
                if more.narrow(lower, upper, new) and search(lower, upper, more, rest):
                    return True
            return False
        open_ = [i for i in range(len(low)) if low[i] < high[i]]
        if not open_:
            return True
        i = min(open_, key=lambda i: high[i] - low[i])
        for guess in sorted(range(low[i], high[i] + 1), key=lambda v: abs(v - truth[i])):
            lower, upper = low[:], high[:]
            lower[i] = upper[i] = guess
            if sums.narrow(lower, upper, sums.of[i]) and search(lower, upper, sums, tables):
                return True
        return False

    low, high, sums = puzzle.low[:], puzzle.high[:], Sums(puzzle.sums)
    if not sums.narrow(low, high, [sums.add([(i, 1) for i in who], value, value)]):
        return False
    reach = 2 + abs(value - sum(truth[i] for i in who))  # near the truth there mostly is one
    low = [max(least, real - reach) for least, real in zip(low, truth, strict=True)]
    high = [min(most, real + reach) for most, real in zip(high, truth, strict=True)]
    try:
        if sums.narrow(low, high, list(range(len(sums.terms)))) and search(low, high, sums, puzzle.tables):
            return True
    except TimeoutError:
        pass
    return _by_programming(puzzle, who, value)


def _by_programming(puzzle: Puzzle, who: list[int], value: int) -> bool:
    """The same question put to an integer program of the attacker's own: where enumeration does not come to an end."""
    width = len(puzzle.low) + sum(len(options) for _, options in puzzle.tables)
    conditions = [*puzzle.sums, ([(i, 1) for i in who], value, value)]
    first = len(puzzle.low)
    for atoms, options in puzzle.tables:
        chosen = range(first, first + len(options))
        conditions.append(([(z, 1) for z in chosen], 1, 1))
        for k, one in enumerate(atoms):
            given = [(z, -option[k]) for z, option in zip(chosen, options, strict=True)]
            conditions.append(([*((i, 1) for i in one), *given], 0, 0))
        first += len(options)
    matrix = np.zeros((len(conditions), width))
    for row, (parts, _, _) in enumerate(conditions):
        for i, weight in parts:
            matrix[row, i] += weight
    solved = milp(
        np.zeros(width),
        integrality=np.ones(width),
        bounds=Bounds(
            [*puzzle.low, *[0] * (width - len(puzzle.low))], [*puzzle.high, *[1] * (width - len(puzzle.low))]
        ),
        constraints=LinearConstraint(matrix, [c[1] for c in conditions], [c[2] for c in conditions]),
    )
    assert solved.status in (0, 2), solved.message  # found, or proven that there is none
    return solved.status == 0


class Sums:
    """Conditions on sums, and which of them each count is in."""

    def __init__(self, terms: list[Sum]) -> None:
        self.terms = list(terms)
        self.of: dict[int, list[int]] = {}
        for number, (parts, _, _) in enumerate(self.terms):
            for i, _ in parts:
                self.of.setdefault(i, []).append(number)

    def add(self, parts: list[tuple[int, int]], least: int, most: int) -> int:
        self.terms.append((parts, least, most))
        for i, _ in parts:
            self.of.setdefault(i, []).append(len(self.terms) - 1)
        return len(self.terms) - 1

    def narrow(self, low: list[int], high: list[int], changed: list[int]) -> bool:
        """Tightens the ranges until nothing changes; whether they are still possible."""
        waiting, are_waiting = list(changed), set(changed)
        while waiting:
            number = waiting.pop()
            are_waiting.discard(number)
            parts, least, most = self.terms[number]
            lowest = highest = 0
            for i, sign in parts:
                lowest += low[i] if sign > 0 else -high[i]
                highest += high[i] if sign > 0 else -low[i]
            if lowest > most or highest < least:
                return False
            if lowest >= least and highest <= most:
                continue
            for i, sign in parts:
                old_low, old_high = low[i], high[i]
                if old_low == old_high:
                    continue
                if sign > 0:
                    up, down = most - lowest + old_low, least - highest + old_high
                else:
                    up, down = highest + old_low - least, lowest + old_high - most
                if down <= old_low and up >= old_high:
                    continue
                low[i], high[i] = max(old_low, down), min(old_high, up)
                if low[i] > high[i]:
                    return False
                gained, lost = low[i] - old_low, old_high - high[i]
                lowest += gained if sign > 0 else lost
                highest -= lost if sign > 0 else gained
                more = [number for number in self.of[i] if number not in are_waiting]
                waiting += more
                are_waiting.update(more)
        return True
