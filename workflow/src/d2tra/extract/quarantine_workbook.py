"""The quarantine workbook: the department's own sheets with every cell to mend marked, and the sentence that says how."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import xlsxwriter

from d2tra.errors import StudyError
from d2tra.extract.findings import mending
from d2tra.extract.given_back import (
    FIRST,
    MADE_ON,
    MERGED,
    SEVERITIES,
    WITH_PATIENT,
    WORDS,
    Given,
    Mark,
    accounting_lines,
    given_sheets,
    headings,
    marks_of,
    sheet_names,
)  # fmt: skip
from d2tra.extract.screen import as_screened
from d2tra.extract.site import SiteMapping
from d2tra.extract.validate import SetAsideError
from d2tra.io import write_bytes

ROW, BECAME, MEND = "row in your file", "what became of it", "how to mend"
WHOLE_UP_TO = 50_000  # of a longer source only the rows with a finding are given back
COMMENTS = 2_000  # per sheet: more make a workbook slow to open, and the sentence stands in the last column
LAST, LETTERS = (
    12,
    110,
)  # of the first sheet: its last column, and how many letters a line of a sentence holds
LINE = 15  # points that one line of text is high
LONGEST_CELL = 32_767  # what a workbook takes
ALOUD = "Patient-level data: this workbook stays inside the department."
LOOKS: dict[str, dict[str, Any]] = {
    "row": {"bg_color": "#F4B6AE", "bold": True, "border": 1}, "cell": {"bg_color": "#FFD966", "bold": True, "border": 1},
    "fix": {"bg_color": "#CFE8CF", "bold": True}, "pale": {"bg_color": "#FCEBE8"}, "merged": {"italic": True, "bg_color": "#E4E4E4"},
    "plain": {}, "head": {"bold": True, "text_wrap": True, "valign": "top", "bottom": 1}, "title": {"bold": True, "font_size": 14},
    "loud": {"bold": True, "font_color": "#B00020"}, "wrapped": {"text_wrap": True, "valign": "top"},
}  # fmt: skip
STEPS = (
    "Each sheet is one of your files or sheets as it was read, in your order; its last three columns are ours.",
    "Bold cells on red set their row aside, bold cells on yellow were left out of a row that was kept, bold cells on "
    "green were repaired as the mapping says. Filter the column 'what became of it' to see only such rows.",
    "Correct the cell in your own file (the number of its row stands in 'row in your file'), or here: then copy your "
    "columns back without our three. Where the mapping is at fault and not the cell, correct the mapping.",
    "Run the check again. It is clean when no row is set aside that you did not mean to be: nothing else need change.",
)


def where_rows_stand(tables: Mapping[str, pl.LazyFrame]) -> dict[str, pl.DataFrame]:
    """Returns of the harmonised tables what the workbook asks of them: source, source_row, is_duplicate."""
    return {
        table: rows.select("source", "source_row", "is_duplicate").collect() for table, rows in tables.items()
    }


def give_back_stopped(
    stop: SetAsideError,
    site: SiteMapping,
    screened: Sequence[str],
    read: Mapping[str, pl.DataFrame],
    beside: str | Path,
) -> StudyError:
    """Writes the workbook of a run that stopped for too much set aside; returns the error that says where it lies.

    It lies where that of a finished run lies, `beside` the accounting. A job that fails loses its own files; this one
    is another job's, so it stays for the person who mends, and is made anew once the run gets further. `screened`: the
    sha256 of the raw files when they were screened; one that has changed since is not given back.
    """
    path = Path(beside).with_name("quarantine.xlsx")
    with as_screened(site, screened):
        content = quarantine_workbook(site, stop.quarantine, stop.by_source, read)
    write_bytes(content, path)
    return StudyError(f"{stop} Each cell to mend is marked in {path.as_posix()}.")


def quarantine_workbook(
    site: SiteMapping, quarantine: pl.DataFrame, by_source: pl.DataFrame, read: Mapping[str, pl.DataFrame]
) -> bytes:
    """Returns the .xlsx: the sheet `What to do`, then each file or sheet of theirs, every cell as text.

    `quarantine`: the findings with source_row and their_column; `by_source`: the accounting per source; `read`: the
    harmonised tables (source, source_row, is_duplicate). A source of more than WHOLE_UP_TO rows gives back only the
    rows with a finding. No cell is ever a formula. The same input gives the same bytes.
    """
    sheets = given_sheets(site)
    names = sheet_names(sheets)
    content = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(content, options) as book:
        book.set_properties({"title": "Quarantine", "author": "", "created": MADE_ON})
        text = {"num_format": "@", "quote_prefix": True}
        looks = {name: book.add_format({**text, **look}) for name, look in LOOKS.items()}
        looks["number"] = book.add_format({"align": "left"})
        first = book.add_worksheet(FIRST)
        shown = {}
        for given in sheets:
            marks = marks_of(given, quarantine, read)
            shown[given.label] = _write_sheet(book.add_worksheet(names[given.label]), given, marks, looks)
        _write_first(first, site, quarantine, accounting_lines(sheets, by_source, read, names, shown), looks)
    return content.getvalue()


def _write_sheet(sheet: Any, given: Given, marks: dict[int, Mark], looks: dict[str, Any]) -> int:
    """Writes title rows, header and rows, frozen and with filters; returns how many rows of theirs it shows."""
    header = given.cells.columns
    rows = given.cells.with_row_index("row ", offset=given.header_row + 1)
    is_whole = given.cells.height <= WHOLE_UP_TO
    if not is_whole:
        rows = rows.filter(pl.col("row ").is_in(list(marks)))
    for number, line in enumerate(given.above.rows()):
        for column, text in enumerate(line):
            _put(sheet, number, column, text, looks["plain"])
    top = given.header_row - 1
    for column, name in enumerate([*headings(given.cells), ROW, BECAME, MEND]):
        _put(sheet, top, column, name, looks["head"])
        sheet.set_column(column, column, min(max(len(name) + 2, 11), 28))
    end, n_comments = len(header), 0
    sheet.set_column(end + 1, end + 1, 24)
    sheet.set_column(end + 2, end + 2, 120)
    for place, (row, *texts) in enumerate(rows.iter_rows(), start=top + 1):
        mark = marks.get(row)
        base = looks[_row_look(mark, given.is_wide)]
        for column, text in enumerate(texts):
            found = mark.cells.get(header[column]) if mark else None
            _put(sheet, place, column, text, looks[found[0]] if found else base)
            if found and n_comments < COMMENTS:
                sheet.write_comment(place, column, "\n".join(found[1]), {"x_scale": 2.5})
                n_comments += 1
        _put(sheet, place, end, str(row), base)
        if mark:
            _put(sheet, place, end + 1, mark.became, base)
            in_order = [mark.cells[name] for name in (*header, None) if name in mark.cells]
            sentences = [sentence for _, several in in_order for sentence in several]
            _put(sheet, place, end + 2, "\n".join(sentences), looks["wrapped"])
            sheet.set_row(place, LINE * len(sentences))
    sheet.autofilter(top, 0, top + max(rows.height, 1), end + 2)
    sheet.freeze_panes(top + 1, 0)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(top)
    sheet.set_header(f"&C{ALOUD}")
    return rows.height


def _row_look(mark: Mark | None, is_wide: bool) -> str:
    if mark is None or is_wide:
        return "plain"
    if mark.became == MERGED:
        return "merged"
    return "pale" if mark.became in (WORDS["row"], WITH_PATIENT) else "plain"


def _put(sheet: Any, row: int, column: int, text: str | None, look: Any) -> None:
    """Writes a cell as text, an empty one as an empty one of the same looks."""
    if text:
        sheet.write_string(row, column, text[:LONGEST_CELL], look)
    else:
        sheet.write_blank(row, column, None, look)


def _write_first(
    sheet: Any,
    site: SiteMapping,
    quarantine: pl.DataFrame,
    accounting: list[list[str | int]],
    looks: dict[str, Any],
) -> None:
    """Writes how to go on, the accounting, what the colours say, and how often each rule was broken."""
    sheet.write_string(0, 0, f"{site.title or site.name}: what to do", looks["title"])
    sheet.write_string(1, 0, ALOUD, looks["loud"])
    if site.synthetic:
        sheet.write_string(2, 0, "SYNTHETIC data: no real patients.", looks["loud"])
    row = 4
    for number, step in enumerate(STEPS, start=1):
        sheet.merge_range(row, 0, row, LAST, f"{number}. {step}", looks["wrapped"])
        sheet.set_row(row, 2 * LINE)
        row += 1
    for severity in SEVERITIES:
        sheet.write_string(row + 1, 1, WORDS[severity], looks[severity])
        row += 1
    row += 2
    head = (
        "Table", "Your file or sheet", "Sheet here", "Rows in it", "of them without a record", "Records read", "valid",
        "set aside", "exact duplicates", "set aside with their patient", "cells emptied", "cells repaired", "Remark",
    )  # fmt: skip
    row = _write_lines(
        sheet,
        row,
        "Every row accounted for: read = valid + set aside + exact duplicates",
        head,
        accounting,
        looks,
    )
    counted = quarantine.group_by("severity", "rule", "table", "column", maintain_order=True).agg(
        n=pl.len().cast(pl.Int64)
    )
    order = pl.col("severity").replace_strict({s: n for n, s in enumerate(SEVERITIES)}, return_dtype=pl.Int64)
    broken = [
        [
            table,
            column or "",
            f"{rule.replace('_', ' ')} ({WORDS[severity]})",
            n,
            mending(rule, table, column),
        ]
        for severity, rule, table, column, n in counted.sort(order, -pl.col("n"), maintain_order=True).rows()
    ]
    columns = ("Table", "Our column", "Rule (what became of it)", "How often", "How to mend")
    _write_lines(sheet, row, "How often each rule was broken", columns, broken, looks)
    sheet.set_column(0, 0, 14)
    sheet.set_column(1, 2, 38)
    sheet.set_column(3, LAST, 13)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)


def _write_lines(
    sheet: Any, row: int, title: str, head: tuple[str, ...], lines: list[list[Any]], looks: dict[str, Any]
) -> int:
    """Writes a small table with its title; returns the row after it."""
    sheet.write_string(row, 0, title, looks["title"])
    sheet.set_row(row + 1, LINE * (3 if len(head) > LAST else 1))
    for column, name in enumerate(head):
        sheet.write_string(row + 1, column, name, looks["head"])
    for place, line in enumerate(lines, start=row + 2):
        for column, value in enumerate(line):
            if column == len(head) - 1 < LAST:
                sheet.merge_range(place, column, place, LAST, value, looks["wrapped"])
                sheet.set_row(place, LINE * (1 + len(value) // LETTERS))
            elif isinstance(value, int):
                sheet.write_number(place, column, value, looks["number"])
            else:
                sheet.write_string(place, column, value)
    return row + 3 + len(lines)
