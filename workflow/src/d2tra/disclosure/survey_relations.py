"""What binds the counts of an opinion survey: answers to who answered, questions to what they hang on, groups to everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import polars as pl

from d2tra.survey.codebook import ANSWERED, ASKED, LINES, MEDIAN, NOT_ANSWERED, NOT_KNOWN, OR, SAID
from d2tra.survey.tables import AS_ASKED, EVERYBODY, FAVOURED, FAVOURS, PRIMARY, QUESTIONS, SUBGROUP, UNSAID
from d2tra.tables import Table
from d2tra.tables.agreement import PATIENTS

if TYPE_CHECKING:
    from d2tra.disclosure.relations import Bound, Name

OF = "of"


def bind_survey(bound: Bound, tables: Mapping[str, Sequence[Table]]) -> None:
    """Adds the sums that hold within the tables of a survey, wherever the tables of a cohort or chapter hold one."""
    for cohort, own in tables.items():
        for table in own:
            if table.name == QUESTIONS or table.name.startswith(SUBGROUP):
                _bind_questions(bound, cohort, table.cells)
            if table.name.startswith(SUBGROUP):
                _bind_groups(bound, cohort, table.cells)
            if table.name == FAVOURS:
                _bind_favours(bound, cohort, table.cells)


def _bind_questions(bound: Bound, cohort: str, cells: pl.DataFrame) -> None:
    """Asked = answered + not answered, in every column; an answer is one of those who answered; together they make these."""
    hangs_on = dict(cells.filter(level=ASKED).select("row", "text").iter_rows())
    everybody: Name | None = None
    for (row, column), lines in cells.partition_by(
        "row", "column", as_dict=True, maintain_order=True
    ).items():
        named: dict[str, Name] = {level: (cohort, row, level, column) for level in lines["level"]}
        answered, asked = named[ANSWERED], (*named[ANSWERED], OF)
        bound.sum_up(asked, [answered, named[NOT_ANSWERED]])
        options = [name for level, name in named.items() if level not in LINES]
        bound.sum_up(answered, options)
        for option in options:
            bound.sum_up((*option, OF), [answered])
        if MEDIAN in named:
            bound.sum_up(named[MEDIAN], [answered])
        if row in hangs_on:
            parent, _, labels = hangs_on[row].partition(SAID)
            bound.sum_up(asked, [(cohort, parent, label, column) for label in labels.split(OR)])
            bound.sum_up(named[NOT_KNOWN], [(cohort, parent, NOT_ANSWERED, column)])
        elif column == EVERYBODY:
            everybody = everybody or asked
            bound.sum_up(asked, [everybody])
        else:
            bound.sum_up(asked, [_size_of(column, cohort)])


def _size_of(column: str, cohort: str) -> Name:
    """Who is in a group are those who gave that answer to the question that makes the groups."""
    title, _, label = column.partition(SAID)
    return (cohort, title, NOT_ANSWERED if label == UNSAID else label, EVERYBODY)


def _bind_groups(bound: Bound, cohort: str, cells: pl.DataFrame) -> None:
    """Everybody is in one of the groups; who did not say in which has a column too."""
    columns = cells["column"].unique(maintain_order=True)
    groups = [column for column in columns if column != EVERYBODY]
    for row, level in cells.select("row", "level").unique(maintain_order=True).iter_rows():
        whole: Name = (cohort, row, level, EVERYBODY)
        parts: list[Name] = [(cohort, row, level, group) for group in groups]
        bound.sum_up(whole, parts)
        bound.sum_up((*whole, OF), [(*part, OF) for part in parts])


def _bind_favours(bound: Bound, cohort: str, cells: pl.DataFrame) -> None:
    """Who favours a definition gave the answer that stands for it."""
    for row, said in cells.filter(column=AS_ASKED).select("row", "text").iter_rows():
        title, _, label = said.partition(SAID)
        answer: Name = (cohort, title, label, EVERYBODY)
        name: Name = (cohort, PATIENTS if row.endswith(PRIMARY) else row, None, FAVOURED)
        bound.sum_up(name, [answer])
        bound.sum_up((*name, OF), [(*answer, OF)])
