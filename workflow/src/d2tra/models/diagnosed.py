"""Do the chains of an imputation mix, and do the imputed values look like the recorded ones? Private: never released."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from d2tra.models.imputation.chains import TRACE
from d2tra.models.imputed import ImputedSet
from d2tra.models.plan import ModelPlan, impute_factors

POINTS = 64
DENSITY = {
    "variable": pl.String,
    "level": pl.String,
    "imputation": pl.Int64,
    "n": pl.Int64,
    "x": pl.Float64,
    "density": pl.Float64,
}


def diagnose_imputation(
    analysis_set: pl.DataFrame, model: ModelPlan, definitions: Sequence[str], seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns how the chains went, and how imputed values lie beside recorded ones, for each outcome of the model.

    The imputation is that of fit_models with this seed. First: definition, variable, level, imputation, iteration, mean,
    std of the imputed values, see `impute`. Second: definition, variable, level, imputation (0: recorded), n (values),
    and for numbers a smoothed density at 64 points x; for levels (x null) their share, 0–1. No rows where nothing was
    imputed.
    """
    traces, densities = [_of("", pl.DataFrame(schema=TRACE))], [_of("", pl.DataFrame(schema=DENSITY))]
    for outcome in model.outcomes_among(definitions):
        sets = impute_factors(analysis_set, outcome, model, seed)
        if sets is not None:
            traces.append(_of(outcome, sets.imputed.trace))
            densities.append(_of(outcome, _densities(sets)))
    return pl.concat(traces), pl.concat(densities)


def _of(outcome: str, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.lit(outcome).alias("definition"), pl.all())


def _densities(sets: ImputedSet) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    numbers = set(sets.imputed.trace.filter(pl.col("level").is_null())["variable"])
    for variable in sets.imputed.n_imputed:
        recorded = sets.known[variable]
        missing = recorded.is_null()
        samples = [recorded.drop_nulls(), *(frame[variable].filter(missing) for frame in sets.imputed.frames)]
        described = _smoothed(samples) if variable in numbers else _shares(samples)
        rows += [{"variable": variable, **row} for row in described]
    return pl.DataFrame(rows, schema=DENSITY)


def _smoothed(samples: list[pl.Series]) -> list[dict[str, object]]:
    """Normal kernels; the width is that of the recorded values (Silverman 1986, R's bw.nrd0) for all."""
    recorded = samples[0].to_numpy().astype(float)
    low, high = np.quantile(recorded, (0.25, 0.75))
    spread = min(recorded.std(ddof=1), (high - low) / 1.34) or recorded.std(ddof=1)
    width = 0.9 * spread * len(recorded) ** -0.2
    grid = np.linspace(recorded.min() - 3 * width, recorded.max() + 3 * width, POINTS)
    rows: list[dict[str, object]] = []
    for number, sample in enumerate(samples):
        away = (grid[:, None] - sample.to_numpy().astype(float)) / width
        density = np.exp(-(away**2) / 2).mean(axis=1) / (width * np.sqrt(2 * np.pi))
        rows += [
            {"level": None, "imputation": number, "n": len(sample), "x": float(x), "density": float(height)}
            for x, height in zip(grid, density, strict=True)
        ]
    return rows


def _shares(samples: list[pl.Series]) -> list[dict[str, object]]:
    texts = [sample.cast(pl.String) for sample in samples]
    return [
        {"level": level, "imputation": number, "n": len(text), "density": (text == level).mean()}
        for level in sorted(set(texts[0]))
        for number, text in enumerate(texts)
    ]
