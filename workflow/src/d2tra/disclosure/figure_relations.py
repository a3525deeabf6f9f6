"""What binds the counts of the tables that stand behind figures: criteria, the two scores, ways of treatment, the DAS28."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from d2tra.tables.agreement import PATIENTS, TOGETHER
from d2tra.tables.cdai_v_das28_crp import BOTH, CDAI, DAS28_CRP, GROUPS, LEFT_OUT, LOWER
from d2tra.tables.criteria_overlap import EACH, EXACTLY, OF_ALL, UNKNOWN
from d2tra.tables.das28_components import ADDED
from d2tra.tables.results import STATUSES
from d2tra.tables.treatment_flows import LINE, NO_FURTHER, OTHER, RARE
from d2tra.tables.treatment_sequence import ARROW

if TYPE_CHECKING:
    from d2tra.disclosure.relations import Bound, Name

ALL, OF = "All", "of"
MET = next(iter(STATUSES.values()))


def bind_figure_tables(bound: Bound) -> None:
    """Adds the sums that hold within these tables, and to those that count the same patients."""
    rows: dict[str | None, dict[str, list[Name]]] = defaultdict(lambda: defaultdict(list))
    for name in bound.values:
        if len(name) == 4:
            rows[name[0]][str(name[1])].append(name)
    for cohort, of_cohort in rows.items():
        _bind_criteria(bound, cohort, of_cohort)
        _bind_scores(bound, cohort, of_cohort)
        _bind_ways(bound, cohort, of_cohort)
        for names in (names for row, names in of_cohort.items() if row.endswith(ADDED)):
            _bind_equal(bound, names)


def _bind_criteria(bound: Bound, cohort: str | None, rows: dict[str, list[Name]]) -> None:
    """Who meets a criterion meets one of the combinations that hold it; who meets it by an item, one of those of its items."""
    for row, names in list(rows.items()):
        group = row.removeprefix(f"{EACH}: ")
        if group == row:
            continue
        exactly = rows.get(f"{EXACTLY}: {group}", [])
        each = [name for name in names if name[3] == PATIENTS]
        for name in each:
            own = str(name[2]).split(" ")[0]
            bound.sum_up(name, [one for one in exactly if own in str(one[2]).split(TOGETHER)])
            unknown: Name = (*name[:3], UNKNOWN)
            bound.sum_up((cohort, PATIENTS, None, ALL), [(*name, OF), unknown])
            items = f"{EXACTLY}: items of criterion {own}"
            bound.sum_up(name, rows.get(items, []))
        bound.remain((cohort, PATIENTS, None, ALL), exactly, (cohort, f"Met none: {group}", None, PATIENTS))
        for one in exactly:
            if group == OF_ALL and len(str(one[2]).split(TOGETHER)) == len(each):
                bound.sum_up((cohort, PATIENTS, None, MET), [one])


def _bind_scores(bound: Bound, cohort: str | None, rows: dict[str, list[Name]]) -> None:
    """The fields make the patients of whom both bands are known; those left of the diagonal, who has the lower by DAS28-CRP."""
    known: list[Name] = []
    for row in GROUPS.values():
        fields = [name for name in rows.get(row, []) if str(name[3]).startswith(DAS28_CRP)]
        das28 = list(dict.fromkeys(str(name[3]).removeprefix(DAS28_CRP) for name in fields))
        both: Name = (cohort, row, BOTH, PATIENTS)
        lower: Name = (cohort, row, LOWER, PATIENTS)
        left = [
            name
            for name in fields
            if das28.index(str(name[3]).removeprefix(DAS28_CRP))
            < das28.index(str(name[2]).removeprefix(CDAI))
        ]
        bound.sum_up(both, fields)
        bound.sum_up(lower, left)
        bound.sum_up((*lower, OF), [both])
        known.append(both)
    bound.sum_up((cohort, PATIENTS, None, ALL), [*known, (cohort, LEFT_OUT, None, PATIENTS)])


def _bind_ways(bound: Bound, cohort: str | None, rows: dict[str, list[Name]]) -> None:
    """All of a box go somewhere or nowhere; all on the next line came from somewhere, some of them by rare ways."""
    number = 1
    while boxes := rows.get(f"{LINE}{number}"):
        ways = rows.get(f"{LINE}{number} to {number + 1}", [])
        for box in boxes:
            bound.sum_up(box, [way for way in ways if str(way[2]).startswith(f"{box[2]}{ARROW}")])
            for total in ((*boxes[0], OF), (cohort, f"{LINE}{number} ended", None, ALL, OF)):
                bound.sum_up((*box, OF), [total])
            if number > 1:
                into = [way for way in rows.get(f"{LINE}{number - 1} to {number}", []) if _ends(way, box[2])]
                bound.remain(box, into, (cohort, f"{RARE} to {LINE}{number}", box[2], PATIENTS))
        following = rows.get(f"{LINE}{number + 1}", [])
        if following:
            bound.sum_up((*following[0], OF), [way for way in ways if not _ends(way, NO_FURTHER)])
        number += 1
    first = rows.get(f"{LINE}1", [])
    each = {name[2]: name for name in rows.get("First mechanism", []) if name[3] == ALL}
    for box in first:
        bound.sum_up((*box, OF), [(cohort, "Patients with a b/tsDMARD", None, ALL)])
        named = {one[2] for one in first}
        same = [name for level, name in each.items() if level not in named] if box[2] == OTHER else []
        bound.sum_up(box, same or [each.get(box[2], box)])


def _ends(way: Name, box: str | None) -> bool:
    return str(way[2]).endswith(f"{ARROW}{box}")


def _bind_equal(bound: Bound, names: Iterable[Name]) -> None:
    """The terms of a score are means of the same patients."""
    first: dict[str | None, Name] = {}
    for name in names:
        bound.sum_up(name, [first.setdefault(name[3], name)])
