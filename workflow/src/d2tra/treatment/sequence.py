"""The order in which a patient's b/tsDMARDs were given, what had not been tried, and which risks ran together.

Descriptive: it tells what was given, never what should be given next.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from d2tra.codelists import BTS_KINDS
from d2tra.config import codelist

RISKS = ("zoster", "liver", "tb")
FLAGGED = ("moderate", "yes")
SEQUENCE_COLUMNS = [
    "patient_id", "disease", "position", "molecule", "mechanism", "start_date", "stop_date", "stop_reason", "outcome",
    "days_on_drug", "change", "mechanisms_tried", "mechanisms_available_untried",
    *(f"{risk}_{what}" for risk in RISKS for what in ("risk", "together", "so_far")),
]  # fmt: skip


def order_treatments(
    courses: pl.DataFrame, patients: pl.DataFrame, data_cut_date: dt.date | None = None
) -> pl.DataFrame:
    """Returns one row per b/tsDMARD course in the order of its start: SEQUENCE_COLUMNS, sorted by patient and position.

    position (from 1; same day: by molecule) · stop_date (null while ongoing at the cut) · days_on_drug (start to stop, or
    to the cut; imputed days count) · change: `first`, `restart` (a molecule given before), `within_class` (another molecule
    of a mechanism tried before, be it the last one or an earlier one), `new_mechanism` · mechanisms_tried (in the order
    of their first course, this one included) · mechanisms_available_untried (at start_date; "" none; null: availability.csv
    does not list the patient's disease) · <risk>_risk (of this drug: no, low, moderate, yes; null not known), <risk>_together
    (drugs of any kind flagged moderate or yes that were taken at some time during this course, itself included; "" none)
    and <risk>_so_far (b/tsDMARD courses up to this one whose drug is flagged), risk = zoster, liver, tb.

    `courses` as `trace_courses` gives them; `patients`: patient_id, disease; `data_cut_date` None: the latest start.
    Sources of risks and dates: config/codelists/SOURCES.md and availability.csv (unverified).
    """
    cut = pl.lit(data_cut_date or courses["start_date"].max(), dtype=pl.Date)
    lines = _numbered(courses.filter(pl.col("kind").is_in(BTS_KINDS)))
    lines = lines.join(patients.select("patient_id", "disease"), on="patient_id", how="left").join(
        _risks(), on="molecule", how="left"
    )
    lines = lines.with_columns(
        last_day=pl.col("stop_date").fill_null(cut),
        days_on_drug=(pl.col("stop_date").fill_null(cut) - pl.col("start_date")).dt.total_days(),
        **{
            f"{risk}_so_far": _is_flagged(risk)
            .cum_sum()
            .over("patient_id", order_by="position")
            .cast(pl.Int64)
            for risk in RISKS
        },
    )
    key = ["patient_id", "position"]
    for found in (
        _tried(lines),
        _untried_at_start(lines),
        *(_taken_together(lines, courses, cut, risk) for risk in RISKS),
    ):
        lines = lines.join(found, on=key, how="left")
    together = pl.col([f"{risk}_together" for risk in RISKS]).fill_null("")
    return lines.with_columns(together).select(SEQUENCE_COLUMNS).sort(key)


def mechanism_availability() -> pl.DataFrame:
    """Returns `config/codelists/availability.csv`: disease, mechanism, available_from (day from which a first drug of the
    mechanism was licensed for the disease), first_drug, counted (Boolean: untried, it is named), source, evidence."""
    listed = pl.read_csv(codelist("availability"), infer_schema=False)
    return listed.with_columns(pl.col("available_from").str.to_date(), counted=pl.col("counted") == "yes")


def untried_mechanisms(
    sequence: pl.DataFrame, dates: pl.DataFrame, key: Sequence[str] = ("patient_id",)
) -> pl.DataFrame:
    """Returns `dates` with mechanisms_untried: those that were available by `date` and of which no course had started
    by then, in the order in which they became available, as "cd20, il6r"; "" none; null: no date, or the disease is not
    in availability.csv.

    `dates`: the columns of `key`, disease, date; one row per key. `sequence`: the key, mechanism, start_date.
    """
    tried = (
        dates.select(*key, "date")
        .join(sequence.select(*key, "mechanism", "start_date"), on=list(key))
        .filter(pl.col("start_date") <= pl.col("date"))
        .select(*key, "mechanism")
    )
    return _with_untried(dates, tried, list(key))


def _numbered(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds position and change."""
    ordered = lines.sort("patient_id", "start_date", "molecule").with_columns(
        position=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("patient_id")
    )
    given_before = pl.int_range(pl.len()).over("patient_id", "molecule") > 0
    tried_before = pl.int_range(pl.len()).over("patient_id", "mechanism") > 0
    change = (
        pl.when(pl.col("position") == 1)
        .then(pl.lit("first"))
        .when(given_before)
        .then(pl.lit("restart"))
        .when(tried_before)
        .then(pl.lit("within_class"))
        .otherwise(pl.lit("new_mechanism"))
    )
    return ordered.with_columns(change=change, is_new=~tried_before)


def _risks() -> pl.DataFrame:
    """Each molecule's level of each risk: the first word of its cell in dmards.csv."""
    drugs = pl.read_csv(codelist("dmards"), infer_schema=False)
    return drugs.select("molecule", *(pl.col(f"{risk}_risk").str.extract(r"^(\w+)") for risk in RISKS))


def _is_flagged(risk: str) -> pl.Expr:
    return pl.col(f"{risk}_risk").is_in(FLAGGED).fill_null(False)


def _up_to_now(lines: pl.DataFrame) -> pl.DataFrame:
    """Each line beside every mechanism tried by then: patient_id, position, mechanism, tried_at (its first position)."""
    first = lines.filter("is_new").select("patient_id", "mechanism", tried_at="position")
    return (
        lines.select("patient_id", "position")
        .join(first, on="patient_id")
        .filter(pl.col("tried_at") <= pl.col("position"))
    )


def _tried(lines: pl.DataFrame) -> pl.DataFrame:
    return (
        _up_to_now(lines)
        .sort("patient_id", "position", "tried_at")
        .group_by("patient_id", "position", maintain_order=True)
        .agg(mechanisms_tried=pl.col("mechanism").str.join(", "))
    )


def _untried_at_start(lines: pl.DataFrame) -> pl.DataFrame:
    key = ["patient_id", "position"]
    dates = lines.select(*key, "disease", date="start_date")
    untried = _with_untried(dates, _up_to_now(lines).select(*key, "mechanism"), key)
    return untried.select(*key, mechanisms_available_untried="mechanisms_untried")


def _with_untried(dates: pl.DataFrame, tried: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    available = mechanism_availability().filter("counted").sort("disease", "available_from")
    listed = pl.col("disease").is_in(available["disease"].implode()) & pl.col("date").is_not_null()
    untried = (
        dates.join(available.select("disease", "mechanism", "available_from"), on="disease")
        .filter(pl.col("available_from") <= pl.col("date"))
        .join(tried, on=[*key, "mechanism"], how="anti")
        .sort("available_from", maintain_order=True)
        .group_by(key, maintain_order=True)
        .agg(mechanisms_untried=pl.col("mechanism").str.join(", "))
    )
    found = pl.when(listed).then(pl.col("mechanisms_untried").fill_null(""))
    return dates.join(untried, on=key, how="left", maintain_order="left").with_columns(
        mechanisms_untried=found
    )


def _taken_together(lines: pl.DataFrame, courses: pl.DataFrame, cut: pl.Expr, risk: str) -> pl.DataFrame:
    """The drugs flagged for a risk that were taken during each line, of any kind: patient_id, position, <risk>_together."""
    flagged = courses.join(_risks(), on="molecule").filter(_is_flagged(risk))
    others = flagged.select(
        "patient_id",
        other="molecule",
        other_start="start_date",
        other_stop=pl.col("stop_date").fill_null(cut),
    )
    # a drug that ends on the day on which the next begins has not been taken together with it
    overlap = (pl.col("other_start") < pl.col("last_day")) & (pl.col("other_stop") > pl.col("start_date"))
    return (
        lines.select("patient_id", "position", "start_date", "last_day")
        .join(others, on="patient_id")
        .filter(overlap | (pl.col("other_start") == pl.col("start_date")))
        .sort("patient_id", "position", "other")
        .group_by("patient_id", "position", maintain_order=True)
        .agg(pl.col("other").unique(maintain_order=True).str.join(", ").alias(f"{risk}_together"))
    )
