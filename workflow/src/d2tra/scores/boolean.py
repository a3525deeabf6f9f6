"""Scores that are yes or no: Boolean remission, minimal and very low disease activity.

Sources: Felson DT et al. Ann Rheum Dis 2011;70:404-13; Studenic P et al. Ann Rheum Dis 2023;82:74-80;
Coates LC et al. Ann Rheum Dis 2010;69:48-53.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from d2tra.scores.bands import Limit


def items_met(items: Sequence[Mapping[str, Limit]], needed: int) -> pl.Expr:
    """Returns whether at least `needed` items are met (Boolean), whatever the missing ones may be.

    An item maps columns to limits; it is met if any of them holds, and unknown only if all its columns are missing. True
    once enough are known to be met, false once too many are known not to be, null otherwise: so with all needed, one
    known failure is enough for false.
    """
    met = [_item_met(item) for item in items]
    n_met = pl.sum_horizontal(item.fill_null(False).cast(pl.UInt8) for item in met)
    n_not_met = pl.sum_horizontal((~item).fill_null(False).cast(pl.UInt8) for item in met)
    return (
        pl.when(n_met >= needed)
        .then(True)
        .when(n_not_met > len(items) - needed)
        .then(False)
        .otherwise(pl.lit(None, dtype=pl.Boolean))
    )


def _item_met(item: Mapping[str, Limit]) -> pl.Expr:
    """A clinic measures the skin by PASI or by BSA, seldom by both: one that is known and fails is a failure."""
    return pl.max_horizontal(limit.holds(pl.col(column)) for column, limit in item.items())
