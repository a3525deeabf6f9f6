"""The report of a cohort as a Word document: a summary, an action plan to fill in, figures, tables, definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docx.document import Document as Word
from docx.enum.section import WD_SECTION
from docx.enum.text import WD_BREAK

from d2tra.documents.word import add_figure, add_table, as_bytes, is_wide, new_document, turn

IN_SUMMARY = ("selection_flow", "prevalence_by_cohort")  # the tables of the first two pages
FIGURE_WIDTH_MM = 170
PLAN = ("Finding", "Recommended", "Action", "Lead", "By when", "Done")
PLAN_ROWS = 6


def report_document(contents: Mapping[str, Any], pngs: Mapping[str, bytes]) -> bytes:
    """Returns report.docx from what `report_contents` gives and the figures (`pngs`: name → png); nothing is a picture of text."""
    document = new_document(f"{contents['title']}: {contents['cohort']}", contents["banners"])
    _summarise(document, contents)
    _plan(document)
    _draw(document, contents, pngs)
    _tabulate(document, contents)
    _define(document, contents)
    return as_bytes(document)


def _summarise(document: Word, contents: Mapping[str, Any]) -> None:
    document.add_heading(contents["title"], level=0)
    document.add_paragraph(contents["where"])
    document.add_heading("Summary", level=1)
    for sentence in contents["summary"]:
        document.add_paragraph(sentence)
    for table in contents["tables"]:
        if table["name"] in IN_SUMMARY:
            add_table(document, table, table["caption"])


def _plan(document: Word) -> None:
    document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)
    document.add_heading("Action plan", level=1)
    document.add_paragraph("To be filled in by the department; nothing in this table comes from the data.")
    lines = [{"label": "", "indented": False, "texts": [""] * (len(PLAN) - 1)} for _ in range(PLAN_ROWS)]
    add_table(
        document, {"headings": list(PLAN), "lines": lines, "footnotes": []}, "Action plan of the department"
    )
    document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)


def _draw(document: Word, contents: Mapping[str, Any], pngs: Mapping[str, bytes]) -> None:
    document.add_heading("Figures", level=1)
    for figure in contents["figures"]:
        add_figure(document, pngs[figure["name"]], figure["caption"], figure["alt"], FIGURE_WIDTH_MM)


def _tabulate(document: Word, contents: Mapping[str, Any]) -> None:
    """Every table that is not in the summary; wide ones lie across their pages."""
    across = False
    others = [table for table in contents["tables"] if table["name"] not in IN_SUMMARY]
    for number, table in enumerate(others, start=1):
        if is_wide(table) != across or number == 1:
            across = is_wide(table)
            document.add_section(WD_SECTION.NEW_PAGE)
            turn(document, across)
        if number == 1:
            document.add_heading("Tables", level=1)
        add_table(document, table, table["caption"])


def _define(document: Word, contents: Mapping[str, Any]) -> None:
    document.add_section(WD_SECTION.NEW_PAGE)
    turn(document, wide=False)
    document.add_heading("Definitions in words", level=1)
    for definition in contents["definitions"]:
        document.add_heading(definition["heading"], level=2)
        document.add_paragraph(definition["source"])
        for line in definition["lines"]:
            document.add_paragraph(line)
        for point in definition["open_points"]:
            document.add_paragraph(point, style="List Bullet")
    document.add_heading("How this was made", level=1)
    for note in contents["footer"]:
        document.add_paragraph(note)
