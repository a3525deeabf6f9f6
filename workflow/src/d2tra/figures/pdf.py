"""A figure as pdf: of any size, its fonts embedded so that its words can be searched, copied and edited."""

from __future__ import annotations

import io as memory
from collections.abc import Iterator
from contextlib import contextmanager

from fontTools import subset  # type: ignore[import-untyped]
from matplotlib.backends.backend_pdf import Op, PdfFile, PdfPages
from matplotlib.figure import Figure

NOTHING = {"CreationDate": None, "Creator": None, "Producer": None}  # no date, user or program
LAYOUT_TABLES = [
    "GDEF",
    "GPOS",
    "GSUB",
    "MATH",
]  # how letters are set side by side: in a pdf they are set already


def pdf_of(figure: Figure, times: float, dots_per_inch: int) -> bytes:
    """Returns the figure on a page that is so many times as large; the same bytes every time."""
    with memory.BytesIO() as buffer:
        with _plainly_embedded_fonts(), _EnlargedPages(buffer, times) as pages:
            pages.savefig(figure, dpi=dots_per_inch)
        return buffer.getvalue()


class _EnlargedFile(PdfFile):
    times = 1.0

    def newPage(self, width: float, height: float) -> None:  # noqa: N802
        super().newPage(width * self.times, height * self.times)
        if self.times != 1:
            self.output(self.times, 0, 0, self.times, 0, 0, Op.concat_matrix)


class _EnlargedPages(PdfPages):
    """A pdf whose pages are so many times as large as the figures on them."""

    def __init__(self, file: memory.BytesIO, times: float) -> None:
        super().__init__(file, metadata=NOTHING)
        self._file = _EnlargedFile(file, metadata=NOTHING)
        self._file.times = times


@contextmanager
def _plainly_embedded_fonts() -> Iterator[None]:
    """To read the layout tables of every font of every figure would be a third of the time of drawing."""
    dropped = subset.Options._drop_tables_default
    subset.Options._drop_tables_default = [*dropped, *LAYOUT_TABLES]
    try:
        yield
    finally:
        subset.Options._drop_tables_default = dropped
