"""EULAR response: how much DAS28 fell, and to what level."""

from __future__ import annotations

import polars as pl

from d2tra.scores.bands import band
from d2tra.scores.settings import ScoreSettings, load_score_settings


def eular_response(earlier: pl.Expr, later: pl.Expr, settings: ScoreSettings | None = None) -> pl.Expr:
    """Returns `good`, `moderate` or `none` (String; null if either DAS28 is null).

    Both must be the same form of DAS28. Source: Fransen J, van Riel PLCM. Clin Exp Rheumatol 2005;23(Suppl 39):S93-9.
    """
    settings = settings or load_score_settings()
    rules = settings.eular_response
    level = band(later, settings.schemes[rules.levels].bands)
    large, some = rules.large.holds(earlier - later), rules.some.holds(earlier - later)
    return (
        pl.when(large.is_null())
        .then(pl.lit(None, dtype=pl.String))
        .when(large & level.is_in(["remission", "low"]))
        .then(pl.lit("good"))
        .when(large | (some & (level != "high")))
        .then(pl.lit("moderate"))
        .otherwise(pl.lit("none"))
    )
