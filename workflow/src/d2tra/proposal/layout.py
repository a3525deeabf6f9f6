"""Where the tables of a folder stand: files and sheets, their encoding, delimiter and header row, and their cells."""

from __future__ import annotations

import csv
import itertools
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from d2tra.errors import StudyError
from d2tra.extract.site import TableSource
from d2tra.extract.sources import WORKBOOKS, read_cells, source_label
from d2tra.extract.text_files import DELIMITERS, TEXT_FILES
from d2tra.extract.workbooks import open_workbook, sheet_names
from d2tra.proposal.words import Words

READABLE = (*TEXT_FILES, ".parquet", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
LOOKED_AT = 30  # rows in which a header is looked for
IN_WORDS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}


@dataclass(frozen=True)
class Layout:
    """One file or sheet: how it is read (a TableSource without columns), why so, and its cells as text."""

    path: Path
    source: TableSource
    why: dict[str, str] = field(default_factory=dict)
    cells: pl.DataFrame = field(default_factory=pl.DataFrame)
    problem: StudyError | None = None  # why its cells could not be read

    @property
    def label(self) -> str:
        return source_label(self.path, self.source)

    @property
    def headers(self) -> list[str]:
        return [name for name in self.cells.columns if name != "source_row"]


def find_layouts(place: Path, words: Words) -> list[Layout]:
    """Returns every file and sheet of the folder (or of the one file) that may hold a table; StudyError for none.

    What cannot be read as a table comes without cells, with the `problem`: the identifier screen goes first.
    """
    if not place.exists():
        raise StudyError(f"{place}: no such file or folder.")
    files = [place] if place.is_file() else sorted(file for file in place.iterdir() if file.is_file())
    layouts = []
    for path in files:
        if path.suffix.casefold() not in READABLE:
            continue
        sheets: list[str | None] = list(sheet_names(path)) if path.suffix.casefold() in WORKBOOKS else [None]
        for sheet in sheets:
            found = _laid_out(path, sheet, words)
            try:
                layouts.append(replace(found, cells=read_cells(path, found.source)))
            except StudyError as problem:
                layouts.append(replace(found, problem=problem))
    if not layouts:
        raise StudyError(f"{place}: no table to read; known are {', '.join(READABLE)}.")
    return layouts


def readable(layouts: list[Layout]) -> list[Layout]:
    """Returns the layouts that read as tables; StudyError where a file does not. Of a workbook one sheet must."""
    for layout in layouts:
        siblings = [other for other in layouts if other.path == layout.path]
        if layout.problem and all(other.problem for other in siblings):
            raise layout.problem
    return [layout for layout in layouts if not layout.problem]


def _laid_out(path: Path, sheet: str | None, words: Words) -> Layout:
    """How one file or sheet is written; cells are not read yet."""
    said: dict[str, object] = {"file": path.name}
    why: dict[str, str] = {}
    if sheet is not None:
        said["sheet"] = sheet
        grid = open_workbook(path).load_sheet(sheet, header_row=None, n_rows=LOOKED_AT, dtypes="string")
        rows = [[str(cell or "") for cell in row] for row in grid.to_polars().rows()]
    elif path.suffix.casefold() == ".parquet":
        return Layout(path, TableSource(file=path.name))
    else:
        encoding, content = _decoded(path)
        if encoding != "utf-8":
            said["encoding"] = encoding
            why["encoding"] = "the text is not UTF-8; look whether letters such as ü and é come out right"
        delimiter, rows = _split_rows(path, content, words)
        if delimiter != "," and path.suffix.casefold() != ".tsv":
            said["delimiter"] = delimiter
            why["delimiter"] = f"{len(rows)} of the first {len(rows)} rows split by {IN_WORDS[delimiter]}"
    row, n_known = _header_row(rows, words)
    if row != 1:
        said["header_row"] = row
        found = f"{n_known} known headings" if n_known else "most filled cells"
        why["header_row"] = f"{found} stand in this row, fewer in those above it"
    return Layout(path, TableSource.model_validate(said), why)


def _decoded(path: Path) -> tuple[str, str]:
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", content.decode("utf-16", errors="replace")
    try:
        return "utf-8", content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return "cp1252", content.decode("cp1252", errors="replace")


def _split_rows(path: Path, content: str, words: Words) -> tuple[str, list[list[str]]]:
    """The delimiter under which one row holds most known headings (then: most cells), and the first rows split by it."""
    lines = content.splitlines()[:LOOKED_AT]
    known = ("\t",) if path.suffix.casefold() == ".tsv" else DELIMITERS
    best: tuple[tuple[int, int], str, list[list[str]]] = ((-1, -1), ",", [])
    for delimiter in known:
        try:
            rows = list(itertools.islice(csv.reader(lines, delimiter=delimiter), LOOKED_AT))
        except csv.Error:
            continue
        _, n_known = _header_row(rows, words)
        score = (n_known, max(map(len, rows), default=0))
        if score > best[0]:
            best = (score, delimiter, rows)
    return best[1], best[2]


def _header_row(rows: list[list[str]], words: Words) -> tuple[int, int]:
    """The number of the row that holds most known headings (the first of equals; fewer than two tell nothing, then: most
    filled cells), and how many it holds."""
    n_known = [sum(words.is_heading(cell) for cell in row if re.search(r"[^\W\d_]", cell)) for row in rows]
    if max(n_known, default=0) > 1:
        return n_known.index(max(n_known)) + 1, max(n_known)
    n_filled = [sum(bool(cell.strip()) for cell in row) for row in rows] or [0]
    return n_filled.index(max(n_filled)) + 1, 0
