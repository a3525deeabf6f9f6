"""Opening a workbook, with a plain word where it is none, or one that would fill the memory."""

from __future__ import annotations

import re
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from d2tra.errors import StudyError

if TYPE_CHECKING:
    import fastexcel

MOST_BYTES = 2_000_000_000  # of all parts, unpacked
MOST_TIMES = 300  # a part of more than SMALL bytes is never packed tighter by an office program
SMALL = 20_000_000
MOST_CELLS = (
    50_000_000  # of the rectangle a sheet fills from A1, empty ones too: they take memory all the same
)
PIECE = 1 << 20
COLUMN = re.compile(rb'\br="([A-Z]{1,3})[0-9]')
ROW = re.compile(rb'\br="[A-Z]{0,3}([0-9]{1,9})"')


def open_workbook(path: Path) -> fastexcel.ExcelReader:
    """Returns the opened workbook; StudyError if there is none of that name, it is not readable as one, or is a bomb."""
    import fastexcel  # only a site that hands over a workbook pays for it

    if not path.is_file():
        raise StudyError(f"{path}: no such file.")
    try:
        written = path.stat()
        _check_parts(path, written.st_size, written.st_mtime_ns)
        return fastexcel.read_excel(path)
    except StudyError:
        raise
    except Exception as problem:  # fastexcel raises its own kinds for damaged, protected and foreign files
        raise StudyError(
            f"{path.name}: not readable as a workbook (damaged, protected by a password, or another kind of file)."
        ) from problem


def sheet_names(path: Path) -> list[str]:
    """Returns the names of a workbook's sheets, hidden ones too, in their order."""
    return list(open_workbook(path).sheet_names)


@lru_cache(maxsize=64)
def _check_parts(path: Path, *_state: int) -> None:
    """StudyError for a zipped workbook that unpacks to gigabytes, lies about it, is damaged, or holds a cell far out.

    Sizes are checked as declared, before anything is unpacked; then every part is unpacked once, in pieces, against
    its declared size and checksum. `_state` (size, time) makes a changed file another one.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as parts:
            infos = parts.infolist()
            is_bomb = sum(info.file_size for info in infos) > MOST_BYTES or any(
                info.file_size > max(SMALL, MOST_TIMES * info.compress_size) for info in infos
            )
            if is_bomb:
                raise StudyError(
                    f"{path.name}: unpacked, it would take gigabytes; no register does. Export the tables as csv."
                )
            for info in infos:
                _check_part(parts, info, path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as problem:
        raise StudyError(f"{path.name}: the workbook is damaged; save it anew.") from problem


def _check_part(parts: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    is_sheet = "worksheets/" in info.filename and info.filename.endswith(".xml")
    last_column, last_row, tail = 1, 1, b""
    with parts.open(info) as part:
        while piece := part.read(PIECE):
            if is_sheet:
                piece = tail + piece
                last_column = max(last_column, *map(_column_number, {b"A", *COLUMN.findall(piece)}))
                last_row = max(last_row, *map(int, {b"1", *ROW.findall(piece)}))
                tail = piece[-40:]
    if last_column * last_row > MOST_CELLS:
        raise StudyError(
            f"{path.name}: a sheet reaches as far as row {last_row:,}, column {last_column:,}. Delete the rows and columns"
            " beyond the table, or export it as csv."
        )


def _column_number(letters: bytes) -> int:
    """`A` is 1, `XFD` 16,384."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number
