"""A table as an Excel workbook: what a person reads on the first sheet, the numbers at full precision on the second."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import polars as pl
import xlsxwriter

from d2tra.documents.packed import MADE_ON

NO_FORMULAS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


def table_workbook(table: dict[str, Any], cells: pl.DataFrame, banners: Sequence[str]) -> bytes:
    """Returns one laid-out table as an xlsx; no cell is ever a formula."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True, **NO_FORMULAS}) as book:
        book.set_properties({"title": table["title"], "author": "", "created": MADE_ON})
        _write_table(book, table, banners)
        _write_cells(book, cells, banners)
    return content.getvalue()


def _write_table(book: xlsxwriter.Workbook, table: dict[str, Any], banners: Sequence[str]) -> None:
    sheet = book.add_worksheet("Table")
    loud, bold = book.add_format({"bold": True, "font_color": "#B00020"}), book.add_format({"bold": True})
    head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
    right, indent = book.add_format({"align": "right"}), book.add_format({"indent": 1})
    for row, banner in enumerate(banners):
        sheet.write_string(row, 0, banner, loud)
    top = len(banners)
    sheet.write_string(top, 0, table["title"], bold)
    for column, heading in enumerate(table["headings"]):
        sheet.write_string(top + 1, column, heading, head)
    for row, line in enumerate(table["lines"], start=top + 2):
        sheet.write_string(row, 0, line["label"], indent if line["indented"] else None)
        for column, text in enumerate(line["texts"], start=1):
            sheet.write_string(row, column, text, right)
    below = top + 3 + len(table["lines"])
    for row, note in enumerate(table["footnotes"], start=below):
        sheet.write_string(row, 0, note)
    sheet.freeze_panes(top + 2, 1)
    sheet.set_column(0, 0, 48)
    sheet.set_column(1, len(table["headings"]) - 1, 26)


def _write_cells(book: xlsxwriter.Workbook, cells: pl.DataFrame, banners: Sequence[str]) -> None:
    sheet = book.add_worksheet("Numbers")
    for row, banner in enumerate(banners):
        sheet.write_string(row, 0, banner)
    top = len(banners)
    for column, name in enumerate(cells.columns):
        sheet.write_string(top, column, name)
        for row, value in enumerate(cells[name], start=top + 1):
            if isinstance(value, str) or value in (math.inf, -math.inf):  # Excel knows no infinity
                sheet.write_string(row, column, str(value))
            elif value is not None:
                sheet.write_number(row, column, value)
    sheet.freeze_panes(top + 1, 0)
