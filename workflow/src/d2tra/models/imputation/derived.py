"""Imputing an analysis set: what a factor is made of is imputed, and the factor computed from it again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from d2tra.models.imputation.chains import Imputed, impute
from d2tra.models.imputation.plan import MultipleImputation
from d2tra.risk_factor_plan import Factor, load_plan
from d2tra.risk_factors import WAYS, typed
from d2tra.scores import score_visits
from d2tra.scores.visits import components_of

FROM_FACTORS = ("limit", "bands", "all_of", "any_of")


def impute_analysis_set(
    data: pl.DataFrame, outcome: str, names: Sequence[str], plan: MultipleImputation, seed: Sequence[int]
) -> Imputed:
    """Returns the analysis set with the named columns imputed from one another, the outcome and the auxiliaries.

    Every patient's outcome must be known. Where a factor is unknown for some and config/risk_factors.yaml makes it of
    other columns that are here (a limit, bands, all or any of yes/no factors, a score or a difference of what was
    found at a visit), those are imputed and the factor is computed from them; what is recorded stays as it is.
    """
    factors = load_plan().factors
    wanted = [*names, *plan.auxiliary]
    computed = _computed(data, wanted, factors)
    parents = {parent for name in computed for parent in made_of(factors[name])}
    found = impute(
        data,
        [*({*wanted, *parents} - {*computed}), outcome],
        m=plan.m,
        iterations=plan.iterations,
        seed=seed,
        ordered={name: factor.levels for name, factor in factors.items() if factor.ordered},
    )
    in_order = [factor for name, factor in factors.items() if name in computed]
    return found._replace(frames=[compute_unknown(frame, in_order) for frame in found.frames])


def made_of(factor: Factor) -> list[str]:
    """Returns the columns of the analysis set that the factor can be computed from; empty where it is read itself."""
    nearest = factor.origin.nearest
    if nearest is not None and nearest.minus is not None:
        return [nearest.column, nearest.minus]
    if nearest is not None and nearest.table == "scores":
        components = components_of(nearest.column)
        return [] if factor.name in components else list(components)
    return factor.origin.parents if factor.origin.model_fields_set <= {*FROM_FACTORS} else []


def compute_unknown(data: pl.DataFrame, factors: Sequence[Factor]) -> pl.DataFrame:
    """Returns the data with the unknown values of these factors computed from what they are made of."""
    for factor in factors:
        again = data.with_columns(_computed_again(factor, data)).select(typed(factor)).to_series()
        data = data.with_columns(pl.col(factor.name).fill_null(again))
    return data


def _computed_again(factor: Factor, data: pl.DataFrame) -> pl.Series:
    nearest = factor.origin.nearest
    if nearest is None:
        way = next(iter(factor.origin.model_fields_set))
        value = WAYS[way](getattr(factor.origin, way), data, {})
        return data.select(value).to_series().alias(factor.name)
    if nearest.minus is not None:
        return (data[nearest.column] - data[nearest.minus]).alias(factor.name)
    return _score(data, nearest.column).alias(factor.name)


def _computed(data: pl.DataFrame, names: Sequence[str], factors: dict[str, Factor]) -> list[str]:
    """Those of the names, and of what they are made of, that are computed: unknown for some, and made of columns here."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        parents = made_of(factors[name]) if name in factors else []
        if parents and {name, *parents} <= {*data.columns} and data[name].null_count():
            found[name] = None
            waiting += parents
    return list(found)


def _score(data: pl.DataFrame, column: str) -> pl.Series:
    """The score (or its band) of one visit per patient."""
    one_visit = data.select(
        *components_of(column),
        patient_id=pl.int_range(pl.len()).cast(pl.String).str.zfill(9),
        visit_date=pl.lit(dt.date(2000, 1, 1)),
    )
    return score_visits(one_visit)[column]
