"""Opening a workbook, with a plain word where it is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from d2tra.errors import StudyError

if TYPE_CHECKING:
    import fastexcel


def open_workbook(path: Path) -> fastexcel.ExcelReader:
    """Returns the opened workbook; StudyError if there is none of that name, or it is not readable as one."""
    import fastexcel  # only a site that hands over a workbook pays for it

    if not path.is_file():
        raise StudyError(f"{path}: no such file.")
    try:
        return fastexcel.read_excel(path)
    except Exception as problem:  # fastexcel raises its own kinds for damaged, protected and foreign files
        raise StudyError(
            f"{path.name}: not readable as a workbook (damaged, protected by a password, or another kind of file)."
        ) from problem


def sheet_names(path: Path) -> list[str]:
    """Returns the names of a workbook's sheets, hidden ones too, in their order."""
    return list(open_workbook(path).sheet_names)
