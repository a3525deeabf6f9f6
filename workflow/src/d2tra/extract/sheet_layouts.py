"""How the sheets of a workbook are laid out: what is hidden, and which cells are merged."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from d2tra.errors import StudyError

XLSX = (".xlsx", ".xlsm")  # the kinds whose layout is read; sheets of the others are read all the same
HIDDEN = rb'\bhidden="(?:1|true)"'


class Merged(NamedTuple):
    """A rectangle of merged cells; rows and columns count from 1."""

    first_column: int
    first_row: int
    last_column: int
    last_row: int


@dataclass(frozen=True)
class Layout:
    """What is hidden in a sheet (the sheet itself, columns by their letters, a number of rows), and its merged cells."""

    is_hidden: bool
    hidden_columns: tuple[str, ...]
    n_hidden_rows: int
    merged: tuple[Merged, ...]

    def header_cell(self, column: int, header_row: int) -> tuple[int, int] | None:
        """Returns row and column of the cell that names a column whose own header cell is empty: the one above, where
        both are merged; None where there is no such cell."""
        for cells in self.merged:
            one_wide = cells.first_column == cells.last_column == column
            if one_wide and cells.first_row < header_row <= cells.last_row:
                return cells.first_row, cells.first_column
        return None


def sheet_layouts(path: Path) -> dict[str, Layout]:
    """Returns the layout of every sheet of an .xlsx or .xlsm by its name; of another kind of workbook none.

    StudyError where the workbook is damaged.
    """
    if path.suffix.casefold() not in XLSX:
        return {}
    try:
        with zipfile.ZipFile(path) as parts:
            targets = {
                entry.get("Id"): entry.get("Target", "")
                for entry in ElementTree.fromstring(parts.read("xl/_rels/workbook.xml.rels"))
            }
            found: dict[str, Layout] = {}
            for entry in ElementTree.fromstring(parts.read("xl/workbook.xml")).iter():
                if entry.tag.endswith("}sheet"):
                    relation = next(text for key, text in entry.attrib.items() if key.endswith("}id"))
                    target = targets[relation].removeprefix("/xl/").removeprefix("./")
                    is_hidden = entry.get("state", "visible") != "visible"
                    found[entry.get("name", "")] = _layout(parts.read(f"xl/{target}"), is_hidden)
            return found
    except (zipfile.BadZipFile, ElementTree.ParseError, KeyError, StopIteration, OSError) as problem:
        raise StudyError(f"{path.name}: the workbook is damaged; save it anew.") from problem


def _layout(sheet: bytes, is_hidden: bool) -> Layout:
    columns = [
        letters(number)
        for tag in re.findall(rb"<(?:\w+:)?col\b[^>]*>", sheet.partition(b"sheetData")[0])
        if re.search(HIDDEN, tag)
        for number in range(_number(tag, b"min"), min(_number(tag, b"max"), _number(tag, b"min") + 99) + 1)
    ]
    n_rows = len(re.findall(rb"<(?:\w+:)?row\b[^>]*" + HIDDEN, sheet))
    pattern = rb'mergeCell\b[^>]*\bref="([A-Z]+)([0-9]+):([A-Z]+)([0-9]+)"'
    merged = (
        Merged(_column(first), int(top), _column(last), int(bottom))
        for first, top, last, bottom in re.findall(pattern, sheet)
    )
    return Layout(is_hidden, tuple(columns), n_rows, tuple(merged))


def letters(number: int) -> str:
    """Returns a column's letters: 1 is A, 27 is AA."""
    name = ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def _column(name: bytes) -> int:
    number = 0
    for letter in name:
        number = 26 * number + letter - ord("A") + 1
    return number


def _number(tag: bytes, key: bytes) -> int:
    found = re.search(key + rb'="([0-9]+)"', tag)
    return int(found[1]) if found else 1
