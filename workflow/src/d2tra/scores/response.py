"""Response: how much DAS28 fell, and to what level (EULAR); by what share CDAI, SDAI or DAPSA fell."""

from __future__ import annotations

import polars as pl

from d2tra.errors import StudyError, nearest
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


def index_response(
    score: str, earlier: pl.Expr, later: pl.Expr, settings: ScoreSettings | None = None
) -> pl.Expr:
    """Returns `major`, `moderate`, `minor` or `none` (String): by what share of the earlier value an index fell.

    `score`: cdai, sdai or dapsa; a rise is `none`. Null if either value is null or the earlier one is 0. Sources:
    config/scores.yaml, index_responses. StudyError names the nearest score that has a response.
    """
    responses = (settings or load_score_settings()).index_responses
    if score not in responses:
        known = ", ".join(responses)
        raise StudyError(f"no response is defined for {score!r}{nearest(score, responses)} Known: {known}.")
    fall = pl.when(earlier > 0).then(100 * (earlier - later) / earlier)
    rules = responses[score]
    return (
        pl.when(fall.is_null())
        .then(pl.lit(None, dtype=pl.String))
        .when(rules.major.holds(fall))
        .then(pl.lit("major"))
        .when(rules.moderate.holds(fall))
        .then(pl.lit("moderate"))
        .when(rules.minor.holds(fall))
        .then(pl.lit("minor"))
        .otherwise(pl.lit("none"))
    )
