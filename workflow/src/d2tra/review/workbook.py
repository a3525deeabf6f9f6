"""The workbook that a reviewer fills: it shows which charts to read and asks, and says nothing of what was labelled."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import polars as pl
import xlsxwriter

from d2tra.definitions import Definition
from d2tra.errors import StudyError
from d2tra.extract.site import TableSource
from d2tra.extract.sources import read_cells

SHEET, INSTRUCTIONS = "Charts", "How to"
NUMBER, OVERALL, REVIEWER, REMARKS = (
    "Review number",
    "All in all: is the definition met?",
    "Reviewer (initials)",
    "Remarks",
)
IDENTITY = {NUMBER: "review_number", "Site": "site", "Patient id": "patient_id", "Judge as at": "judged_at"}
YES, NO, CANNOT_TELL = "yes", "no", "cannot tell"
ANSWERS = (YES, NO, CANNOT_TELL)
MADE_ON = dt.datetime(
    2024, 1, 1
)  # fixed, so that the same sample gives the same bytes and no day of drawing is told
MOST_NAMED = 10
WIDTHS = {NUMBER: 9, "Site": 12, "Patient id": 18, "Judge as at": 12, REVIEWER: 11, REMARKS: 40}


def asked_criteria(definition: Definition) -> dict[str, str]:
    """Returns the definition's uppermost criteria that the reviewer is asked about: id → title."""
    return {node.id: node.title or node.in_words() for node in definition.criteria if node.id is not None}


def question(criterion: str, title: str) -> str:
    """Returns the heading of the column that asks about a criterion."""
    return f"Criterion {criterion}: {title}?"


def write_workbook(sample: pl.DataFrame, definition: Definition, synthetic: bool) -> bytes:
    """Returns the .xlsx with one row per chart in the order of the review numbers: the same bytes for the same sample.

    `sample`: review_number, site, patient_id, judged_at; whatever else it holds is not shown. Ids are written as text
    (quote prefix), so that one which begins with =, +, - or @ never becomes a formula.
    """
    content = io.BytesIO()
    book = xlsxwriter.Workbook(
        content, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    book.set_properties({"title": "Chart review", "created": MADE_ON})
    questions = [question(*criterion) for criterion in asked_criteria(definition).items()] + [OVERALL]
    _write_instructions(book, definition, synthetic)
    _write_charts(book, sample.sort("review_number"), questions)
    book.close()
    return content.getvalue()


def read_answers(path: Path, sample: pl.DataFrame, definition: Definition) -> pl.DataFrame:
    """Returns review_number, a column per criterion id, and `overall`: yes, no, cannot tell; null = not answered.

    One row per chart of the sample; one whose row is gone from the workbook is not answered. StudyError names the
    workbook, sheet, rows and column of: an answer that is none of the three, a review number that the sample does not
    hold, one that stands twice, and a site or patient id that is not the one drawn under its number.
    """
    cells = read_cells(path, TableSource(file=path.name, sheet=SHEET))
    asked = {question(*each): each[0] for each in asked_criteria(definition).items()} | {OVERALL: "overall"}
    missing = [name for name in (NUMBER, "Site", "Patient id", *asked) if name not in cells.columns]
    if missing:
        raise StudyError(
            f"{path.name} [{SHEET}]: no column {missing[0]!r}. The headings must stay as they were written."
        )
    cells = cells.filter(pl.any_horizontal(pl.col(NUMBER, "Patient id", *asked).is_not_null()))
    numbered = cells.with_columns(
        review_number=pl.col(NUMBER).str.strip_suffix(".0").cast(pl.Int64, strict=False)
    )
    drawn = sample.select("review_number", drawn_site="site", drawn_id="patient_id")
    rows = numbered.join(drawn, on="review_number", how="left", validate="m:1", maintain_order="left")
    other = (pl.col("Site") != pl.col("drawn_site").str.strip_chars()) | (
        pl.col("Patient id") != pl.col("drawn_id").str.strip_chars()
    )
    _refuse(path, rows, pl.col("drawn_id").is_null(), NUMBER, "is no review number of this sample")
    _refuse(path, rows, pl.col("review_number").is_duplicated(), NUMBER, "stands there twice")
    _refuse(
        path,
        rows,
        other.fill_null(True),
        "Patient id",
        "is not the patient drawn under this number; were cells sorted or moved?",
    )
    answers = rows.with_columns(pl.col(list(asked)).str.to_lowercase().str.strip_chars())
    for name in asked:
        _refuse(path, answers, ~pl.col(name).is_in(ANSWERS), name, f"is none of: {', '.join(ANSWERS)}")
    answers = answers.select("review_number", *(pl.col(name).alias(short) for name, short in asked.items()))
    return sample.select("review_number").join(answers, on="review_number", how="left", maintain_order="left")


def has_answers(path: Path) -> bool:
    """Returns whether a reviewer has written anything into the workbook; true also where that cannot be read."""
    try:
        cells = read_cells(path, TableSource(file=path.name, sheet=SHEET))
    except StudyError:
        return True
    filled = cells.drop(*IDENTITY, "source_row", strict=False)
    return bool(filled.select(pl.any_horizontal(pl.all().is_not_null()).any()).item())


def _refuse(path: Path, rows: pl.DataFrame, wrong: pl.Expr, column: str, problem: str) -> None:
    found = rows.filter(wrong)["source_row"].to_list()
    if found:
        named = ", ".join(map(str, found[:MOST_NAMED])) + (" …" if len(found) > MOST_NAMED else "")
        raise StudyError(
            f"{path.name} [{SHEET}], column {column!r}: what stands there {problem} "
            f"({len(found)} row{'s' if len(found) > 1 else ''}: {named})."
        )


def _write_instructions(book: Any, definition: Definition, synthetic: bool) -> None:
    page = book.add_worksheet(INSTRUCTIONS)
    page.hide_gridlines(2)
    page.set_column(0, 0, 72)
    page.set_paper(9)  # A4
    page.fit_to_pages(1, 0)
    title, heading, text = (
        book.add_format({"text_wrap": True, "valign": "top", **more})
        for more in ({"bold": True, "font_size": 16}, {"bold": True, "font_size": 12}, {})
    )
    lines: list[tuple[str, Any]] = [("Chart review", title)]
    if synthetic:
        lines.append(("SYNTHETIC DATA: no patient behind any row.", heading))
    lines += [(line, text) for line in HOW_TO]
    lines += [("", text), (f"The definition: {definition.title}", heading)]
    lines += [(line, text) for line in definition.in_words()]
    lines += [("", text), ("What its paper leaves open, and how to judge it here", heading)]
    lines += [(f"{point.left_open} {point.settled}", text) for point in definition.open_points]
    for number, (line, look) in enumerate(lines):
        page.write_string(number, 0, line, look)
        page.set_row(number, 24 if look is title else 15 * max(1, -(-len(line) // 76)))


HOW_TO = (
    "1. On the sheet “Charts”, open the record of each patient id and judge it as at the day beside it: what happened later does not count.",
    "2. Answer every question from the list in its cell: yes, no, or cannot tell. “Cannot tell” is an answer: it is never counted as no. A chart you did not read stays empty.",
    "3. Judge for yourself. The workbook does not show what the program decided; please do not look it up, and do not talk to the other reviewer before both are done.",
    "4. The order is random and the charts are no fair picture of the clinic: some kinds of patients were drawn more often, and the score allows for it.",
    "5. Leave numbers, ids and headings as they are. You may filter, or sort whole rows.",
    "6. This file is private: it holds the department's patient ids. Keep it where the results are kept.",
)


def _write_charts(book: Any, sample: pl.DataFrame, questions: list[str]) -> None:
    page = book.add_worksheet(SHEET)
    head = book.add_format(
        {
            "bold": True,
            "text_wrap": True,
            "valign": "top",
            "bg_color": "#DCE6EE",
            "border": 1,
            "border_color": "#A0A0A0",
        }
    )
    fact = book.add_format({"num_format": "@", "quote_prefix": True, "border": 1, "border_color": "#D0D0D0"})
    number = book.add_format({"align": "left", "border": 1, "border_color": "#D0D0D0"})
    blank = book.add_format(
        {"bg_color": "#FFFBE6", "border": 1, "border_color": "#D0D0D0", "text_wrap": True}
    )
    headings = [*IDENTITY, *questions, REVIEWER, REMARKS]
    for column, name in enumerate(headings):
        page.write_string(0, column, name, head)
        page.set_column(column, column, WIDTHS.get(name, 20))
    page.set_row(0, 64)
    for row, facts in enumerate(sample.select(*IDENTITY.values()).rows(), start=1):
        page.write_number(row, 0, facts[0], number)
        for column, value in enumerate(facts[1:], start=1):
            page.write_string(row, column, "" if value is None else str(value), fact)
        for column in range(len(IDENTITY), len(headings)):
            page.write_blank(row, column, None, blank)
    first = len(IDENTITY)
    page.data_validation(
        1,
        first,
        sample.height,
        first + len(questions) - 1,
        {
            "validate": "list",
            "source": list(ANSWERS),
            "error_title": "Not an answer",
            "error_message": f"Please choose: {', '.join(ANSWERS)}.",
        },
    )
    page.freeze_panes(1, 3)
    page.set_landscape()
    page.set_paper(9)
    page.fit_to_pages(1, 0)
    page.repeat_rows(0)
    page.set_footer("&CPrivate: patient ids. Page &P of &N")
