"""How long a label has lasted, and how often it was left again."""

from __future__ import annotations

import polars as pl

from d2tra.definitions.facts import FAR_PAST, days_between

DAYS_PER_MONTH = 365.25 / 12


def persistence(verdicts: pl.DataFrame) -> pl.DataFrame:
    """Returns one row per patient and definition, in the order in which they come.

    n_visits · n_visits_met, n_visits_unknown · days_met: from the first visit of the unbroken row of met visits that ends
    with the last visit, to that visit (0: met there first; null: not met there; a visit at which the verdict is unknown
    breaks the row) · met_for_months (days_met in months of 30.4375 days) · n_exits: met at one visit and not met at the
    next at which the verdict is known · n_spells: how often it was
    met after not being so, the first time included.

    `verdicts`: as `label_visits` gives them (patient_id, definition, evaluation_date, met).
    """
    date, met = pl.col("evaluation_date"), pl.col("met")
    is_met, known = met.fill_null(False), met.drop_nulls()
    last_other = date.filter(~is_met).max().fill_null(FAR_PAST)
    return (
        verdicts.sort("evaluation_date", maintain_order=True)
        .group_by("patient_id", "definition", maintain_order=True)
        .agg(
            n_visits=pl.len().cast(pl.Int64),
            n_visits_met=is_met.sum().cast(pl.Int64),
            n_visits_unknown=met.null_count().cast(pl.Int64),
            days_met=days_between(date.filter(is_met & (date > last_other)).min(), date.max()),
            n_exits=(known.shift(1) & ~known).sum().cast(pl.Int64),
            n_spells=(known & ~known.shift(1).fill_null(False)).sum().cast(pl.Int64),
        )
        .with_columns(met_for_months=pl.col("days_met") / DAYS_PER_MONTH)
    )
