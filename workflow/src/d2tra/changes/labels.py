"""Whose label changed, and the record that decided: the criteria whose verdict is another one, with both reasons."""

from __future__ import annotations

import polars as pl

LABEL = {
    "patient_id": pl.String,
    "definition": pl.String,
    "index_date": pl.Date,
    "status": pl.String,
}
EVIDENCE = {
    "patient_id": pl.String,
    "definition": pl.String,
    "criterion": pl.String,
    "met": pl.Boolean,
    "reason": pl.String,
}
KEY = ["patient_id", "definition"]
IS_NEW, IS_GONE = pl.col("old_status").is_null(), pl.col("new_status").is_null()
HAS_CHANGED = pl.col("old_status").ne_missing(pl.col("new_status"))
NOTES = {
    "new": "no label in the old results",
    "gone": "no label in the new results: the patient has left the extract, or stands in quarantine.csv",
    "unkept": "evidence was not kept on both sides (the study's key `evidence`)",
    "elsewhere": "no criterion has another verdict: the definition or the study's choices changed",
}


def pair_labels(old: pl.LazyFrame, new: pl.LazyFrame) -> pl.LazyFrame:
    """Returns patient_id, definition, old_status, new_status, old_index_date, new_index_date of one site's labels.

    Only of definitions that both have. The status is null where a patient has no label on that side (new, gone).
    """
    shared = old.select("definition").unique().join(new.select("definition").unique(), on="definition")
    sides = [
        labels.join(shared, on="definition", how="semi").select(
            *KEY,
            pl.col("status").alias(f"{side}_status"),
            pl.col("index_date").alias(f"{side}_index_date"),
        )
        for side, labels in (("old", old), ("new", new))
    ]
    paired = sides[0].join(sides[1], on=KEY, how="full", coalesce=True)
    return paired.select(*KEY, "old_status", "new_status", "old_index_date", "new_index_date")


def count_transitions(paired: pl.LazyFrame) -> pl.DataFrame:
    """Returns definition, old_status, new_status, n: how many patients went from which status to which; sorted."""
    counted = paired.group_by("definition", "old_status", "new_status").agg(
        pl.len().cast(pl.Int64).alias("n")
    )
    return counted.sort("definition", "old_status", "new_status").collect(engine="streaming")


def count_patients(paired: pl.LazyFrame) -> pl.DataFrame:
    """Returns one row, n_both, n_new, n_gone, n_moved: patients with a label on both sides, on one, and of another index date."""
    moved = ~IS_NEW & ~IS_GONE & pl.col("old_index_date").ne_missing(pl.col("new_index_date"))
    of_patient = paired.group_by("patient_id").agg(
        old=(~IS_NEW).any(), new=(~IS_GONE).any(), moved=moved.any()
    )
    was, is_there = pl.col("old"), pl.col("new")
    counted = of_patient.select(
        n_both=(was & is_there).sum(),
        n_new=(~was).sum(),
        n_gone=(~is_there).sum(),
        n_moved=pl.col("moved").sum(),
    )
    return counted.collect(engine="streaming")


def explain_changes(paired: pl.LazyFrame, old: pl.LazyFrame, new: pl.LazyFrame) -> pl.DataFrame:
    """Returns a row per patient and definition whose label changed, is new or is gone, with the deciding record.

    patient_id, definition, change (changed, new, gone), old_status, new_status, old_index_date, new_index_date, criteria
    (whose verdict changed; null where none is known), old_record and new_record (each one's verdict and reason before
    and now), note (why there is no record). `old`, `new`: the evidence of both sides. Sorted by definition and patient.
    """
    changed = paired.filter(HAS_CHANGED).collect(engine="streaming")
    both = (
        _of_changed(old, changed)
        .join(_of_changed(new, changed), on=[*KEY, "criterion"], suffix="_new")
        .collect(engine="streaming")
    )
    decided = _deciding(both).group_by(KEY).agg(
        criteria=pl.col("criterion").str.join(", "),
        old_record=_record("met", "reason").str.join(" | "),
        new_record=_record("met_new", "reason_new").str.join(" | "),
    )  # fmt: skip
    explained = both.select(KEY).unique().with_columns(is_kept=pl.lit(True))
    told = changed.join(decided, on=KEY, how="left").join(explained, on=KEY, how="left")
    change = (
        pl.when(IS_NEW).then(pl.lit("new")).when(IS_GONE).then(pl.lit("gone")).otherwise(pl.lit("changed"))
    )
    why_none = (
        pl.when(change != "changed")
        .then(change)
        .when(pl.col("is_kept").is_null())
        .then(pl.lit("unkept"))
        .when(pl.col("criteria").is_null())
        .then(pl.lit("elsewhere"))
    )
    return told.select(
        *KEY,
        change.alias("change"),
        *(
            "old_status",
            "new_status",
            "old_index_date",
            "new_index_date",
            "criteria",
            "old_record",
            "new_record",
        ),
        why_none.replace(NOTES).alias("note"),
    ).sort("definition", "patient_id")


def _of_changed(evidence: pl.LazyFrame, changed: pl.DataFrame) -> pl.LazyFrame:
    return evidence.join(changed.lazy().select(KEY), on=KEY, how="semi")


def _deciding(both: pl.DataFrame) -> pl.DataFrame:
    """The criteria of another verdict, the outermost ones: the reason of 1 tells which of 1m and 1p decided it."""
    digits = pl.col("criterion").str.extract(r"^(\d+)")
    other = both.filter(pl.col("met").ne_missing(pl.col("met_new"))).with_columns(outer=digits)
    listed = both.select(*KEY, outer="criterion").unique()
    is_inner = pl.col("outer") != pl.col("criterion")
    inner = other.filter(is_inner).join(listed, on=[*KEY, "outer"], how="semi")
    return other.join(inner, on=[*KEY, "criterion"], how="anti").sort(*KEY, "criterion")


def _record(met: str, reason: str) -> pl.Expr:
    verdict = (
        pl.when(met)
        .then(pl.lit("met"))
        .when(~pl.col(met))
        .then(pl.lit("not met"))
        .otherwise(pl.lit("unknown"))
    )
    return pl.format("{} {}: {}", "criterion", verdict, pl.col(reason).fill_null("no reason was kept"))
