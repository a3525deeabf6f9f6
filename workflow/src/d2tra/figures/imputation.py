"""The chains of an imputation, and its values beside the recorded ones. Private: drawn from values, not from released cells."""

from __future__ import annotations

import matplotlib as mpl
import polars as pl
from matplotlib.axes import Axes

from d2tra.figures.style import Style, mark, render

ROW_MM, AROUND_MM = 34, 16
RECORDED = 0


def draw_diagnostics(
    trace: pl.DataFrame, density: pl.DataFrame, style: Style, said: str, synthetic: bool
) -> bytes:
    """Returns the svg of the imputation for the model's first outcome: per variable (and level) the mean and SD of the imputed values over
    the iterations, a line per chain, and the density or share of imputed (thin) beside recorded values (thick).

    Chains that mix cross each other without a trend. `trace`, `density`: of diagnose_imputation; `said`: the footer.
    """
    first = pl.col("definition") == pl.col("definition").first()
    trace, density = trace.filter(first), density.filter(first)
    panels = trace.select("variable", "level").unique(maintain_order=True).rows()
    with mpl.rc_context(style.settings()):
        figure = style.figure("page", AROUND_MM + ROW_MM * max(len(panels), 1))
        axes = figure.subplots(max(len(panels), 1), 3, squeeze=False)
        for line, (variable, level) in zip(axes, panels, strict=False):
            here = (pl.col("variable") == variable) & pl.col("level").eq_missing(level)
            for place, name in zip(line, ("mean", "std"), strict=False):
                _draw_chains(place, trace.filter(here), name, style)
            line[0].set_ylabel(variable if level is None else f"{variable}:\n{level}")
            _draw_values(line[2], density.filter(here), style)
        for place, title in zip(
            axes[0], ("mean of imputed", "SD of imputed", "imputed, recorded"), strict=True
        ):
            place.set_title(title)
        for place in axes[-1, :2]:
            place.set_xlabel("iteration")
        axes[-1, 2].set_xlabel("value; imputation 1 to m for levels")
        mark(figure, style, said, "SYNTHETIC DATA" if synthetic else None)
    return render(figure, style)["svg"]


def _draw_chains(axes: Axes, trace: pl.DataFrame, name: str, style: Style) -> None:
    for _, chain in trace.group_by("imputation", maintain_order=True):
        axes.plot(chain["iteration"], chain[name], color=style.colours["main"], lw=0.6, alpha=0.6)


def _draw_values(axes: Axes, density: pl.DataFrame, style: Style) -> None:
    """A number: densities over x. A level: its share in each imputation, the recorded one as a thick line across."""
    recorded = density.filter(pl.col("imputation") == RECORDED)
    imputed = density.filter(pl.col("imputation") != RECORDED)
    ink, main = style.colours["ink"], style.colours["main"]
    if recorded["x"].null_count():
        axes.plot(imputed["imputation"], imputed["density"], "o", color=main, ms=3)
        axes.axhline(recorded["density"].item(), color=ink, lw=2)
        axes.set_ylim(0, 1)
        return
    for _, chain in imputed.group_by("imputation", maintain_order=True):
        axes.plot(chain["x"], chain["density"], color=main, lw=0.6, alpha=0.6)
    axes.plot(recorded["x"], recorded["density"], color=ink, lw=2)
