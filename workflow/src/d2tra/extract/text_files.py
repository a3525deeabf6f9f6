"""Delimited text files: in any encoding, with any of the usual delimiters, whole or batch by batch."""

from __future__ import annotations

import codecs
import csv
import functools
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import polars as pl

from d2tra.errors import StudyError
from d2tra.extract.site import TableSource

TEXT_FILES = (".csv", ".tsv", ".txt")
DELIMITERS = (",", ";", "\t", "|")
SNIFFED_ROWS = 20
BYTE_ORDER_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
PIECE = 1 << 24  # bytes of a text file read at a time
csv.field_size_limit(10_000_000)  # a free-text cell may be long; only an unclosed quote is longer


class Sheet(NamedTuple):
    """A sheet or file as text: the rows above the header, the header ("" where empty), and all rows below it."""

    above: pl.DataFrame
    header: list[str]
    cells: pl.DataFrame


def read_text_file(path: Path, source: TableSource) -> Sheet:
    """Returns a text file, read by polars, or row by row where polars cannot or would fill up short rows in silence."""
    content = _in_utf8(path, source)
    delimiter = _delimiter(path, source, content)
    titles, header, content = _from_header(content, source, delimiter)
    if not any(map(str.strip, header)):
        return Sheet(titles, [], pl.DataFrame())
    cells = _cells(content, delimiter, len(header))
    if cells is None:
        cells = _rows(path, content, delimiter, source.header_row)
    return Sheet(titles, header, cells.slice(1))


def dialect(path: Path, source: TableSource) -> tuple[str, bool]:
    """Returns what separates the cells of a text file, and whether it begins with a byte-order mark."""
    pieces = _pieces(path, source.encoding) if path.stat().st_size > PIECE else iter([None])
    delimiter = _delimiter(path, source, next(pieces) or _in_utf8(path, source))
    with path.open("rb") as file:
        return delimiter, file.read(3).startswith(BYTE_ORDER_MARKS)


def read_text_batches(path: Path, source: TableSource) -> Iterator[Sheet]:
    """Yields a text file piece by piece, in bounded memory; what stands above the header comes with the first piece.

    Where no clean piece can be cut, the rest comes as `read_text_file` gives it, or fails as it does.
    """
    n_given = 0
    pieces = _pieces(path, source.encoding) if path.stat().st_size > PIECE else iter([None])
    if first := next(pieces):
        delimiter = _delimiter(path, source, first)
        titles, header, piece = _from_header(first, source, delimiter)
        cells = _whole_rows(path, piece, delimiter, len(header)) if any(map(str.strip, header)) else None
        while cells is not None:
            yield Sheet(titles, header, cells.slice(1))
            n_given, titles = n_given + cells.height - 1, pl.DataFrame()
            following = next(pieces)
            if following == b"":
                return
            stands_for_header = delimiter.join("h" * len(header)).encode() + b"\n"
            cells = (
                _whole_rows(path, stands_for_header + following, delimiter, len(header))
                if following
                else None
            )
    whole = read_text_file(path, source)
    above = pl.DataFrame() if n_given else whole.above
    yield Sheet(above, whole.header, whole.cells.slice(n_given))


def _whole_rows(path: Path, piece: bytes, delimiter: str, width: int) -> pl.DataFrame | None:
    """The rows of a piece; None where they are not all of that many cells."""
    cells = _cells(piece, delimiter, width)
    if cells is None:
        try:
            cells = _rows(path, piece, delimiter, 1)
        except StudyError:
            return None
    return cells if cells.width == width else None


def _pieces(path: Path, encoding: str) -> Iterator[bytes | None]:
    """A text in UTF-8, cut after whole rows; b"" at its end, None where it is no plain text or cannot be cut."""
    rest = ""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        with path.open("rb") as file:
            for number, read in enumerate(iter(functools.partial(file.read, PIECE), b"")):
                rest += decoder.decode(read)
                rest = rest.removeprefix("\ufeff") if number == 0 else rest
                end = _end_of_rows(rest)
                if "\0" in rest or not end or len(rest) > 4 * PIECE:
                    break
                yield rest[:end].encode()
                rest = rest[end:]
            else:
                rest = (rest + decoder.decode(b"", final=True)).rstrip("\r\n")
                yield from [rest.encode(), b""] if rest else [b""]
    except (LookupError, UnicodeError, AttributeError, TypeError):
        pass  # said in words by whoever reads the whole
    yield None


def _end_of_rows(text: str) -> int:
    """Where the last whole row ends: behind a line end that no open quotation mark comes before; 0 where there is none."""
    end = text.rfind("\n") + 1
    if text.count('"', 0, end) % 2:
        end = text.rfind("\n", 0, text.rfind('"', 0, end)) + 1
    return 0 if text.count('"', 0, end) % 2 else end


def _from_header(
    content: bytes, source: TableSource, delimiter: str
) -> tuple[pl.DataFrame, list[str], bytes]:
    """What stands above the header, the header, and the text from there on."""
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
    return titles, header, content[start:]


def _cells(content: bytes, delimiter: str, width: int) -> pl.DataFrame | None:
    """The header and all rows as polars reads them; None where some row may not have exactly `width` cells."""
    try:
        cells = pl.read_csv(content, has_header=False, infer_schema=False, separator=delimiter)
    except pl.exceptions.PolarsError:
        return None
    return cells if cells.width == width and _is_even(content, cells, delimiter) else None


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
    except UnicodeError as problem:  # some codecs do not say where
        start = getattr(problem, "start", 0)
        _undecodable(path, source, content[:start].count(b"\n") + 1, content)
    if "\0" in text:
        _undecodable(path, source, text[: text.index("\0")].count("\n") + 1, content)
    if "\n" not in text:
        text = text.replace("\r", "\n")  # line ends of old Macintosh exports
    text = text.removeprefix("\ufeff").rstrip("\r\n")
    if not text.strip():
        raise StudyError(f"{path.name}: the file is empty.")
    return text.encode()


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
