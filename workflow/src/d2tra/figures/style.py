"""The look of every figure, from config/style.yaml, and how a figure becomes files that are the same every time."""

from __future__ import annotations

import io as memory
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pydantic import Field

from d2tra.config import Closed, parse, setting, setting_path

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
    figure.supxlabel(footer, x=0.01, ha="left", fontsize=style.font_size_pt, color=style.colours["grey"])
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


def render(figure: Figure, style: Style) -> dict[str, bytes]:
    """Returns the figure as svg, pdf and png, without date, user or program in it."""
    nothing = {
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        "png": {"Software": None},
    }
    files = {}
    with mpl.rc_context(style.settings()):
        for kind, metadata in nothing.items():
            buffer = memory.BytesIO()
            figure.savefig(buffer, format=kind, dpi=style.dots_per_inch, metadata=metadata)
            files[kind] = buffer.getvalue()
    return files
