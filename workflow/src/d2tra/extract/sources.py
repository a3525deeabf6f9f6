"""Reading raw files as text: every cell exactly as the file writes it, with the row a spreadsheet would show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from d2tra.errors import StudyError, nearest
from d2tra.extract.sheet_layouts import sheet_layouts
from d2tra.extract.signs import LONGEST_HEADER
from d2tra.extract.site import SiteMapping, TableSource
from d2tra.extract.text_files import PIECE, TEXT_FILES, Sheet, read_text_batches, read_text_file
from d2tra.extract.workbooks import open_workbook, sheet_names
from d2tra.logs import count_rows

# a file with broken bytes can end in a panic of the library that reads it
NOT_PARQUET = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
BATCH_ROWS = 250_000  # of a parquet file, read at a time
HELD_BYTES = PIECE  # of all files of a table together: one piece of text
ABOVE = ", above the header"
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")


def source_label(path: Path, source: TableSource) -> str:
    """Returns how messages call a source: `labs.csv`, `register.xlsx [Biologics]` for a sheet; for what was fetched the
    name of the database's table, or `query <number> (labs)`."""
    if source.query:
        return "query {1} ({0})".format(*path.stem.rsplit("_", 1))
    if source.table:
        return source.table
    return f"{path.name} [{source.sheet}]" if source.sheet else path.name


def read_cells(path: Path, source: TableSource) -> pl.DataFrame:
    """Returns one source as text: its columns (String, trimmed, empty = null) and `source_row` (Int64) last.

    `source_row` counts as a spreadsheet does: the header of `header_row: 1` is row 1, the first data row is 2;
    rows without any filled cell are left out, the numbering goes on. Dates of a workbook or a parquet file become
    ISO text, whole numbers lose their `.0`. StudyError where the file cannot be read as one table: absent, empty,
    not in its encoding, no such sheet, rows of unequal length, two columns of one name, cells without a header.
    """
    return pl.concat(read_pieces(path, source))


def read_pieces(path: Path, source: TableSource) -> Iterator[pl.DataFrame]:
    """Yields what `read_cells` returns in pieces of bounded size, one at least; a workbook's sheet is one."""
    label, first_row = source_label(path, source), source.header_row + 1
    for _, header, cells in map(_trimmed, _pieces(path, source)):
        numbers = pl.int_range(first_row, first_row + pl.len(), dtype=pl.Int64)
        rows = cells.select(*_named(header, cells, label, source), source_row=numbers)
        yield rows.filter(pl.any_horizontal(pl.all().exclude("source_row").is_not_null()))
        first_row += cells.height


@dataclass(frozen=True)
class Pieces:
    """The pieces of a source, read anew each time one goes through them."""

    path: Path
    source: TableSource

    def __iter__(self) -> Iterator[pl.DataFrame]:
        return read_pieces(self.path, self.source)


def pieces_of(paths: Sequence[Path], sources: Sequence[TableSource]) -> list[Iterable[pl.DataFrame]]:
    """Returns the pieces of each source, to go through again and again: read once and held where all are small."""
    pieces = [Pieces(path, source) for path, source in zip(paths, sources, strict=True)]
    are_small = sum(path.stat().st_size for path in paths if path.is_file()) <= HELD_BYTES
    return [list(each) for each in pieces] if are_small else [*pieces]


def _named(header: list[str], cells: pl.DataFrame, label: str, source: TableSource) -> list[pl.Expr]:
    """The cells of each header; StudyError where some have none, or not one of their own."""
    if not any(header):
        raise StudyError(
            f"{label}: row {source.header_row} holds no header. Is it empty? Else say `header_row:` in the mapping."
        )
    named: dict[str, int] = {}
    for number, (name, column) in enumerate(zip(header, cells.columns, strict=True), start=1):
        if not name and cells[column].null_count() < cells.height:
            raise StudyError(
                f"{label}: column {number} has cells but no header in row {source.header_row}. "
                "Name it, or say `header_row:` in the mapping."
            )
        if len(name) > LONGEST_HEADER:
            raise StudyError(
                f"{label}: the header of column {number} has {len(name):,} characters. Is a quotation mark missing?"
            )
        if name in named:
            # what stands in the place of a header may be a patient's value: it is not said
            raise StudyError(
                f"{label}: columns {named[name]} and {number} are named alike. Rename one of them."
            )
        if name:
            named[name] = number
    if "source_row" in named:
        raise StudyError(f"{label}: a column is named 'source_row', a name this program needs. Rename it.")
    own = {name: cells.columns[number - 1] for name, number in named.items()}
    # an empty column as a constant: it takes no memory, and most columns of a wide extract are empty
    empty = {column for column in own.values() if cells[column].null_count() == cells.height}
    return [
        (pl.lit(None, pl.String) if column in empty else pl.col(column)).alias(name)
        for name, column in own.items()
    ]


def all_cells(path: Path, site: SiteMapping) -> dict[str, pl.DataFrame]:
    """Returns everything a file holds: label → frame of text columns, as `cell_batches` names them."""
    frames: dict[str, list[pl.DataFrame]] = {}
    for label, cells in cell_batches(path, site):
        frames.setdefault(label, []).append(cells)
    return {label: pl.concat(batches) for label, batches in frames.items()}


def cell_batches(path: Path, site: SiteMapping) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yields everything a file holds, piece by piece: a label and a frame of text columns; the pieces of one label in a row.

    A workbook gives all its sheets (mapped or not, hidden or not; header in row 1 unless the mapping says otherwise),
    a file one frame. A column without a header is called `column <number>`, the second of one name `<name> [<number>]`.
    What stands above a header comes as a frame of its own, labelled `<label>, above the header`.
    """
    declared = [
        source for each in site.sources().values() for source in each if site.file_path(source) == path
    ]
    if path.suffix.casefold() in WORKBOOKS:
        header_rows = {source.sheet: source.header_row for source in declared}
        sheets = sheet_names(path)
        for_any = header_rows.get(None, 1) if len(sheets) == 1 else 1
        declared = [
            TableSource(file=path.name, sheet=name, header_row=header_rows.get(name, for_any))
            for name in sheets
        ]
    given: set[str] = set()
    for source in declared or [TableSource(file=path.name)]:
        label = source_label(path, source)
        if label in given:
            continue
        given.add(label)
        for above, header, cells in map(_trimmed, _pieces(path, source)):
            names: list[str] = []
            for number, name in enumerate(header, start=1):
                name = name or f"column {number}"
                names.append(f"{name} [{number}]" if name in names else name)
            yield label, cells.rename(dict(zip(cells.columns, names, strict=True)))
            if above.height:
                yield f"{label}{ABOVE}", above


def _pieces(path: Path, source: TableSource) -> Iterator[Sheet]:
    """A file or sheet in pieces of bounded size, where its kind allows; every file has one at least."""
    suffix = path.suffix.casefold()
    if suffix in TEXT_FILES and path.is_file():
        yield from read_text_batches(path, source)
    elif suffix == ".parquet" and path.is_file():
        height = _stored(path).select(pl.len()).collect().item()
        for first in range(0, max(height, 1), BATCH_ROWS):
            yield _parquet(path, first, BATCH_ROWS)
    else:
        yield _sheet(path, source)


def _sheet(path: Path, source: TableSource) -> Sheet:
    """One file or sheet, whole."""
    if not path.is_file():
        siblings = [file.name for file in path.parent.glob("*") if file.is_file()]
        raise StudyError(f"{path}: no such file{nearest(path.name, siblings)}.")
    suffix = path.suffix.casefold()
    if suffix == ".parquet":
        sheet = _parquet(path)
    elif suffix in WORKBOOKS:
        sheet = _of_workbook(path, source)
    elif suffix in TEXT_FILES:
        sheet = read_text_file(path, source)
    else:
        known = ", ".join((*TEXT_FILES, ".parquet", *WORKBOOKS))
        raise StudyError(f"{path.name}: files of this kind cannot be read; known are {known}.")
    return sheet


def _trimmed(sheet: Sheet) -> Sheet:
    trimmed = pl.all().str.strip_chars()
    filled = pl.when(trimmed != "").then(trimmed)
    count_rows("read", sheet.cells.height)
    cells = sheet.cells.lazy().select(filled).collect()  # lazy: trimmed once, though asked for twice
    return Sheet(sheet.above.select(filled), [n.strip() for n in sheet.header], cells)


def _of_workbook(path: Path, source: TableSource) -> Sheet:
    """A sheet counted from row 1, dates without a time as `YYYY-MM-DD`."""
    workbook = open_workbook(path)
    names = list(workbook.sheet_names)
    name = source.sheet or (names[0] if len(names) == 1 else None)
    if name is None:
        raise StudyError(
            f"{path.name}: which sheet? Say `sheet:` in the mapping; there are {', '.join(names)}."
        )
    if name not in names:
        raise StudyError(
            f"{path.name}: no sheet {name!r}{nearest(name, names)} Sheets there: {', '.join(names)}."
        )
    try:
        loaded = workbook.load_sheet(name, header_row=None, skip_rows=0, dtypes="string").to_polars()
    except Exception as problem:
        raise StudyError(
            f"{path.name} [{name}]: the sheet is not readable; save the workbook anew."
        ) from problem
    midnight = r"^(\d{4}-\d{2}-\d{2}) 00:00:00$"
    grid = loaded.select(pl.all().cast(pl.String).str.replace(midnight, "$1"))
    above, rows = grid.head(source.header_row - 1), grid.slice(source.header_row - 1)
    header = [name or "" for name in rows.row(0)] if rows.height else [""] * grid.width
    return Sheet(above, _with_merged(header, grid, path, name, source.header_row), rows.slice(1))


def _with_merged(header: list[str], grid: pl.DataFrame, path: Path, sheet: str, header_row: int) -> list[str]:
    """The header; an empty cell that is merged with one above it (a header over two rows) takes that one's text."""
    if header_row == 1 or all(header):
        return header
    layout = sheet_layouts(path).get(sheet)
    named = list(header)
    for number, text in enumerate(header, start=1):
        place = layout.header_cell(number, header_row) if layout and not text else None
        if place:
            named[number - 1] = grid.item(place[0] - 1, place[1] - 1) or ""
    return named


def _stored(path: Path) -> pl.LazyFrame:
    """A parquet file, not read yet; StudyError where it is none."""
    try:
        stored = pl.scan_parquet(path, glob=False)
        stored.collect_schema()
    except NOT_PARQUET as problem:
        raise StudyError(f"{path.name}: not readable as parquet; write it anew.") from problem
    return stored


def _parquet(path: Path, first: int = 0, n_rows: int | None = None) -> Sheet:
    stored = _stored(path)
    kinds = stored.collect_schema()
    nested = [name for name, kind in kinds.items() if kind.is_nested() or kind in (pl.Binary, pl.Object)]
    if nested:
        raise StudyError(
            f"{path.name}: column {nested[0]!r} holds no plain values. Leave it out of the file."
        )
    text = [_as_text(name, kind).alias(name) for name, kind in kinds.items()]
    try:
        cells = stored.slice(first, n_rows).select(text).collect()
    except NOT_PARQUET as problem:
        raise StudyError(f"{path.name}: not readable as parquet; write it anew.") from problem
    holds_nul = pl.any_horizontal(pl.all().str.contains("\0", literal=True).any())
    if cells.width and cells.select(holds_nul).item():
        raise StudyError(f"{path.name}: cells hold NUL bytes; write the file anew.")
    return Sheet(pl.DataFrame(), cells.columns, cells)


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    """A typed column as the text a person would write: ISO dates, whole numbers without `.0`."""
    column = pl.col(name)
    if kind.is_float():
        return column.cast(pl.String).str.strip_suffix(".0").replace("NaN", None)
    if isinstance(kind, pl.Datetime):
        return column.dt.to_string("%Y-%m-%d %H:%M:%S").str.strip_suffix(" 00:00:00")
    return column.cast(pl.String)
