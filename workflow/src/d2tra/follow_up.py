"""From the verdict at every visit to how long each patient was watched for it: entry, event, end."""

from __future__ import annotations

import datetime as dt

import polars as pl

from d2tra.definitions.persistence import persistence

FOLLOWED = [
    "first_visit_date",
    "first_assessed_date",
    "last_assessed_date",
    "last_visit_date",
    "first_met_date",
    "n_assessed_after_met",
    "days_met",
    "n_exits",
    "n_spells",
    "observed_until",
    "death_date",
]
DAYS_PER_YEAR = 365.25
MET, DIED, CENSORED = "met", "died", "censored"


def follow_label(verdicts: pl.DataFrame, patients: pl.DataFrame, cut: dt.date | None = None) -> pl.DataFrame:
    """Returns patient_id and FOLLOWED, one row per patient with a visit, sorted.

    first_, last_visit_date · first_, last_assessed_date (visits at which the verdict is known; null: none) ·
    first_met_date · n_assessed_after_met (visits after that at which the verdict is known) · days_met, n_exits, n_spells:
    see `persistence` · observed_until: last contact (the last visit if that is later, or none is recorded), at most the
    cut; the death if it was observed · death_date: null = no death observed.

    Only the month of a death is known: it counts as its 15th, or as the last visit or contact if that is later. One in a
    month after a recorded last contact lies beyond the end of observation (choice), as does one after the cut.
    `verdicts`: of one definition, as `label_visits` gives them; `patients`: last_contact_date, death_month.
    """
    date, met = pl.col("evaluation_date"), pl.col("met")
    assessed, first_met = date.filter(met.is_not_null()), date.filter(met).min()
    seen = (
        verdicts.group_by("patient_id", maintain_order=True)
        .agg(
            first_visit_date=date.min(),
            last_visit_date=date.max(),
            first_assessed_date=assessed.min(),
            last_assessed_date=assessed.max(),
            first_met_date=first_met,
            n_assessed_after_met=(assessed > first_met).sum().cast(pl.Int64),
        )
        .join(persistence(verdicts).drop("definition"), on="patient_id", how="left", validate="1:1")
        .join(
            patients.select("patient_id", "last_contact_date", "death_month"),
            on="patient_id",
            how="left",
            validate="1:1",
        )
    )
    until = pl.max_horizontal("last_contact_date", "last_visit_date")
    month = pl.col("death_month").str.to_date("%Y-%m")
    is_within = (month <= pl.col("last_contact_date")).fill_null(month.is_not_null())
    death = pl.when(is_within).then(pl.max_horizontal(month.dt.offset_by("14d"), until))
    by_cut = pl.lit(cut, pl.Date)
    return (
        seen.with_columns(death_date=pl.when((death <= by_cut).fill_null(True)).then(death))
        .with_columns(observed_until=pl.coalesce("death_date", pl.min_horizontal(until, by_cut)))
        .select("patient_id", *FOLLOWED)
        .sort("patient_id")
    )


def time_until_met(members: pl.DataFrame) -> pl.DataFrame:
    """Returns left_out (why a member has no place in the curve, null = has one), entry, leave (years since the first
    b/tsDMARD) and event (met, died, censored), one row per member in the same order.

    Entry: the first visit at which the verdict is known, as nobody is known to be free of the label before; delayed where
    it lies after the first b/tsDMARD. End: met; else death or the end of observation; but the last visit at which the
    verdict is known where it is unknown at all later ones, for the label may have been met since (choice).
    `members`: first_bts_date and FOLLOWED.
    """
    start, first, met = pl.col("first_bts_date"), pl.col("first_assessed_date"), pl.col("first_met_date")
    is_lost = pl.col("last_assessed_date") < pl.col("last_visit_date")
    end = (
        pl.when(met.is_not_null())
        .then(met)
        .when(is_lost)
        .then("last_assessed_date")
        .otherwise("observed_until")
    )
    died = ~is_lost & pl.col("death_date").is_not_null()
    entry = pl.max_horizontal(start, first)
    left_out = (
        pl.when(start.is_null())
        .then(pl.lit("no b/tsDMARD started"))
        .when(pl.col("first_visit_date").is_null())
        .then(pl.lit("no visit"))
        .when(first.is_null())
        .then(pl.lit("not assessable at any visit"))
        .when(met == pl.col("first_visit_date"))
        .then(pl.lit("met at the first visit, since when is not known"))
        .when(met == first)
        .then(pl.lit("met at the first visit that could be assessed, earlier ones could not"))
        .when(met <= start)
        .then(pl.lit("met by the start of the first b/tsDMARD"))
        .when(end <= entry)
        .then(pl.lit("not seen after the first visit"))
    )
    return members.select(
        left_out=left_out,
        entry=(entry - start).dt.total_days() / DAYS_PER_YEAR,
        leave=(end - start).dt.total_days() / DAYS_PER_YEAR,
        event=pl.when(met.is_not_null())
        .then(pl.lit(MET))
        .when(died)
        .then(pl.lit(DIED))
        .otherwise(pl.lit(CENSORED)),
    )
