"""What binds the counts of a release to each other, read off how their cells are named.

Each count has a name: of whom (a cohort), row, level, column, and whether it is the count, its total, or the rest of it.
Two cells of one name and one value count the same patients. Sums are proposed from the names alone; one that the exact
numbers do not obey is none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, permutations
from typing import Any, NamedTuple

from d2tra.disclosure.figure_relations import bind_figure_tables
from d2tra.disclosure.survey_relations import bind_survey
from d2tra.tables import Table
from d2tra.tables.agreement import ANY, COUNTS, EACH, EXACTLY, OTHERS, TOGETHER
from d2tra.tables.data_quality import COUNTS as ROWS
from d2tra.tables.data_quality import OF_EXTRACT
from d2tra.tables.model_rows import REFERENCE
from d2tra.tables.nice_pathway import BEFORE, SINCE
from d2tra.tables.odds_ratios import EVENTS
from d2tra.tables.prevalence import UPPER
from d2tra.tables.results import NO, NOT_RECORDED, STATUSES, YES

ALL, PATIENTS, EXTRACT = "All", "Patients", "the extract"
MET, NOT_MET, NOT_ASSESSABLE = STATUSES.values()
PRIMARY = ", primary)"
OF, REST = "of", "rest"
AGREES = "Agrees"
COMPLETE = "Complete cases of the model"
BY_FACTOR = ("odds_ratios_by_cohort", "risk_effects")  # a section per row, the factor in the level
Name = tuple[str | None, ...]  # cohort, row, level, column, then "of" or "rest"
Term = tuple[int, Name]


class Place(NamedTuple):
    """A cell of a release: its cohort, its table, and the how many-th cell of it."""

    cohort: str
    table: str
    which: int


@dataclass(frozen=True)
class Shown:
    """What a released cell says: counts as the profile shows them, and those that its estimate gives back exactly."""

    place: Place
    counts: tuple[Name, ...]
    exactly: tuple[Name, ...] = ()


@dataclass
class Bound:
    """Counts with their exact values, the sums that bind them (terms that make 0), and the cells that show them."""

    values: dict[Name, int] = field(default_factory=dict)
    sums: list[tuple[Term, ...]] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    hidden: set[Name] = field(default_factory=set)  # names that a cell has, as opposed to helping ones

    def sum_up(self, whole: Name, parts: Sequence[Name]) -> bool:
        """Adds whole = sum of the parts if all are counted and the exact values obey it; returns whether."""
        values = [self.values.get(name) for name in (whole, *parts)]
        if None in values or values[0] != sum(value or 0 for value in values[1:]) or [whole] == list(parts):
            return False
        self.sums.append(((1, whole), *((-1, part) for part in parts)))
        return True

    def remain(self, whole: Name, parts: Sequence[Name], left: Name) -> bool:
        """Adds a helping count for what the parts leave of the whole; returns whether there is any sense in it."""
        if any(name not in self.values for name in (whole, *parts)):
            return False
        value = self.values[whole] - sum(self.values[part] for part in parts)
        if value < 0 or self.values.setdefault(left, value) != value:
            return False
        return self.sum_up(whole, [*parts, left])


def bind(tables: Mapping[str, Sequence[Table]], members: Mapping[str, Collection[Any]]) -> Bound:
    """Returns the counts of the cohorts' tables (exact numbers, curves coarsened) and what binds them.

    `tables`: cohort → its tables; `members`: cohort → its patients, to know which cohort is a part of which.
    """
    bound = Bound()
    for cohort, own in tables.items():
        for table in own:
            _name_cells(bound, cohort, table, members)
    _bind_rows(bound)
    _bind_columns(bound)
    _bind_extract(bound)
    _bind_groups(bound)
    _bind_definitions(bound)
    _bind_models(bound)
    _bind_flow(bound, tables)
    bind_figure_tables(bound)
    bind_survey(bound, tables)
    _bind_cohorts(bound, members)
    return bound


def _name_cells(bound: Bound, cohort: str, table: Table, members: Collection[str]) -> None:
    cells = table.cells.to_dicts()
    names = [_name_of(cohort, table.name, cell, members) for cell in cells]
    counted: dict[int, tuple[Name, ...]] = {}
    for index, (cell, name) in enumerate(zip(cells, names, strict=True)):
        if cell["n"] is None:
            continue
        named = [_counted(bound, name, cell["n"], table.name)]
        if cell["total"] is not None:
            own = named[0]
            named.append(_counted(bound, (*own[:4], OF, *own[4:]), cell["total"], table.name))
            left = _counted(bound, (*own[:4], REST, *own[4:]), cell["total"] - cell["n"], table.name)
            bound.sum_up(named[1], [own, left])
            bound.hidden.add(left)
        bound.hidden |= set(named)
        counted[index] = tuple(named)
    near = _counts_beside(cells, names, counted)
    for index, cell in enumerate(cells):
        says_nothing = cell["smallest"] is None or (cell["kind"] == "text" and cell["column"] != AGREES)
        exactly = () if index in counted or says_nothing else near(index)
        if index in counted or exactly:
            bound.shown.append(Shown(Place(cohort, table.name, index), counted.get(index, ()), exactly))


def _counted(bound: Bound, name: Name, value: int, table: str) -> Name:
    """The name under which the count is known; with the table's where another one means something else by it."""
    if bound.values.setdefault(name, value) != value:
        name = (*name, table)
        if bound.values.setdefault(name, value) != value:
            name = (*name, str(value))
            bound.values[name] = value
    return name


def _name_of(cohort: str, table: str, cell: Mapping[str, Any], cohorts: Collection[str]) -> Name:
    row, level, column = cell["row"], cell["level"], cell["column"]
    if table in OF_EXTRACT:  # the same in the report of every cohort
        return (EXTRACT, row, level, column)
    said, _, rest = column.partition(": ")
    if row in cohorts:
        cohort, row = row, PATIENTS
    elif column in cohorts:
        cohort, column = column, ALL
    elif said in cohorts and rest:
        cohort, column = said, EVENTS if rest == EVENTS.lower() else rest
    if table in BY_FACTOR and level is not None:
        row, _, level = level.partition(": ")
        level = level or YES
    if row.endswith(PRIMARY) and level is None:
        row = PATIENTS
    if table == "missingness":
        level = NOT_RECORDED
    return (cohort, row, level, column)


def _counts_beside(
    cells: list[dict[str, Any]], names: list[Name], counted: Mapping[int, tuple[Name, ...]]
) -> Any:
    """What an estimate gives back: the counts of its line and of its reference's; of a comparison of the met and the not
    met, those of all levels."""
    rows: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        rows[name[:2]].append(index)
    whole = tuple(cell["column"] for cell in cells if cell["row"] == COMPLETE)
    references = {names[i][:3] for i, c in enumerate(cells) if REFERENCE in (c["text"] or "")}

    def beside(index: int) -> tuple[Name, ...]:
        if whole and cells[index]["column"].startswith(whole):
            return ()  # an adjusted estimate gives no table back
        here = [
            i
            for i in rows[names[index][:2]]
            if i in counted and cells[i]["kind"] in ("count", "proportion") and names[i][2] != NOT_RECORDED
        ]
        of_groups = [i for i in here if names[i][3] in (MET, NOT_MET)]
        lines = [i for i in here if names[i][2] == names[index][2] or names[i][:3] in references]
        return tuple(dict.fromkeys(name for i in of_groups or lines for name in counted[i]))

    return beside


def _by(bound: Bound, *kept: int) -> dict[tuple[Any, ...], dict[tuple[Any, ...], Name]]:
    """The names, grouped by some parts of them; within a group by the other parts."""
    groups: dict[tuple[Any, ...], dict[tuple[Any, ...], Name]] = defaultdict(dict)
    for name in bound.values:
        rest = tuple(part for place, part in enumerate(name) if place not in kept)
        groups[tuple(name[place] for place in kept)][rest] = name
    return groups


def _bind_rows(bound: Bound) -> None:
    """Levels make their total; a total is the group less those not recorded, or the whole line above its levels."""
    for (cohort, _, column), names in _by(bound, 0, 1, 3).items():
        if column == EVENTS:  # their totals are the patients at each level: two of one size are not one count
            continue
        levels = {key[0]: name for key, name in names.items() if len(key) == 1}
        totals = {key[0]: name for key, name in names.items() if key[1:] == (OF,)}
        above, group = levels.get(None), (cohort, PATIENTS, None, column)
        parts = [name for level, name in levels.items() if level not in (None, NOT_RECORDED)]
        if NOT_RECORDED in totals:
            bound.sum_up(totals.pop(NOT_RECORDED), [group])
        if totals:
            first = next((total for level, total in totals.items() if level is not None), totals.get(None))
            assert first is not None
            bound.sum_up(first, parts)
            one = len({bound.values[total] for total in totals.values()}) == 1
            for total in totals.values():
                if one:
                    bound.sum_up(total, [first])
                if total[2] is not None and above is not None:
                    bound.sum_up(above, [total])
            _bind_total(bound, first, group, levels.get(NOT_RECORDED))
            if None in totals:
                _bind_total(bound, totals[None], group, levels.get(NOT_RECORDED))
        elif above is not None:
            bound.sum_up(above, parts)
            if NOT_RECORDED in levels:
                bound.sum_up(group, [above, levels[NOT_RECORDED]])
            bound.sum_up(group, [above])


def _bind_total(bound: Bound, total: Name, group: Name, unknown: Name | None) -> None:
    if not (unknown and bound.sum_up(group, [total, unknown])):
        bound.sum_up(total, [group])


def _bind_columns(bound: Bound) -> None:
    """All = met + not met + not assessable, in every line; who is not assessable has no column where there is nobody. And
    all = begun before a day + begun since."""
    for names in _by(bound, 0, 1, 2).values():
        for whole in [name for key, name in names.items() if key[0] == ALL]:
            parts = [
                names[(status, *whole[4:])] for status in STATUSES.values() if (status, *whole[4:]) in names
            ]
            bound.sum_up(whole, parts)
            eras = [
                name
                for key, name in names.items()
                if str(key[0]).startswith((BEFORE, SINCE)) and key[1:] == whole[4:]
            ]
            if eras:
                bound.sum_up(whole, eras)


def _bind_extract(bound: Bound) -> None:
    """Rows read are valid, set aside or repeated; of those set aside some are without their patient."""
    for name in [name for name in bound.values if name[0] == EXTRACT and name[3] == ROWS["n_read"]]:
        valid, aside, repeated, orphaned = (
            (*name[:3], ROWS[count]) for count in ("n_valid", "n_quarantined", "n_duplicate", "n_orphaned")
        )
        bound.sum_up(name, [valid, aside, repeated])
        bound.remain(aside, [orphaned], (*name[:3], "set aside for another reason"))


def _bind_groups(bound: Bound) -> None:
    """The size of each group of patients, by whatever name a table counts it; of a printed statement, by its size."""
    for name in list(bound.values):
        cohort, row, level, column = name[:4]
        group = (cohort, PATIENTS, None, column)
        if row == f"{MET} only through presumed drug failures":
            left = (cohort, f"{MET} without presumed drug failures", level, column)
            bound.sum_up((cohort, PATIENTS, None, MET), [name, left])
        if len(name) > 4 and name[4] == OF and level is None and column not in (ALL, *STATUSES.values()):
            for size in (ALL, MET):
                bound.sum_up(name, [(cohort, PATIENTS, None, size)])
            bound.sum_up(name[:4], [(cohort, PATIENTS, None, MET)])
        if level == NOT_RECORDED:  # the table of what is not recorded names a number without its unit
            bound.sum_up(name, [(cohort, str(row).rsplit(", ", 1)[0], level, column)])
        if row == PATIENTS and level is None and column == MET and len(name) > 4 and name[4] == OF:
            bound.sum_up(name, [(cohort, PATIENTS, None, ALL)])
        if column == PATIENTS and level is None and row == "Cohort members":
            bound.sum_up(name, [(cohort, PATIENTS, None, ALL)])
        if row != PATIENTS and group == name:
            bound.sum_up(name, [group])


def _bind_definitions(bound: Bound) -> None:
    """Prevalence with its bounds, under each policy; agreement with the primary one; what is met together."""
    for name in list(bound.values):
        if name[3] == UPPER and len(name) == 4:
            cohort, row, level, _ = name
            met, not_met, unknown = ((cohort, row, level, status) for status in STATUSES.values())
            everyone, complete = (*met, OF), (cohort, row, level, "Complete cases")
            bound.sum_up(everyone, [met, not_met, unknown])
            bound.sum_up(name, [met, unknown])
            bound.sum_up((*name, OF), [everyone])
            bound.sum_up(complete, [met])
            bound.sum_up((*complete, OF), [met, not_met])
            bound.sum_up(everyone, [(cohort, PATIENTS, None, ALL)])
    for (cohort, row), names in _by(bound, 0, 1).items():
        for key, name in names.items():
            if key[0] == "met" and len(key) == 2:  # one policy for an unrecorded criterion 3
                _bind_policy(bound, cohort, row, name, names.get(("not assessable", key[1])))
            if key[1:] == (COUNTS["n_both"],):
                _bind_pair(bound, cohort, row, key[0])
    for cohort in dict.fromkeys(name[0] for name in bound.values):
        _bind_overlap(bound, cohort)


def _bind_policy(bound: Bound, cohort: str | None, row: str | None, met: Name, unknown: Name | None) -> None:
    row = PATIENTS if str(row).endswith(PRIMARY) else row
    stated = [(cohort, row, None, status) for status in (MET, NOT_ASSESSABLE)]
    if unknown and [bound.values[met], bound.values[unknown]] == [bound.values.get(name) for name in stated]:
        bound.sum_up(met, [stated[0]])
        bound.sum_up(unknown, [stated[1]])
    bound.sum_up((*met, OF), [(cohort, row, None, MET, OF)])
    if unknown:
        bound.sum_up((*unknown, OF), [(*met, OF)])
        bound.remain((*met, OF), [met, unknown], (cohort, row, "not met", met[3]))


def _bind_pair(bound: Bound, cohort: str | None, first: str | None, second: str | None) -> None:
    both, only_1, only_2, neither, unknown = ((cohort, first, second, column) for column in COUNTS.values())
    agreed = (cohort, first, second, "Agreement")
    bound.sum_up(agreed, [both, neither])
    bound.sum_up((*agreed, OF), [both, only_1, only_2, neither])
    bound.sum_up((cohort, PATIENTS, None, ALL), [both, only_1, only_2, neither, unknown])
    for name, only in ((first, only_1), (second, only_2)):
        met = (cohort, EACH, name, PATIENTS)
        bound.remain(
            met, [both, only], (cohort, f"met under {name}, the other unknown", f"{first} {second}", "")
        )


def _bind_overlap(bound: Bound, cohort: str | None) -> None:
    anybody, others = (cohort, ANY, None, PATIENTS), (cohort, OTHERS, None, PATIENTS)
    exactly = [name for name in bound.values if name[:2] == (cohort, EXACTLY) and len(name) == 4]
    rest = [others] if others in bound.values else []
    bound.sum_up(anybody, [*exactly, *rest])
    for name in [name for name in bound.values if name[:2] == (cohort, EACH) and len(name) == 4]:
        together = [one for one in exactly if name[2] in str(one[2]).split(TOGETHER)]
        if rest:
            bound.remain(name, together, (cohort, OTHERS, name[2], PATIENTS))
        else:
            bound.sum_up(name, together)
        for row in {other[1] for other in bound.values if other[0] == cohort}:
            if str(row).endswith((f"({name[2]})", f"({name[2]}{PRIMARY}")):
                bound.sum_up(name, [(cohort, row, None, MET)])
        bound.sum_up(name, [(cohort, PATIENTS, None, MET)])


def _bind_models(bound: Bound) -> None:
    """Events of patients at a level are the met, of the met and the not met, with that level."""
    for name in [name for name in bound.values if name[3] == EVENTS and len(name) == 4]:
        cohort, row, level, _ = name
        level = None if level == YES else str(level).split(" v ")[0] if level else None
        groups: list[Name] = [(cohort, row, level, status) for status in (MET, NOT_MET)]
        if name[2] == NO:
            groups = [(cohort, row, None, status, REST) for status in (MET, NOT_MET)]
        if row == "Patients in whom the outcome is known":
            groups = [(cohort, PATIENTS, None, status) for status in (MET, NOT_MET)]
        bound.sum_up(name, groups[:1])
        bound.sum_up((*name, OF), groups)


def _bind_flow(bound: Bound, tables: Mapping[str, Sequence[Table]]) -> None:
    """Who remains at a step and who is left out make those before it; the last ones are the cohort. Steps of a curve."""
    for cohort, own in tables.items():
        for cells in (table.cells for table in own if table.name == "selection_flow"):
            rows = cells["row"].unique(maintain_order=True).to_list()
            for before, row in pairwise(rows):
                after: list[Name] = [(cohort, row, None, part) for part in ("Remaining", "Left out")]
                bound.sum_up((cohort, before, None, "Remaining"), after)
            bound.sum_up((cohort, rows[-1], None, "Remaining"), [(cohort, PATIENTS, None, ALL)])
        for cells in (table.cells.filter(kind="step") for table in own):
            for (column,), steps in cells.partition_by("column", as_dict=True).items():
                places = steps.select("row", "level").iter_rows()
                taken: list[Name] = [(cohort, row, level, column) for row, level in places]
                for reached in ("met", "died before"):
                    bound.sum_up((cohort, "Followed", reached, PATIENTS), taken)


def _bind_cohorts(bound: Bound, members: Mapping[str, Collection[Any]]) -> None:
    """A count in a cohort is that in a part of it and that in the rest, which may be a cohort too."""
    sets = {cohort: frozenset(patients) for cohort, patients in members.items()}
    names = _by(bound, 0)
    for part, whole in permutations(sets, 2):
        if not sets[part] < sets[whole]:
            continue
        left = next((name for name in sets if sets[name] == sets[whole] - sets[part]), None)
        for rest, name in names.get((whole,), {}).items():
            of_part = (part, *rest)
            if left is not None:
                of_left = (left, *rest)
                if of_part in bound.values:
                    bound.sum_up(name, [of_part, of_left])
                else:
                    bound.sum_up(name, [of_left])  # nobody in the part
            elif of_part in bound.values and name in bound.hidden:
                difference = (f"{whole} less {part}", *rest)
                if bound.remain(name, [of_part], difference):
                    bound.hidden.add(difference)
