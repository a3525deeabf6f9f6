"""Reading raw files as text: every cell exactly as the file writes it, with the row a spreadsheet would show."""

from __future__ import annotations

import csv
import io
import itertools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn
from xml.etree import ElementTree

import polars as pl

from d2tra.errors import StudyError, nearest
from d2tra.extract.site import SiteMapping, TableSource
from d2tra.extract.workbooks import open_workbook, sheet_names

TEXT_FILES = (".csv", ".tsv", ".txt")
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
DELIMITERS = (",", ";", "\t", "|")
SNIFFED_ROWS = 20
csv.field_size_limit(10_000_000)  # a free-text cell may be long; only an unclosed quote is longer


class Sheet(NamedTuple):
    """A sheet or file as text: the rows above the header, the header ("" where empty), and all rows below it."""

    above: pl.DataFrame
    header: list[str]
    cells: pl.DataFrame


def source_label(path: Path, source: TableSource) -> str:
    """Returns how messages call a source: `labs.csv`, or `register.xlsx [Biologics]` for a sheet."""
    return f"{path.name} [{source.sheet}]" if source.sheet else path.name


def read_cells(path: Path, source: TableSource) -> pl.DataFrame:
    """Returns one source as text: its columns (String, trimmed, empty = null) and `source_row` (Int64) last.

    `source_row` counts as a spreadsheet does: the header of `header_row: 1` is row 1, the first data row is 2;
    rows without any filled cell are left out, the numbering goes on. Dates of a workbook or a parquet file become
    ISO text, whole numbers lose their `.0`. StudyError where the file cannot be read as one table: absent, empty,
    not in its encoding, no such sheet, rows of unequal length, two columns of one name, cells without a header.
    """
    label = source_label(path, source)
    _, header, cells = _sheet(path, source)
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
        if name in named:
            raise StudyError(
                f"{label}: columns {named[name]} and {number} are both named {name!r}. Rename one of them."
            )
        if name:
            named[name] = number
    if "source_row" in named:
        raise StudyError(f"{label}: a column is named 'source_row', a name this program needs. Rename it.")
    columns = [pl.col(cells.columns[number - 1]).alias(name) for name, number in named.items()]
    rows = cells.with_row_index("source row", offset=source.header_row + 1)
    table = rows.select(*columns, pl.col("source row").cast(pl.Int64).alias("source_row"))
    return table.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in named))


def all_cells(path: Path, site: SiteMapping) -> dict[str, pl.DataFrame]:
    """Returns everything a file holds, for the identifier screen: label → frame of text columns.

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
    frames: dict[str, pl.DataFrame] = {}
    for source in declared or [TableSource(file=path.name)]:
        label = source_label(path, source)
        if label in frames:
            continue
        above, header, cells = _sheet(path, source)
        names: list[str] = []
        for number, name in enumerate(header, start=1):
            name = name or f"column {number}"
            names.append(f"{name} [{number}]" if name in names else name)
        frames[label] = cells.rename(dict(zip(cells.columns, names, strict=True)))
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


def _sheet(path: Path, source: TableSource) -> Sheet:
    """One file or sheet, its cells trimmed and null where empty."""
    if not path.is_file():
        siblings = [file.name for file in path.parent.glob("*") if file.is_file()]
        raise StudyError(f"{path}: no such file{nearest(path.name, siblings)}.")
    suffix = path.suffix.casefold()
    if suffix == ".parquet":
        sheet = _parquet(path)
    elif suffix in WORKBOOKS:
        sheet = _of_workbook(path, source)
    elif suffix in TEXT_FILES:
        sheet = _delimited(path, source)
    else:
        known = ", ".join((*TEXT_FILES, ".parquet", *WORKBOOKS))
        raise StudyError(f"{path.name}: files of this kind cannot be read; known are {known}.")
    trimmed = pl.all().str.strip_chars()
    filled = pl.when(trimmed != "").then(trimmed)
    return Sheet(sheet.above.select(filled), [n.strip() for n in sheet.header], sheet.cells.select(filled))


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
    return Sheet(above, header, rows.slice(1))


def _delimited(path: Path, source: TableSource) -> Sheet:
    """A text file, read by polars, or row by row where polars cannot or would fill up short rows in silence."""
    content = _in_utf8(path, source)
    delimiter = _delimiter(path, source, content)
    first_rows = csv.reader(_lines(content), delimiter=delimiter)
    try:
        above = list(itertools.islice(first_rows, source.header_row - 1))
        lines_above = first_rows.line_num
        header = next(first_rows, [])
    except csv.Error:
        above, lines_above, header = [], 0, ["unreadable"]
    titles = pl.DataFrame(
        {f"column {i}": cells for i, cells in enumerate(itertools.zip_longest(*above), start=1)}
    ).cast(pl.String)
    start = sum(len(line.encode()) for line in itertools.islice(_lines(content), lines_above))
    content = content[start:]
    if not any(map(str.strip, header)):
        return Sheet(titles, [], pl.DataFrame())
    try:
        cells = pl.read_csv(content, has_header=False, infer_schema=False, separator=delimiter)
        whole = cells.width == len(header) and _is_even(content, cells, delimiter)
    except pl.exceptions.PolarsError:
        whole = False
    if not whole:
        cells = _rows(path, content, delimiter, source.header_row)
    return Sheet(titles, header, cells.slice(1))


def _is_even(content: bytes, cells: pl.DataFrame, delimiter: str) -> bool:
    """Whether every row surely has all its cells and every quotation mark is closed.

    Then the file holds exactly width − 1 delimiters per row, and those inside quoted cells. A row without any filled
    cell leaves it open (a blank line, or a line of delimiters), hence False.
    """
    quotes = content.count(b'"')
    if quotes % 2 or cells.select(pl.all_horizontal(pl.all().is_null()).any()).item():
        return False
    expected: int = (cells.width - 1) * cells.height
    if quotes:
        inside = pl.sum_horizontal(pl.all().str.count_matches(delimiter, literal=True).sum())
        expected += cells.select(inside).item()
    return content.count(delimiter.encode()) == expected


def _rows(path: Path, content: bytes, delimiter: str, header_row: int) -> pl.DataFrame:
    """The header and all rows, read one by one; StudyError naming the first row that is none of the table."""
    rows: list[list[str]] = []
    try:
        rows.extend(csv.reader(_lines(content), delimiter=delimiter, strict=True))
    except csv.Error as problem:
        raise StudyError(
            f"{path.name}, row {header_row + len(rows)}: a quotation mark is not closed or not doubled. Export it anew."
        ) from problem
    width = len(rows[0])
    rows = [row if any(map(str.strip, row)) else [""] * width for row in rows]
    uneven = [number for number, row in enumerate(rows) if len(row) != width]
    if uneven:
        raise StudyError(
            f"{path.name}, row {header_row + uneven[0]}: {len(rows[uneven[0]])} cells where the header has {width}"
            f" ({len(uneven)} such rows). A delimiter is missing, or stands inside a cell without quotation marks."
        )
    schema = {f"column_{i}": pl.String for i in range(width)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _lines(content: bytes) -> Iterator[str]:
    """The lines of a text, each with its end."""
    return (line.decode() for line in io.BytesIO(content))


def _in_utf8(path: Path, source: TableSource) -> bytes:
    """A text file in UTF-8 without byte-order mark and trailing blank lines; StudyError where it is no such text."""
    content = path.read_bytes()
    try:
        text = content.decode(source.encoding)
    except LookupError:
        raise StudyError(
            f"{path.name}: key 'encoding': {source.encoding!r} is no known encoding. Examples: utf-8, cp1252, utf-16."
        ) from None
    except UnicodeDecodeError as problem:
        _undecodable(path, source, content[: problem.start].count(b"\n") + 1, content)
    if "\0" in text:
        _undecodable(path, source, text[: text.index("\0")].count("\n") + 1, content)
    if "\n" not in text:
        text = text.replace("\r", "\n")  # line ends of old Macintosh exports
    text = text.removeprefix("\ufeff").rstrip("\r\n")
    if not text.strip():
        raise StudyError(f"{path.name}: the file is empty.")
    return text.encode()


def _parquet(path: Path) -> Sheet:
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
    return Sheet(pl.DataFrame(), cells.columns, cells)


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    """A typed column as the text a person would write: ISO dates, whole numbers without `.0`."""
    column = pl.col(name)
    if kind.is_float():
        return column.cast(pl.String).str.strip_suffix(".0").replace("NaN", None)
    if isinstance(kind, pl.Datetime):
        return column.dt.to_string("%Y-%m-%d %H:%M:%S").str.strip_suffix(" 00:00:00")
    return column.cast(pl.String)


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


def _delimiter(path: Path, source: TableSource, content: bytes) -> str:
    """The declared delimiter, a tab for .tsv, or the one by which the first rows split into most cells, evenly."""
    if source.delimiter is not None:
        named = {"tab": "\t", "\\t": "\t"}.get(source.delimiter, source.delimiter)
        if len(named.encode()) != 1:
            raise StudyError(f"{path.name}: key 'delimiter' is one character, found {source.delimiter!r}.")
        return named
    if path.suffix.casefold() == ".tsv":
        return "\t"

    def evenness(delimiter: str) -> tuple[bool, int]:
        rows = csv.reader(_lines(content), delimiter=delimiter)
        last = source.header_row + SNIFFED_ROWS
        try:
            widths = [len(row) for row in itertools.islice(rows, source.header_row - 1, last) if row]
        except csv.Error:
            widths = []
        header = widths[0] if widths else 0
        return header > 1 and len(set(widths)) == 1, header

    return max(DELIMITERS, key=evenness)
