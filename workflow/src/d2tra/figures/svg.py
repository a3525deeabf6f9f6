"""A drawing surface in millimetres that becomes an svg: for figures of which many are drawn (matplotlib needs 0.2 s each)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from d2tra.figures.style import MM_PER_INCH

POINTS_PER_INCH = 72
MEAN_LETTER = 0.56  # width of a letter of text, of its height; DejaVu Sans
Point = tuple[float, float]


class Canvas:
    """Shapes in the order in which they are drawn. Lengths in mm from the top left corner, text in points."""

    def __init__(self, width: float, height: float, font_family: str, font_size_pt: float, ink: str) -> None:
        self.width, self.height = width, height
        self.font_family, self.font_size_pt, self.ink = font_family, font_size_pt, ink
        self._shapes: list[str] = []

    def text_width(self, words: str) -> float:
        """Returns about how wide the words are at the usual size."""
        return len(words) * MEAN_LETTER * self.font_size_pt * MM_PER_INCH / POINTS_PER_INCH

    def rectangle(
        self, x: float, y: float, width: float, height: float, fill: str, opacity: float = 1, says: str = ""
    ) -> None:
        """Adds a filled rectangle; `says` is shown where the mouse rests on it."""
        self._add(
            "rect", says, x=x, y=y, width=max(width, 0.3), height=height, fill=fill, fill_opacity=opacity
        )

    def line(self, points: Sequence[Point], colour: str, width: float, dashes: str = "") -> None:
        """Adds a line through the points; `dashes` in mm, as "1 1"."""
        self._add("polyline", "", points=" ".join(f"{_number(x)},{_number(y)}" for x, y in points), fill="none",
                  stroke=colour, stroke_width=width, stroke_dasharray=dashes)  # fmt: skip

    def area(self, points: Sequence[Point], fill: str) -> None:
        """Adds a filled shape with these corners."""
        self._add("polygon", "", points=" ".join(f"{_number(x)},{_number(y)}" for x, y in points), fill=fill)

    def dot(self, x: float, y: float, radius: float, fill: str, stroke: str, says: str = "") -> None:
        """Adds a dot; `says` is shown where the mouse rests on it."""
        self._add("circle", says, cx=x, cy=y, r=radius, fill=fill, stroke=stroke, stroke_width=0.25)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        anchor: str = "start",
        colour: str = "",
        size_pt: float = 0,
        bold: bool = False,
        halo: bool = False,
    ) -> None:
        """Adds words, their middle height at y; `anchor`: start, middle, end; `halo`: white around the letters."""
        size = (size_pt or self.font_size_pt) * MM_PER_INCH / POINTS_PER_INCH
        white: dict[str, float | str] = {"stroke": "white", "stroke_width": 0.7, "paint_order": "stroke"}
        outline = white if halo else {}
        self._add("text", words, x=x, y=y + 0.36 * size, font_size=size, fill=colour or self.ink, text_anchor=anchor,
                  font_weight="bold" if bold else "", **outline)  # fmt: skip

    def watermark(self, words: str, colour: str, opacity: float, size_pt: float, angle: float) -> None:
        """Adds words across the whole."""
        x, y = self.width / 2, self.height / 2
        self._add("text", words, x=x, y=y, font_size=size_pt * MM_PER_INCH / POINTS_PER_INCH, fill=colour, fill_opacity=opacity,
                  text_anchor="middle", font_weight="bold", transform=f"rotate({_number(-angle)} {_number(x)} {_number(y)})",
                  pointer_events="none")  # fmt: skip

    def render(self, title: str) -> str:
        """Returns the svg; `title` tells those who cannot see it what it shows."""
        width, height = _number(self.width), _number(self.height)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" viewBox="0 0 {width} {height}" '
            f'role="img" font-family="{escape(self.font_family)}, Verdana, sans-serif">'
        )
        ground = f'<rect width="{width}" height="{height}" fill="white"/>'
        return "\n".join([head, f"<title>{escape(title)}</title>", ground, *self._shapes, "</svg>", ""])

    def _add(self, shape: str, words: str, **properties: float | str) -> None:
        stated = " ".join(
            f'{name.replace("_", "-")}="{escape(value) if isinstance(value, str) else _number(value)}"'
            for name, value in properties.items()
            if value != ""
        )
        inside = escape(words) if shape == "text" else f"<title>{escape(words)}</title>" if words else ""
        self._shapes.append(f"<{shape} {stated}>{inside}</{shape}>" if inside else f"<{shape} {stated}/>")


def _number(value: float) -> str:
    """At most two decimals, the same on every system."""
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
