"""From prescription rows to drug courses, and how each course had ended at a date (specification of the labels 2.2)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import polars as pl

from d2tra.codelists import BTS_KINDS
from d2tra.errors import StudyError, nearest
from d2tra.extract.schemas import complete, require_columns
from d2tra.treatment.drug_names import recognised
from d2tra.treatment.rules import ExposureRules, exposure_rules

FOREVER = 2**24  # days since 1970 of a stop that has not come; later than any date, less than half a STRIDE
STRIDE = 2**26  # apart enough for one running maximum over all histories not to reach from one into the next
COURSE_COLUMNS = [
    "patient_id", "molecule", "kind", "mechanism", "start_date", "stop_date", "stop_reason", "outcome", "failure_type",
    "n_records", "course_stop_date", "course_stop_reason", "has_imputed_stop", "last_recorded_date", "presumed_from",
    "suppresses_crp",
]  # fmt: skip


def trace_courses(
    treatments: pl.DataFrame, data_cut_date: dt.date | None = None, rules: Mapping[str, Any] | None = None
) -> pl.DataFrame:
    """Returns one row per drug course that starts by the cut, sorted by patient_id, start_date, molecule.

    molecule, kind, mechanism (null for csDMARDs and glucocorticoids) · start_date · stop_date, stop_reason (null while
    ongoing at the cut) · outcome at the cut: `ongoing`, `failed_inefficacy`, `too_short`, `failed_intolerance`,
    `stopped_other`, `presumed_failed`, `unknown` · failure_type (`primary`, `secondary`; null for other outcomes than
    failed_inefficacy) · n_records (rows merged) · course_stop_date, course_stop_reason (as recorded, also after the cut;
    null: no stop recorded) · has_imputed_stop · last_recorded_date (last day that rows tell of, imputed days left out) ·
    presumed_from (start of the b/tsDMARD for which a stop without reason is a presumed failure; null: none) ·
    suppresses_crp.

    `treatments`: canonical columns, optional ones may be absent; the drug is recognised from `drug` and `atc_code` where
    `molecule` is absent. Rows that start after the cut, and rows of no known drug, are not used: count those before.
    `data_cut_date` None: the latest start. `rules`: changes to `config/exposure.yaml`. StudyError: an unknown stop_reason.
    """
    stated = exposure_rules(rules)
    rows = _with_drugs(treatments)
    _refuse_unknown_reasons(rows["stop_reason"], stated)
    cut = data_cut_date or rows["start_date"].max()
    rows = rows.filter(pl.col("kind").is_not_null(), pl.col("start_date") <= pl.lit(cut, dtype=pl.Date))
    rows, names = _numbered(_with_imputed_stops(rows, stated))
    drugs = rows.select("molecule", "kind", "mechanism", "suppresses_crp").unique(
        "molecule", maintain_order=True
    )
    courses = _merged(rows, stated).join(drugs, on="molecule", how="left", maintain_order="left")
    courses = _ended_by_next_drug(courses, rows)
    courses = _with_next_drug(courses, stated).sort("patient_id", "start_date", "molecule")
    courses = courses.with_columns(pl.col("molecule").cast(pl.String), names.gather(courses["patient_id"]))
    return _as_at(courses, pl.lit(cut, dtype=pl.Date), stated).select(COURSE_COLUMNS)


def outcome_at(
    courses: pl.DataFrame, evaluations: pl.DataFrame, rules: Mapping[str, Any] | None = None
) -> pl.DataFrame:
    """Returns one row per evaluation and course that has started by then: the columns of `courses` after
    patient_id, evaluation_date, with stop_date, stop_reason, outcome and failure_type as they stood at that date.

    `courses` as `trace_courses` gives them; `evaluations`: patient_id, evaluation_date (not after the cut). A
    patient without a course has no row. Sorted by patient_id, evaluation_date, start_date, molecule.
    """
    dates = evaluations.select("patient_id", "evaluation_date")
    started = dates.join(courses, on="patient_id").filter(pl.col("start_date") <= pl.col("evaluation_date"))
    judged = _as_at(started, pl.col("evaluation_date"), exposure_rules(rules))
    return judged.sort("patient_id", "evaluation_date", "start_date", "molecule")


def ended(courses: pl.DataFrame, rules: Mapping[str, Any] | None = None) -> pl.DataFrame:
    """Returns the courses with the stop and outcome that each has in the end, by all that is recorded."""
    return _as_at(courses, pl.lit(dt.date.max), exposure_rules(rules))


def is_failed(count_intolerance: bool, count_presumed: bool) -> pl.Expr:
    """Returns whether a course counts as failed for a definition, by its `outcome` (Boolean, never null)."""
    counted = ["failed_inefficacy"]
    counted += ["failed_intolerance"] if count_intolerance else []
    counted += ["presumed_failed"] if count_presumed else []
    return pl.col("outcome").is_in(counted)


def is_possibly_failed(count_intolerance: bool, count_presumed: bool) -> pl.Expr:
    """Returns whether a course is failed, or not known not to be: how it ended is unknown, it was too short, its
    failure is only presumed, or a reason that the definition counts is recorded without a stop date (Boolean, never null).
    """
    reasons = exposure_rules().stop_reasons
    counted = reasons.any_inefficacy + (reasons.intolerance if count_intolerance else [])
    told_without_date = pl.col("course_stop_date").is_null() & pl.col("course_stop_reason").is_in(
        counted
    ).fill_null(False)
    return (
        is_failed(count_intolerance, count_presumed)
        | pl.col("outcome").is_in(["unknown", "too_short", "presumed_failed"])
        | ((pl.col("outcome") == "ongoing") & told_without_date)
    )


def stop_reasons_without_stop(
    treatments: pl.DataFrame, rules: Mapping[str, Any] | None = None
) -> pl.DataFrame:
    """Returns the rows that tell why a drug was stopped but not when: patient_id, molecule, start_date, stop_reason,
    source_row, sorted by these. A drug whose stop is imputed (rituximab) is not among them.
    """
    stated = exposure_rules(rules)
    rows = _with_drugs(treatments)
    told = ~pl.col("stop_reason").is_in(stated.stop_reasons.not_told)
    columns = ["patient_id", "molecule", "start_date", "stop_reason", "source_row"]
    return (
        rows.filter(pl.col("stop_date").is_null(), told, stated.imputed_exposure_days.days().is_null())
        .select(columns)
        .sort(columns)
    )


def overlapping_courses(
    courses: pl.DataFrame, data_cut_date: dt.date | None = None, rules: Mapping[str, Any] | None = None
) -> pl.DataFrame:
    """Returns pairs of b/tsDMARD courses of different molecules that ran together for too long: patient_id, molecule,
    other_molecule, overlap_start, overlap_stop, n_days (stop − start), sorted.

    An open course runs to the cut (None: the latest start); imputed days do not count.
    """
    cut = pl.lit(data_cut_date or courses["start_date"].max(), dtype=pl.Date)
    recorded_stop = pl.when("has_imputed_stop").then("last_recorded_date")
    spans = courses.filter(pl.col("kind").is_in(BTS_KINDS)).select(
        "patient_id", "molecule", "start_date", stop=pl.min_horizontal("course_stop_date", recorded_stop, cut)
    )
    both = spans.join(spans, on="patient_id", suffix="_of_other").filter(
        pl.col("molecule") < pl.col("molecule_of_other")
    )
    together = both.select(
        "patient_id",
        "molecule",
        other_molecule="molecule_of_other",
        overlap_start=pl.max_horizontal("start_date", "start_date_of_other"),
        overlap_stop=pl.min_horizontal("stop", "stop_of_other"),
    ).with_columns(n_days=_days(pl.col("overlap_start"), pl.col("overlap_stop")))
    return together.filter(pl.col("n_days") > exposure_rules(rules).overlap_days.above).sort(pl.all())


def _with_drugs(treatments: pl.DataFrame) -> pl.DataFrame:
    if "molecule" not in treatments.columns:
        require_columns(treatments.columns, "treatments", ["drug"], "frame given")
    return recognised(complete(treatments, "treatments"))


def _refuse_unknown_reasons(found: pl.Series, rules: ExposureRules) -> None:
    known = rules.stop_reasons.all()
    strange = found.drop_nulls().filter(~found.drop_nulls().is_in(known))
    if strange.len():
        raise StudyError(
            f"treatments, column 'stop_reason': {strange.len()} rows hold none of the known words"
            f"{nearest(strange[0], known)} Map them under `values`. Known: {', '.join(known)}."
        )


def _with_imputed_stops(rows: pl.DataFrame, rules: ExposureRules) -> pl.DataFrame:
    """Gives a stop to a drug given in cycles; adds is_imputed, last_recorded_date and the drug's max_gap_days."""
    exposure, stop = rules.imputed_exposure_days, pl.col("stop_date")
    reason = pl.col("stop_reason")
    untold = reason.is_null() | reason.is_in(exposure.replaces_stop_reasons)
    is_imputed = exposure.days().is_not_null() & (
        stop.is_null() | (untold & (_days(pl.col("start_date"), stop) < exposure.days()))
    )
    return rows.with_columns(
        is_imputed=is_imputed,
        last_recorded_date=pl.coalesce("stop_date", "start_date"),
        max_gap_days=rules.max_gap_days.days(),
        stop_date=pl.when(is_imputed)
        .then(pl.col("start_date") + pl.duration(days=exposure.days()))
        .otherwise(stop),
    )


def _numbered(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """The rows with each patient's place in the ids (UInt32) and each molecule as an Enum, both in the order of the text:
    what is sorted, compared and joined from here on are numbers. And the ids.
    """
    patient = rows["patient_id"]
    starts = (patient != patient.shift()).fill_null(True)
    runs = patient.filter(starts)  # the rows of one patient mostly stand together
    names = runs.unique().sort()
    numbers = names.to_frame().with_row_index("number")
    number = runs.to_frame().join(numbers, on="patient_id", how="left", maintain_order="left")["number"]
    molecules = pl.Enum(rows["molecule"].unique().sort())
    return rows.with_columns(
        pl.col("molecule").cast(molecules), patient_id=number.gather(starts.cum_sum() - 1)
    ), names


def _merged(rows: pl.DataFrame, rules: ExposureRules) -> pl.DataFrame:
    """One row per course, from rows with their stops imputed; a course without stop absorbs all later rows."""
    reason, ends = pl.col("stop_reason"), pl.col("ends")
    in_order = (
        rows.select(
            "patient_id", "molecule", "start_date", "stop_date", reason, "source_row", "is_imputed", "last_recorded_date",
            "max_gap_days",
            begins=pl.col("start_date").to_physical().cast(pl.Int64),
            ends=pl.col("stop_date").to_physical().cast(pl.Int64).fill_null(FOREVER),
        )
        .sort("patient_id", "molecule", "start_date", maintain_order=True)
        .with_columns(course=_starts_anew().cum_sum().set_sorted())
    )  # fmt: skip
    courses = in_order.group_by("course", maintain_order=True).agg(
        pl.col("patient_id", "molecule", "start_date").first(),
        last_start_date=pl.col("start_date").last(),
        last_recorded_date=pl.col("last_recorded_date").max(),
        n_records=pl.len().cast(pl.Int64),
        last_end=ends.max(),
        recorded_end=pl.when(~pl.col("is_imputed")).then("ends").max(),
    )
    # the row that ends last tells how the course stopped; of several, one that tells why
    says_nothing = reason.is_null() | reason.is_in(rules.stop_reasons.not_told)
    last = in_order.filter(ends == courses["last_end"].gather(in_order["course"] - 1))
    if last.height > courses.height:
        last = last.sort("course", says_nothing, "source_row", maintain_order=True)
        last = last.filter(pl.col("course") != pl.col("course").shift(fill_value=0))
    return courses.with_columns(
        course_stop_date=last["stop_date"],
        course_stop_reason=last["stop_reason"],
        has_imputed_stop=(pl.col("recorded_end") < pl.col("last_end")).fill_null(True),
    )


def _starts_anew() -> pl.Expr:
    """True for the first row of a course, of rows sorted by patient, molecule and start."""
    patient, molecule = pl.col("patient_id"), pl.col("molecule")
    other_history = (patient != patient.shift()) | (molecule != molecule.shift())
    offset = other_history.fill_null(True).cum_sum().cast(pl.Int64) * STRIDE
    reached = (offset + pl.col("ends")).cum_max().shift()
    return (offset + pl.col("begins") > reached + pl.col("max_gap_days")).fill_null(True)


def _ended_by_next_drug(courses: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Ends a course with an imputed stop the day before the first later row of another b/tsDMARD."""
    imputed = courses.filter("has_imputed_stop").select("course", "patient_id", "last_start_date")
    # a later row of the molecule itself changes nothing: had it begun before the stop, it would be part of the course
    others = rows.filter(pl.col("kind").is_in(BTS_KINDS)).select("patient_id", next_start="start_date")
    ended = (
        imputed.join(others, on="patient_id")
        .filter(pl.col("next_start") > pl.col("last_start_date"))
        .group_by("course")
        .agg(day_before=pl.col("next_start").min() - pl.duration(days=1))
    )
    return courses.join(ended, on="course", how="left", maintain_order="left").with_columns(
        course_stop_date=pl.min_horizontal("course_stop_date", "day_before")
    )


def _with_next_drug(courses: pl.DataFrame, rules: ExposureRules) -> pl.DataFrame:
    """Adds presumed_from: the first b/tsDMARD course that tells of a failure where the stop has no reason."""
    window, is_bts = rules.presumed_failure, pl.col("kind").is_in(BTS_KINDS)
    reason, stop = pl.col("course_stop_reason"), pl.col("course_stop_date")
    untold = courses.filter(stop.is_not_null(), reason.is_null() | reason.is_in(rules.stop_reasons.not_told))
    others = courses.filter(is_bts).select("patient_id", other="molecule", presumed_from="start_date")
    days_after_stop = _days(stop, pl.col("presumed_from"))
    switch = (pl.col("other") != pl.col("molecule")) & days_after_stop.is_between(
        -window.days_before_stop, window.days_after_stop
    )
    step_up = (pl.col("kind") == "csdmard") & (pl.col("presumed_from") > pl.col("start_date"))
    found = (
        untold.join(others, on="patient_id")
        .filter(pl.when(is_bts).then(switch).otherwise(step_up))
        .group_by("course")
        .agg(pl.col("presumed_from").min())
    )
    return courses.join(found, on="course", how="left", maintain_order="left")


def _as_at(courses: pl.DataFrame, date: pl.Expr, rules: ExposureRules) -> pl.DataFrame:
    """Sets stop_date, stop_reason, outcome and failure_type to what they were at a date on or after the start."""
    stopped = (pl.col("course_stop_date") <= date).fill_null(False)
    reason, reasons = pl.col("course_stop_reason"), rules.stop_reasons
    early = _days(pl.col("start_date"), pl.col("course_stop_date")) <= rules.primary_failure_days.up_to
    primary = reason.is_in(reasons.primary_inefficacy) | (reason.is_in(reasons.inefficacy) & early)
    failure_type = pl.when(primary).then(pl.lit("primary")).otherwise(pl.lit("secondary"))
    return courses.with_columns(
        stop_date=pl.when(stopped).then("course_stop_date"),
        stop_reason=pl.when(stopped).then("course_stop_reason"),
        outcome=_outcome(date, stopped, rules),
    ).with_columns(failure_type=pl.when(pl.col("outcome") == "failed_inefficacy").then(failure_type))


def _outcome(date: pl.Expr, stopped: pl.Expr, rules: ExposureRules) -> pl.Expr:
    reason, reasons, shortest = pl.col("course_stop_reason"), rules.stop_reasons, rules.min_exposure_days
    n_days = _days(pl.col("start_date"), pl.col("course_stop_date"))
    needs_exposure = pl.col("kind").is_in(BTS_KINDS) & ~pl.col("molecule").is_in(shortest.not_for)
    too_short = needs_exposure & (n_days < shortest.at_least)
    inefficacy = pl.when(too_short).then(pl.lit("too_short")).otherwise(pl.lit("failed_inefficacy"))
    return (
        pl.when(~stopped)
        .then(pl.lit("ongoing"))
        .when(reason.is_in(reasons.any_inefficacy))
        .then(inefficacy)
        .when(reason.is_in(reasons.intolerance))
        .then(pl.lit("failed_intolerance"))
        .when(reason.is_in(reasons.other))
        .then(pl.lit("stopped_other"))
        .when(pl.col("presumed_from") <= date)
        .then(pl.lit("presumed_failed"))
        .when(pl.col("has_imputed_stop"))
        .then(pl.lit("stopped_other"))
        .otherwise(pl.lit("unknown"))
    )


def _days(earlier: pl.Expr, later: pl.Expr) -> pl.Expr:
    return (later - earlier).dt.total_days()
