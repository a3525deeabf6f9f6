"""A survey's tables of results, before disclosure control: questions, subgroups, printed percentages, favoured definitions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import polars as pl

from d2tra.definitions import Definition
from d2tra.survey.codebook import (
    ANSWERED,
    ASKED,
    MEDIAN,
    NOT_ANSWERED,
    NOT_KNOWN,
    OR,
    SAID,
    STRAY,
    Question,
    Survey,
)
from d2tra.survey.printed import CUT_OFF, IMPOSSIBLE, Judged, adds_up, judge
from d2tra.tables.cells import (
    Cell,
    as_cells,
    count_cell,
    decimal,
    format_cell,
    proportion_cell,
    text_cell,
    value_cell,
)
from d2tra.tables.prevalence import MET
from d2tra.tables.results import SYNTHETIC, WILSON
from d2tra.tables.table import Table

QUESTIONS, SUBGROUP, PRINTED, FAVOURS = (
    "survey_questions",
    "survey_by_subgroup",
    "survey_printed",
    "survey_favours",
)
EVERYBODY, UNSAID = "All respondents", "not said"
FAVOURED, AS_ASKED = "Favoured by clinicians", "Their answer"
PRIMARY = ", primary)"  # as the tables of prevalence call the study's first definition
WHOLE, NOT_WHOLE = "adds up to 100 within rounding", "does not add up to 100, rounding allowed for"
NAMED = (IMPOSSIBLE, CUT_OFF, NOT_WHOLE)
IN_COHORT, ELSEWHERE = f"{SAID}{MET}", "not in this study"
UNKNOWN = "Who did not answer a question is in no percentage of it: unknown is never no."
NOT_PATIENTS = "Counts are of respondents, not of patients."


def survey_tables(
    survey: Survey,
    counts: pl.DataFrame,
    prevalence: Mapping[str, pl.DataFrame],
    definitions: Mapping[str, Definition],
    primary: str,
    synthetic: bool,
) -> list[Table]:
    """Returns the tables of the survey that have cells.

    `counts`: see `count_answers`. `prevalence`: cohort → definition, n, n_met under the study's own policy. `definitions`:
    those that an answer favours, by name; `primary`: the study's own first one.
    """
    notes = (SYNTHETIC,) if synthetic or survey.synthetic else ()
    tables = [
        survey_questions(survey, counts),
        *(survey_by_subgroup(survey, counts, name) for name in survey.subgroups),
        survey_printed(survey),
        survey_favours(survey, counts, prevalence, definitions, primary),
    ]
    return [
        Table(table.name, table.title, table.cells, (*table.footnotes, *notes))
        for table in tables
        if table.cells.height
    ]


def survey_questions(survey: Survey, counts: pl.DataFrame) -> Table:
    """Returns each question with its answers, of everybody who answered it."""
    own = counts.filter(pl.col("subgroup").is_null())
    wordings = (f"{question.title}: «{question.wording}»" for question in survey.questions.values())
    notes = (WILSON, UNKNOWN, NOT_PATIENTS, *_notes_of_kinds(survey), *wordings)
    cells = as_cells(_cells(survey, own, EVERYBODY))
    return Table(QUESTIONS, f"What was answered: {survey.title}", cells, notes)


def survey_by_subgroup(survey: Survey, counts: pl.DataFrame, subgroup: str) -> Table:
    """Returns each question with its answers in every group of the subgroup, and of everybody; the subgroup's own question
    is left out."""
    question = survey.questions[subgroup]
    groups: dict[str | None, str] = {key: option.label for key, option in question.choices.items()}
    columns = {group: f"{question.title}{SAID}{label}" for group, label in [*groups.items(), (None, UNSAID)]}
    by_group = counts.filter(subgroup=subgroup).partition_by("group", as_dict=True, maintain_order=True)
    cells = _cells(survey, counts.filter(pl.col("subgroup").is_null()), EVERYBODY, without=subgroup)
    for (group,), own in by_group.items():
        cells += _cells(survey, own, columns[group], without=subgroup)
    title = f"What was answered, by {question.title.lower()}: {survey.title}"
    return Table(f"{SUBGROUP}_{subgroup}", title, as_cells(_by_row(cells)), (WILSON, UNKNOWN, NOT_PATIENTS))


def survey_printed(survey: Survey) -> Table:
    """Returns what each printed percentage can be: words only, for what was printed is known to everybody."""
    cells = []
    for printed in survey.printed:
        judged = {what: judge(text, printed.of) for what, text in printed.percentages.items()}
        for what, one in judged.items():
            words = _judgement(one)
            cells += [text_cell(printed.title, column, said, level=what) for column, said in words.items()]
        if printed.exclusive:
            total, is_whole = adds_up(printed.percentages.values())
            verdict = WHOLE if is_whole else NOT_WHOLE
            cells += [
                text_cell(printed.title, "Printed", f"{total} %", level="all of these together"),
                text_cell(printed.title, "Verdict", verdict, level="all of these together"),
            ]
    notes = (
        "Possible: a whole number of the respondents that are stated gives the percentage, rounded half up to its decimals. "
        "Of an impossible one the number of respondents is another than stated, or the print is wrong.",
    )
    return Table(PRINTED, "Printed percentages: can they be?", as_cells(cells), notes)


def survey_favours(
    survey: Survey,
    counts: pl.DataFrame,
    prevalence: Mapping[str, pl.DataFrame],
    definitions: Mapping[str, Definition],
    primary: str,
) -> Table:
    """Returns, per definition that an answer favours, who favours it beside who meets it in each cohort.

    Row and column of a prevalence are those of the cohorts' own tables, so that disclosure control knows it again.
    """
    chosen = counts.filter(pl.col("subgroup").is_null())
    cells = []
    for name, question in survey.questions.items():
        for key, option in question.options.items():
            if option.favours is None:
                continue
            definition = definitions[option.favours]
            row = f"{definition.title} ({definition.name}{PRIMARY if definition.name == primary else ')'}"
            found = chosen.filter(question=name, choice=key).row(0, named=True)
            cells += [
                text_cell(row, AS_ASKED, f"{question.title}{SAID}{option.label}"),
                proportion_cell(row, FAVOURED, found["n"], found["total"]),
                *(_met(row, cohort, own, definition.name) for cohort, own in prevalence.items()),
            ]
    notes = (
        WILSON,
        "Favoured: of those who answered the question. Met: of the cohort's patients, under the study's policy for criterion 3; "
        "who cannot be assessed counts as not met here. An opinion is no measurement: the two stand side by side, no more.",
    )
    return Table(FAVOURS, "Who favours a definition, and who meets it", as_cells(cells), notes)


def summarise_survey(tables: Mapping[str, Table]) -> list[str]:
    """Returns the sentences that open a survey's report, out of released cells: who favours what, what is printed that cannot
    be, how many answered; nothing where the tables are not a survey's."""
    sentences = []
    if FAVOURS in tables:
        for row, cells in _parts(tables[FAVOURS].cells):
            shown = {cell["column"]: format_cell(cell) for cell in cells.iter_rows(named=True)}
            met = {
                column.removesuffix(IN_COHORT): said for column, said in shown.items() if IN_COHORT in column
            }
            said = "; ".join(f"cohort {cohort} {said}" for cohort, said in met.items() if said != ELSEWHERE)
            favoured = f"{row}: favoured by {shown[FAVOURED]} of the clinicians who answered"
            sentences.append(f"{favoured}, {f'met by: {said}' if said else ELSEWHERE}.")
    if PRINTED in tables:
        for row, cells in _parts(tables[PRINTED].cells):
            printed, verdict = (
                dict(cells.filter(column=name).select("level", "text").iter_rows())
                for name in ("Printed", "Verdict")
            )
            wrong = [f"{printed[what]} ({what}) {why}" for what, why in verdict.items() if why in NAMED]
            if wrong:
                sentences.append(f"{row}, printed percentages that cannot stand: {'; '.join(wrong)}.")
    if QUESTIONS in tables:
        cells = tables[QUESTIONS].cells.filter(level=ANSWERED)
        answered = (f"{cell['row']} {format_cell(cell)}" for cell in cells.iter_rows(named=True))
        sentences.append(f"Answered, of those asked: {'; '.join(answered)}.")
    return sentences


def _parts(cells: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    return ((str(row), own) for (row,), own in cells.group_by("row", maintain_order=True))


def _met(row: str, cohort: str, prevalence: pl.DataFrame, definition: str) -> Cell:
    column = cohort + IN_COHORT
    found = prevalence.filter(pl.col("definition") == definition, pl.col("n") > 0)
    if found.is_empty():
        return text_cell(row, column, ELSEWHERE)
    return proportion_cell(row, column, found["n_met"][0], found["n"][0])


def _cells(survey: Survey, counts: pl.DataFrame, column: str, without: str | None = None) -> list[Cell]:
    """The lines of every question in one column: asked and answered, then its answers."""
    cells: list[Cell] = []
    by_question = counts.partition_by("question", as_dict=True, maintain_order=True)
    for (name,), rows in by_question.items():
        question = survey.questions[str(name)]
        if name == without:
            continue
        whole, *choices = rows.to_dicts()
        cells += _lines_of_question(survey, question, whole, column)
        cells += [
            proportion_cell(
                question.title, column, found["n"], found["total"], question.choices[found["choice"]].label
            )
            for found in choices
        ]
        if question.kind == "scale":
            quartiles = (whole["median"], whole["low"], whole["high"])
            cells.append(
                value_cell("median_iqr", question.title, column, *quartiles, level=MEDIAN, n=whole["n"])
            )
    return cells


def _lines_of_question(
    survey: Survey, question: Question, whole: Mapping[str, Any], column: str
) -> list[Cell]:
    row = question.title
    cells = [
        proportion_cell(row, column, whole["n"], whole["total"], ANSWERED),
        count_cell(row, column, whole["total"] - whole["n"], NOT_ANSWERED),
    ]
    if question.asked_if:
        parent = survey.questions[question.asked_if.question]
        said = OR.join(parent.choices[key].label for key in question.asked_if.chosen)
        cells = [
            text_cell(row, column, f"{parent.title}{SAID}{said}", ASKED),
            *cells,
            count_cell(row, column, whole["n_not_known"], NOT_KNOWN),
            count_cell(row, column, whole["n_stray"], STRAY),
        ]
    return cells


def _by_row(cells: Iterable[Cell]) -> list[Cell]:
    """The cells of several columns, line by line."""
    lines: dict[tuple[str, str | None], list[Cell]] = {}
    for cell in cells:
        lines.setdefault((cell["row"], cell["level"]), []).append(cell)
    return [cell for line in lines.values() for cell in line]


def _judgement(one: Judged) -> dict[str, str]:
    def of(counts: Iterable[int], total: int) -> str:
        listed = list(counts)
        shown = [
            f"{k}/{total} = {decimal(100 * k / total, 2)} %"
            for k in (listed[:1] + listed[-1:])[: len(listed)]
        ]
        return " to ".join(shown) or "none"

    return {
        "Printed": f"{one.printed} % of {one.of}",
        "Verdict": one.verdict,
        "Whole numbers that round to it": of(one.rounded, one.of),
        "… that are cut off to it": of(one.cut_off, one.of),
        "Next to it": of(one.nearest, one.of).replace(" to ", " and "),
        "Greatest smaller number of respondents that gives it": str(one.of_fewer or "none"),
    }


def _notes_of_kinds(survey: Survey) -> list[str]:
    kinds = {question.kind for question in survey.questions.values()}
    notes = []
    if "multiple" in kinds:
        notes.append(
            "Of several answers each is a share of those who answered the question; they add up to more than 100 %."
        )
    if "free_text" in kinds:
        notes.append(
            "Answers in words are counted by the words that each theme lists in the codebook; nobody's words stand here."
        )
    if any(question.asked_if for question in survey.questions.values()):
        notes.append(
            "A question that hangs on another one's answer is asked of those who gave it; they are its denominator."
        )
    return notes
