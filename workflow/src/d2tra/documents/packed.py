"""Office files are zip archives: the same parts, packed so that the same content gives the same bytes."""

from __future__ import annotations

import datetime as dt
import io
import zipfile

MADE_ON = dt.datetime(2000, 1, 1)  # a document of the same content is the same document, whenever it is made
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first time that a zip archive can tell


def repacked(archive: bytes) -> bytes:
    """Returns the archive with its parts in their order and without the time at which each was packed."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as given,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in given.namelist():
            part = zipfile.ZipInfo(name, EARLIEST)
            part.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(part, given.read(name))
    return packed.getvalue()
