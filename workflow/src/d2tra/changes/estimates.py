"""Which estimates changed: prevalence, odds ratios and cells of tables, each as a person reads it, before and now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from d2tra.changes.folder import ResultsFolder
from d2tra.tables import read_tables
from d2tra.tables.cells import format_cell, value_cell

KEY = ["cohort", "source", "definition", "row", "level", "column"]
ESTIMATES: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(KEY, pl.String),
    "text": pl.String,
    "excludes_one": pl.Boolean,
}
"""One row per estimate. `source`: prevalence, models/<model>, tables/<table>. `text`: as it is printed. `excludes_one`: does
the 95 % interval of an odds ratio lie off 1 (null: of other estimates, and where there is no interval)."""
PREVALENCE: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(["definition", "criterion_3_policy"], pl.String),
    **dict.fromkeys(["n", "n_met"], pl.Int64),
    **dict.fromkeys(["percent", "ci_low", "ci_high"], pl.Float64),
}
MODEL: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(["definition", "term", "level", "note"], pl.String),
    **dict.fromkeys(["n", "n_events"], pl.Int64),
    **dict.fromkeys(["odds_ratio", "ci_low", "ci_high"], pl.Float64),
}


def estimates_of(results: ResultsFolder, cohort: str) -> pl.DataFrame:
    """Returns the estimates of a cohort, in the columns of ESTIMATES: prevalence, then models, then tables."""
    found = [*_prevalence(results, cohort), *_models(results, cohort), *_tables(results, cohort)]
    return pl.DataFrame(found, schema=ESTIMATES, orient="row").with_columns(cohort=pl.lit(cohort))


def pair_estimates(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Returns the estimates' KEY, old, new (the printed texts; null on a side without it), turned (an odds ratio's interval
    lies off 1 on one side only); in the order of `new`, then what is gone."""
    sides = [frame.rename({"text": side}) for side, frame in (("new", new), ("old", old))]
    paired = sides[0].join(
        sides[1],
        on=KEY,
        how="full",
        coalesce=True,
        nulls_equal=True,
        maintain_order="left_right",
        suffix="_old",
    )
    return paired.select(*KEY, "old", "new", turned=pl.col("excludes_one") != pl.col("excludes_one_old"))


def _prevalence(results: ResultsFolder, cohort: str) -> Iterator[tuple[object, ...]]:
    for row in _read(results, cohort, "prevalence.csv", PREVALENCE):
        cell = {"kind": "proportion", "note": None, "n": row["n_met"], "total": row["n"]}
        limits = {"estimate": row["percent"], "low": row["ci_low"], "high": row["ci_high"]}
        policy = row["criterion_3_policy"]
        yield "", "prevalence", row["definition"], "met", policy, None, format_cell({**cell, **limits}), None


def _models(results: ResultsFolder, cohort: str) -> Iterator[tuple[object, ...]]:
    """Every model that has a fit; traces and densities of the imputation stand beside them."""
    for fit in sorted(results.of_cohort(cohort, "models").glob("*_fit.json")):
        model = fit.name.removesuffix("_fit.json")
        for row in _read(results, cohort, f"models/{model}.csv", MODEL):
            low, high = row["ci_low"], row["ci_high"]
            cell = value_cell("estimate", "", "", row["odds_ratio"], low, high, note=row["note"])
            text = f"{format_cell(cell)}; events: {row['n_events']} of {row['n']}"
            off_one = None if low is None or high is None else low > 1 or high < 1
            key = ("", f"models/{model}", row["definition"], row["term"], row["level"])
            yield *key, "odds ratio", text, off_one


def _tables(results: ResultsFolder, cohort: str) -> Iterator[tuple[object, ...]]:
    folder = results.of_cohort(cohort, "tables")
    for table in read_tables(folder) if folder.is_dir() else []:
        for cell in table.cells.filter(pl.col("kind") != "step").iter_rows(named=True):
            place = (cell["row"], cell["level"], cell["column"])
            yield "", f"tables/{table.name}", None, *place, format_cell(cell), None


def _read(
    results: ResultsFolder, cohort: str, file: str, schema: dict[str, type[pl.DataType]]
) -> Iterator[dict[str, Any]]:
    """The rows of a csv by the columns that are asked for; what a column holds is never guessed from few rows."""
    texts = pl.read_csv(results.of_cohort(cohort, file), infer_schema=False)
    return texts.select(pl.col(name).cast(kind) for name, kind in schema.items()).iter_rows(named=True)
