"""The look of every figure, from config/style.yaml, and how a figure becomes files that are the same every time."""

from __future__ import annotations

import io as memory
import re
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from pydantic import Field

from d2tra.config import Closed, FigureSize, parse, setting, setting_path
from d2tra.figures.pdf import pdf_of

MM_PER_INCH = 25.4


class Watermark(Closed):
    """The word across a figure of synthetic data."""

    colour: str
    opacity: float = Field(gt=0, le=1)
    size_pt: float
    angle: float


class Style(Closed):
    """config/style.yaml, checked."""

    font_family: str
    font_size_pt: float = Field(ge=8)
    title_size_pt: float
    width_mm: dict[str, float]
    dots_per_inch: int
    tiff_dots_per_inch: int
    sizes: dict[FigureSize, float]
    line_width_pt: float
    colours: dict[str, str]
    severity: dict[str, str]
    watermark: Watermark

    @property
    def series(self) -> list[str]:
        """The colours of things side by side, in an order in which neighbours differ in grey too."""
        return [self.colours[name] for name in ("main", "second", "third", "fourth", "pale")]

    def settings(self) -> Any:
        """Returns the matplotlib settings; a fixed salt makes the ids inside an svg the same every time."""
        return {
            "font.family": self.font_family,
            "font.size": self.font_size_pt,
            "axes.titlesize": self.title_size_pt,
            "axes.linewidth": self.line_width_pt,
            "axes.edgecolor": self.colours["ink"],
            "axes.labelcolor": self.colours["ink"],
            "text.color": self.colours["ink"],
            "xtick.color": self.colours["ink"],
            "ytick.color": self.colours["ink"],
            "axes.spines.top": False,
            "axes.spines.right": False,
            "lines.linewidth": self.line_width_pt,
            "svg.hashsalt": "d2tra",
            "svg.fonttype": "none",
            "pdf.fonttype": 42,
        }

    def figure(self, width: str, height_mm: float) -> Figure:
        """Returns an empty figure of a named width and a height in mm, laid out so that nothing is cut off."""
        size = (self.width_mm[width] / MM_PER_INCH, height_mm / MM_PER_INCH)
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        return figure


def load_style() -> Style:
    """Returns the checked style; StudyError names the file, the key and the nearest valid one."""
    return parse(Style, setting("style"), setting_path("style"))


def mark(figure: Figure, style: Style, footer: str, watermark: str | None) -> None:
    """Writes the footer below the figure and, for synthetic data, the watermark across it."""
    figure.supxlabel(footer, x=0.01, ha="left", fontsize=style.font_size_pt, color=style.colours["quiet"])
    if watermark:
        look = style.watermark
        figure.text(
            0.5,
            0.5,
            watermark,
            ha="center",
            va="center",
            rotation=look.angle,
            fontsize=look.size_pt,
            color=look.colour,
            alpha=look.opacity,
            weight="bold",
            zorder=10,
        )


def render(figure: Figure, style: Style, size: FigureSize = "print", tiff: bool = False) -> dict[str, bytes]:
    """Returns the figure as svg, pdf, png and, if wanted, tiff, without date, user or program in it.

    `size`: everything in it is as many times as large as the style says; the layout stays.
    """
    times = style.sizes[size]
    with mpl.rc_context(style.settings()):
        with memory.BytesIO() as buffer:
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
            files = {"svg": _enlarged_svg(buffer.getvalue(), times)}
        files["pdf"] = pdf_of(figure, times, style.dots_per_inch)
        files["png"] = _pixels(figure, "png", style.dots_per_inch, times, metadata={"Software": None})
        if tiff:
            pixels = _pixels(figure, "tiff", style.tiff_dots_per_inch, times)
            files["tiff"] = _opaque_tiff(pixels, style.tiff_dots_per_inch)
    return files


def _pixels(figure: Figure, kind: str, dots_per_inch: int, times: float, **more: Any) -> bytes:
    """The file says that it has so many dots per inch, so that it is shown enlarged."""
    said = {"dpi": (dots_per_inch, dots_per_inch)}
    with memory.BytesIO() as buffer:
        figure.savefig(buffer, format=kind, dpi=dots_per_inch * times, pil_kwargs=said, **more)
        return buffer.getvalue()


def _opaque_tiff(picture: bytes, dots_per_inch: int) -> bytes:
    """Publishers refuse an alpha channel."""
    with memory.BytesIO() as buffer:
        opaque = Image.open(memory.BytesIO(picture)).convert("RGB")
        opaque.save(buffer, "TIFF", compression="tiff_lzw", dpi=(dots_per_inch, dots_per_inch))
        return buffer.getvalue()


def _enlarged_svg(svg: bytes, times: float) -> bytes:
    """Width and height of the picture; what is in it follows from its viewBox."""
    if times == 1:
        return svg
    text = svg.decode()
    for side in ("width", "height"):
        length = re.compile(rf'(<svg\b[^>]*? {side}=")([\d.]+)(?=pt")')
        text = length.sub(lambda found: f"{found[1]}{float(found[2]) * times:.6f}", text, count=1)
    return text.encode()
