"""Reading raw files as text: every cell exactly as the file writes it, with the row a spreadsheet would show."""

from __future__ import annotations

import csv
import io
import itertools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree

import fastexcel
import polars as pl

from d2tra.errors import StudyError, nearest
from d2tra.extract.site import SiteMapping, TableSource

TEXT_FILES = (".csv", ".tsv", ".txt")
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
DELIMITERS = (",", ";", "\t", "|")
SNIFFED_ROWS = 20
LONGEST_CELL = 10_000_000


def source_label(path: Path, source: TableSource) -> str:
    """Returns how messages call a source: `labs.csv`, or `register.xlsx [Biologics]` for a sheet."""
    return f"{path.name} [{source.sheet}]" if source.sheet else path.name


def sheet_names(path: Path) -> list[str]:
    """Returns the names of a workbook's sheets, hidden ones too, in their order; StudyError if it is no workbook."""
    return list(_workbook(path).sheet_names)


def read_cells(path: Path, source: TableSource) -> pl.DataFrame:
    """Returns one source as text: its columns (String, trimmed, empty = null) and `source_row` (Int64) last.

    `source_row` counts as a spreadsheet does: the header of `header_row: 1` is row 1, the first data row is 2;
    rows without any filled cell are left out, the numbering goes on. Dates of a workbook or a parquet file become
    ISO text, whole numbers lose their `.0`. StudyError where the file cannot be read as one table: absent, empty,
    not in its encoding, no such sheet, rows of unequal length, two columns of one name, cells without a header.
    """
    label = source_label(path, source)
    header, cells = _table(path, source)
    named: dict[str, int] = {}
    for number, (name, column) in enumerate(zip(header, cells.columns, strict=True), start=1):
        if not name:
            if cells[column].null_count() < cells.height:
                raise StudyError(
                    f"{label}: column {number} has cells but no header in row {source.header_row}. "
                    "Name it, or say `header_row:` in the mapping."
                )
        elif name in named:
            raise StudyError(
                f"{label}: columns {named[name]} and {number} are both named {name!r}. Rename one of them."
            )
        else:
            named[name] = number
    if not named:
        raise StudyError(
            f"{label}: row {source.header_row} holds no header. Say `header_row:` in the mapping."
        )
    if "source_row" in named:
        raise StudyError(f"{label}: a column is named 'source_row', a name this program needs. Rename it.")
    columns = [pl.col(cells.columns[number - 1]).alias(name) for name, number in named.items()]
    rows = cells.with_row_index("source_row", offset=source.header_row + 1)
    table = rows.select(*columns, pl.col("source_row").cast(pl.Int64))
    return table.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in named))


def all_cells(path: Path, site: SiteMapping) -> dict[str, pl.DataFrame]:
    """Returns everything a file holds, for the identifier screen: label → frame of text columns.

    A workbook gives all its sheets (mapped or not, hidden or not; header in row 1 unless the mapping says otherwise),
    a file one frame. A column without a header is called `column <number>`, the second of one name `<name> [<number>]`.
    What stands above a header comes as a frame of its own, labelled `<label>, above the header`.
    """
    sources = [
        source
        for declared in site.sources().values()
        for source in declared
        if site.file_path(source) == path
    ]
    if path.suffix.casefold() in WORKBOOKS:
        declared_rows = {source.sheet: source.header_row for source in sources}
        sheets = sheet_names(path)
        only = declared_rows.get(None, 1) if len(sheets) == 1 else 1
        sources = [
            TableSource(file=path.name, sheet=sheet, header_row=declared_rows.get(sheet, only))
            for sheet in sheets
        ]
    frames: dict[str, pl.DataFrame] = {}
    for source in sources or [TableSource(file=path.name)]:
        label = source_label(path, source)
        if label in frames:
            continue
        if path.suffix.casefold() in WORKBOOKS and _sheet(path, source).is_empty():
            continue
        header, cells = _table(path, source)
        names: list[str] = []
        for number, name in enumerate(header, start=1):
            name = name or f"column {number}"
            names.append(f"{name} [{number}]" if name in names else name)
        frames[label] = cells.rename(dict(zip(cells.columns, names, strict=True)))
        above = _above_header(path, source)
        if above.height:
            frames[f"{label}, above the header"] = above
    return frames


def document_properties(path: Path) -> dict[str, str]:
    """Returns the filled properties of an .xlsx or .xlsm (creator, company, keywords, own ones …); else empty."""
    if path.suffix.casefold() not in (".xlsx", ".xlsm"):
        return {}
    properties: dict[str, str] = {}
    try:
        with zipfile.ZipFile(path) as parts:
            for part in ("docProps/core.xml", "docProps/app.xml", "docProps/custom.xml"):
                if part not in parts.namelist():
                    continue
                for entry in ElementTree.fromstring(parts.read(part)):
                    text = " ".join(piece.strip() for piece in entry.itertext() if piece.strip())
                    if text:
                        properties[entry.get("name") or entry.tag.rpartition("}")[2]] = text
    except (zipfile.BadZipFile, ElementTree.ParseError, OSError) as problem:
        raise StudyError(f"{path.name}: the workbook is damaged; save it anew.") from problem
    return properties


def _table(path: Path, source: TableSource) -> tuple[list[str], pl.DataFrame]:
    """Header names (empty where there is none) and all rows below, empty ones too, as trimmed text."""
    if not path.is_file():
        siblings = (
            [file.name for file in path.parent.glob("*") if file.is_file()] if path.parent.is_dir() else []
        )
        raise StudyError(f"{path}: no such file{nearest(path.name, siblings)}.")
    suffix = path.suffix.casefold()
    if suffix == ".parquet":
        header, cells = _parquet(path)
    elif suffix in WORKBOOKS:
        grid = _sheet(path, source)
        if grid.height < source.header_row:
            raise StudyError(
                f"{source_label(path, source)}: the sheet has no row {source.header_row} (the header)."
            )
        first = grid.row(source.header_row - 1)
        header, cells = [(name or "").strip() for name in first], grid.slice(source.header_row)
    elif suffix in TEXT_FILES:
        header, cells = _delimited(path, source)
    else:
        known = ", ".join((*TEXT_FILES, ".parquet", *WORKBOOKS))
        raise StudyError(f"{path.name}: files of this kind cannot be read; known are {known}.")
    trimmed = pl.all().str.strip_chars()
    return header, cells.with_columns(pl.when(trimmed != "").then(trimmed))


def _above_header(path: Path, source: TableSource) -> pl.DataFrame:
    """The filled cells above the header row, in columns called by their number."""
    if source.header_row == 1 or path.suffix.casefold() == ".parquet":
        return pl.DataFrame()
    if path.suffix.casefold() in WORKBOOKS:
        rows: list[list[str | None]] = [
            list(row) for row in _sheet(path, source).head(source.header_row - 1).rows()
        ]
    else:
        text = _decoded(path, source)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(path, source, text))
        rows = [list(row) for row in itertools.islice(reader, source.header_row - 1)]
    columns = itertools.zip_longest(*rows)
    above = pl.DataFrame(
        {f"column {number}": cells for number, cells in enumerate(columns, start=1)}, schema_overrides=None
    )
    return above.select(pl.all().cast(pl.String).str.strip_chars().replace("", None))


def _parquet(path: Path) -> tuple[list[str], pl.DataFrame]:
    try:
        stored = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as problem:
        raise StudyError(f"{path.name}: not readable as parquet; write it anew.") from problem
    nested = [
        name for name, kind in stored.schema.items() if kind.is_nested() or kind in (pl.Binary, pl.Object)
    ]
    if nested:
        raise StudyError(
            f"{path.name}: column {nested[0]!r} holds no plain values. Leave it out of the file."
        )
    cells = stored.select(_as_text(name, kind).alias(name) for name, kind in stored.schema.items())
    holds_nul = pl.any_horizontal(pl.all().str.contains("\0", literal=True).any())
    if cells.width and cells.select(holds_nul).item():
        raise StudyError(f"{path.name}: cells hold NUL bytes; write the file anew.")
    return [name.strip() for name in cells.columns], cells


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    """A typed column as the text a person would write: ISO dates, whole numbers without `.0`."""
    column = pl.col(name)
    if kind.is_float():
        return column.cast(pl.String).str.strip_suffix(".0").replace("NaN", None)
    if isinstance(kind, pl.Datetime):
        return column.dt.to_string("%Y-%m-%d %H:%M:%S").str.strip_suffix(" 00:00:00")
    return column.cast(pl.String)


def _workbook(path: Path) -> fastexcel.ExcelReader:
    if not path.is_file():
        raise StudyError(f"{path}: no such file.")
    try:
        return fastexcel.read_excel(path)
    except Exception as problem:  # fastexcel raises its own kinds for damaged, protected and foreign files
        raise StudyError(
            f"{path.name}: not readable as a workbook (damaged, protected by a password, or another kind of file)."
        ) from problem


def _sheet(path: Path, source: TableSource) -> pl.DataFrame:
    """All cells of a sheet from row 1 on, as text; dates without a time as `YYYY-MM-DD`."""
    workbook = _workbook(path)
    names = list(workbook.sheet_names)
    sheet = source.sheet or (names[0] if len(names) == 1 else None)
    if sheet is None:
        raise StudyError(
            f"{path.name}: which sheet? Say `sheet:` in the mapping; there are {', '.join(names)}."
        )
    if sheet not in names:
        raise StudyError(
            f"{path.name}: no sheet {sheet!r}{nearest(sheet, names)} Sheets there: {', '.join(names)}."
        )
    try:
        loaded = workbook.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string")
    except Exception as problem:
        raise StudyError(
            f"{path.name} [{sheet}]: the sheet is not readable; save the workbook anew."
        ) from problem
    midnight = r"^(\d{4}-\d{2}-\d{2}) 00:00:00$"
    return loaded.to_polars().select(pl.all().cast(pl.String).str.replace(midnight, "$1"))


def _delimited(path: Path, source: TableSource) -> tuple[list[str], pl.DataFrame]:
    """Header and rows of a delimited text file: read by polars, or row by row where polars cannot or must not."""
    text = _decoded(path, source)
    delimiter = _delimiter(path, source, text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = next(itertools.islice(reader, source.header_row - 1, None), [])
    except csv.Error:
        _rows(path, source, text, delimiter)
        raise
    if not any(name.strip() for name in header):
        raise StudyError(f"{path.name}: row {source.header_row} holds no header. Is the file empty?")
    names = [name.strip() for name in header]
    before = _lines_before(text, delimiter, source.header_row)
    try:
        cells = pl.read_csv(
            text.encode(),
            has_header=False,
            infer_schema=False,
            separator=delimiter,
            skip_lines=before,
            truncate_ragged_lines=False,
        )
    except pl.exceptions.PolarsError:
        return names, _rows(path, source, text, delimiter)
    if cells.width != len(header) or not _is_even(text, cells, delimiter, before):
        return names, _rows(path, source, text, delimiter)
    return names, cells.slice(1)


def _is_even(text: str, cells: pl.DataFrame, delimiter: str, before: int) -> bool:
    """Whether every row surely has all its cells (polars fills up short rows in silence) and every quote closes.

    Then the file holds exactly width − 1 delimiters per row beyond those inside quoted cells.
    """
    quotes = text.count('"')
    if quotes % 2 or cells.select(pl.all_horizontal(pl.all().is_null()).any()).item():
        return False
    expected = (cells.width - 1) * cells.height
    if quotes:
        inside = pl.sum_horizontal(pl.all().str.count_matches(delimiter, literal=True).sum())
        expected += cells.select(inside).item()
    skipped = "".join(itertools.islice(io.StringIO(text, newline=""), before))
    return text.count(delimiter) - skipped.count(delimiter) == expected


def _rows(path: Path, source: TableSource, text: str, delimiter: str) -> pl.DataFrame:
    """The rows below the header read one by one; StudyError naming the first row that is no row of the table."""
    label, first = path.name, source.header_row
    rows: list[list[str]] = []
    number = 0
    try:
        for number, row in enumerate(
            csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1
        ):
            if number >= first:
                rows.append(row)
    except csv.Error as problem:
        raise StudyError(
            f"{label}: row {number + 1} holds a quotation mark that is not closed or not doubled. Export it anew."
        ) from problem
    width = len(rows[0]) if rows else 0
    uneven = [number for number, row in enumerate(rows, first) if row and len(row) != width]
    if uneven:
        raise StudyError(
            f"{label}: row {uneven[0]} has {len(rows[uneven[0] - first])} cells, the header has {width}"
            f" ({len(uneven)} such rows). A delimiter is missing or stands unquoted inside a cell."
        )
    filled = [row or [""] * width for row in rows[1:]]
    return pl.DataFrame(filled, schema={f"column_{i}": pl.String for i in range(width)}, orient="row")


def _lines_before(text: str, delimiter: str, header_row: int) -> int:
    """How many lines stand above the header: more than rows, if a quoted title has line breaks."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    for _ in range(header_row - 1):
        next(reader)
    return reader.line_num


def _decoded(path: Path, source: TableSource) -> str:
    """The text of a file with \\n line ends kept as they are; StudyError where it is not in its encoding."""
    if not path.is_file():
        raise StudyError(f"{path}: no such file.")
    content = path.read_bytes()
    try:
        text = content.decode(source.encoding).removeprefix("\ufeff")
    except LookupError:
        raise StudyError(
            f"{path.name}: key 'encoding': {source.encoding!r} is no known encoding. Examples: utf-8, cp1252, utf-16."
        ) from None
    except UnicodeDecodeError as problem:
        _undecodable(path, source, content[: problem.start].count(b"\n") + 1, content)
    if "\0" in text:
        _undecodable(path, source, text[: text.index("\0")].count("\n") + 1, content)
    if not text.strip():
        raise StudyError(f"{path.name}: the file is empty.")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return text.rstrip("\r\n") + "\n"


def _undecodable(path: Path, source: TableSource, line: int, content: bytes) -> NoReturn:
    if content.startswith(b"PK\x03\x04"):
        advice = f"It is a workbook or archive, not text; name it .xlsx, not {path.suffix}."
    elif content.startswith((b"\xff\xfe", b"\xfe\xff")):
        advice = "It looks like UTF-16; say `encoding: utf-16` in the mapping or save it as UTF-8."
    elif b"\0" in content:
        advice = "It holds NUL bytes, so it is damaged or no text file; export it anew."
    else:
        advice = "Save it as UTF-8, or say its encoding in the mapping (`encoding: cp1252` for older Windows files)."
    raise StudyError(f"{path.name}, line {line}: not readable as {source.encoding} text. {advice}")


def _delimiter(path: Path, source: TableSource, text: str) -> str:
    """The declared delimiter, a tab for .tsv, or the one by which the first rows split into most even cells."""
    if source.delimiter is not None:
        named = {"tab": "\t", "\\t": "\t"}.get(source.delimiter, source.delimiter)
        if len(named) != 1:
            raise StudyError(f"{path.name}: key 'delimiter' is one character, found {source.delimiter!r}.")
        return named
    if path.suffix.casefold() == ".tsv":
        return "\t"

    def evenness(delimiter: str) -> tuple[bool, int]:
        widths = [len(row) for row in _first_rows(text, delimiter, source.header_row)]
        return widths[:1] != [1] and len(set(widths)) == 1, widths[0] if widths else 0

    return max(DELIMITERS, key=evenness)


def _first_rows(text: str, delimiter: str, header_row: int) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        yield from filter(None, itertools.islice(reader, header_row - 1, header_row + SNIFFED_ROWS))
    except csv.Error:
        return


csv.field_size_limit(LONGEST_CELL)  # a free-text cell may be long; only an unclosed quote is longer
