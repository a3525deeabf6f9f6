"""How many meet each definition, with bounds for those who cannot be judged."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure

from d2tra.figures.prevalence import draw_prevalence
from d2tra.figures.style import Style


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: per definition n met / N with its interval; a pale bar from the lower to the upper bound."""
    return draw_prevalence(tables["prevalence"], style)
