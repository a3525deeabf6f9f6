"""ESR and CRP of a visit: its own, else the laboratory's of the nearest day."""

from __future__ import annotations

import datetime as dt

import polars as pl

from d2tra.extract.schemas import in_order

SOURCES = pl.Enum(["visit", "lab"])


def borrow_labs(visits: pl.DataFrame, labs: pl.DataFrame | None, window_days: int) -> pl.DataFrame:
    """Returns the visits with esr_mm_h_used, crp_mg_l_used (Float64), and for each `<test>_source` (an Enum) and `<test>_days`.

    The visit's own value where there is one (source `visit`); else the result nearest in time within ± `window_days`,
    before or after (source `lab`; `<test>_days` = days from visit to sample); two equally near: the earlier day;
    several on that day: their mean, exact duplicates counted once. All null where neither exists.
    """
    own = {"esr": "esr_mm_h", "crp": "crp_mg_l"}
    visits = in_order(visits, "patient_id", "visit_date")
    for test, column in own.items():
        known = pl.col(column).is_not_null()
        visits = (
            _with_nearest(visits, labs, test, window_days)
            .with_columns(
                pl.coalesce(column, "borrowed").cast(pl.Float64).alias(f"{column}_used"),
                pl.when(known).then(pl.lit("visit", dtype=SOURCES))
                .when(pl.col("borrowed").is_not_null()).then(pl.lit("lab", dtype=SOURCES)).alias(f"{test}_source"),
                pl.when(known).then(0).otherwise("borrowed_days").cast(pl.Int64).alias(f"{test}_days"),
            )
            .drop("borrowed", "borrowed_days")
        )  # fmt: skip
    return visits


def _daily_means(labs: pl.DataFrame, test: str) -> pl.DataFrame:
    content = [column for column in labs.columns if column != "source_row"]
    return (
        labs.filter(pl.col("test") == test, pl.col("number").is_not_null())
        .unique(subset=content, maintain_order=True)
        .sort("patient_id", "sample_date", "number")
        .group_by("patient_id", "sample_date", maintain_order=True)
        .agg(pl.col("number").mean())
    )


def _with_nearest(
    visits: pl.DataFrame, labs: pl.DataFrame | None, test: str, window_days: int
) -> pl.DataFrame:
    """Adds `borrowed` and `borrowed_days`. One search each way: a single nearest search leaves ties to chance."""
    if labs is None:
        nothing = {"borrowed": pl.Float64, "borrowed_days": pl.Int64}
        return visits.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in nothing.items())
    found, daily = visits.select("patient_id", "visit_date"), _daily_means(labs, test)
    for direction in ("backward", "forward"):
        found = found.join_asof(
            daily.rename({"number": f"{direction}_number"}).with_columns(
                pl.col("sample_date").alias(f"{direction}_date")
            ),
            left_on="visit_date",
            right_on="sample_date",
            by="patient_id",
            strategy=direction,
            tolerance=dt.timedelta(days=window_days),
            coalesce=True,
            check_sortedness=False,  # both sides are sorted by day within each patient
        )
    before = (pl.col("visit_date") - pl.col("backward_date")).dt.total_days()
    after = (pl.col("forward_date") - pl.col("visit_date")).dt.total_days()
    earlier_wins = (before <= after).fill_null(before.is_not_null())
    borrowed = found.select(
        pl.when(earlier_wins).then("backward_number").otherwise("forward_number").alias("borrowed"),
        pl.when(earlier_wins).then(-before).otherwise(after).alias("borrowed_days"),
    )
    return visits.hstack(borrowed)
