"""Is the extract plausible? What is incomplete, contradictory or unlikely in valid tables: listed, never set aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from d2tra.config import setting
from d2tra.extract.contradictions import contradictions
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.site import TABLES, SiteMapping

Rescore = Callable[[pl.DataFrame, "pl.DataFrame | None"], pl.DataFrame]
QUALITY: dict[str, pl.DataType] = {
    "table": pl.String(), "column": pl.String(), "check": pl.String(), "severity": pl.String(), "n": pl.Int64(),
    "message": pl.String(),
}  # fmt: skip
FORMS = {"esr4": "das28_esr", "esr3": "das28_esr_3v", "crp4": "das28_crp", "crp3": "das28_crp_3v"}
FORMS_WITH_GLOBAL = {form: score for form, score in FORMS.items() if form.endswith("4")}
DECIMALS = 4


@dataclass(frozen=True)
class Finding:
    """One line of quality.csv before its severity is known: how many rows of a table, and what that means."""

    table: str
    column: str
    check: str
    n: int
    message: str


def check_quality(
    valid: Mapping[str, pl.DataFrame],
    scores: pl.DataFrame,
    site: SiteMapping,
    overlaps: pl.DataFrame,
    unstopped: pl.DataFrame,
    rescore: Rescore,
    units: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Returns the findings: table, column, check, severity (note, warning), n (rows, or cells), message; no patient ids.

    `valid`: the valid tables · `scores`: of `score_visits` · `overlaps`: of `overlapping_courses` · `unstopped`: of
    `stop_reasons_without_stop` · `rescore`: `score_visits` itself · `units`: of `judge_units`. Checks and their limits: `config/quality.yaml`.
    Order: the tables in canonical order; within a table the order of the checks.
    """
    settings = setting("quality")
    checks: dict[str, dict[str, Any]] = settings["checks"]
    found = [
        *_missing(valid),
        *_recorded(valid["visits"], scores, checks),
        *_impossible_globals(valid["visits"], valid.get("labs"), rescore, checks),
        *_visits(valid["visits"], valid["patients"], checks),
        *_units(valid["visits"], valid.get("labs"), checks, site),
        *_borrowed(scores),
        *_criterion_3(valid["visits"]),
        *(Finding(*found) for found in contradictions(valid, checks)),
        *_not_judged(units),
    ]
    if "treatments" in valid:
        found += _treatments(valid, overlaps, unstopped, checks, settings["licensed_from"])
    order = list[str](TABLES).index
    rows = [
        (f.table, f.column, f.check, checks[f.check]["severity"], f.n, f.message)
        for f in sorted(found, key=lambda f: order(f.table))
        if f.n
    ]
    return pl.DataFrame(rows, schema=QUALITY, orient="row")


def _missing(valid: Mapping[str, pl.DataFrame]) -> Iterator[Finding]:
    for table, rows in valid.items():
        for column in COLUMNS[table].values():
            n = rows[column.name].null_count()
            if column.need != "R":
                share = 100 * n / max(rows.height, 1)
                yield Finding(
                    table, column.name, "missing", n, f"{n} of {rows.height} cells are empty ({share:.1f} %)."
                )


def _recorded(
    visits: pl.DataFrame, scores: pl.DataFrame, checks: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    """Scores as the clinic recorded them against ours: the recomputed one is used for every label."""
    names = [*FORMS.values(), "cdai", "sdai"]
    both = visits.join(
        scores.select("patient_id", "visit_date", *names), on=["patient_id", "visit_date"], how="left"
    )
    own = pl.lit(None, dtype=pl.Float64)
    for form, score in FORMS.items():
        own = pl.when(pl.col("recorded_das28_form") == form).then(score).otherwise(own)
    for score, ours in (("das28", own), ("cdai", pl.col("cdai")), ("sdai", pl.col("sdai"))):
        check, column = f"recorded_{score}_differs", f"recorded_{score}"
        limit = checks[check]["above"]
        compared = both.select(off=_rounded((pl.col(column) - ours).abs())).drop_nulls()
        n = compared.filter(pl.col("off") > limit).height
        yield Finding(
            "visits", column, check, n,
            f"{n} of {compared.height} recorded {score.upper()} that could be recomputed differ by more than {limit}; "
            "the recomputed one is used.",
        )  # fmt: skip
    unclear = pl.col("recorded_das28").is_not_null() & pl.col("recorded_das28_form").is_null()
    n = visits.filter(unclear).height
    yield Finding(
        "visits", "recorded_das28_form", "recorded_das28_without_form", n,
        f"{n} recorded DAS28 were compared with none, as recorded_das28_form does not say which form they are.",
    )  # fmt: skip


def _impossible_globals(
    visits: pl.DataFrame, labs: pl.DataFrame | None, rescore: Rescore, checks: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    """Recorded 4-variable DAS28 that no patient global of 0 to 100 mm would give; judged where none is recorded."""
    tolerance = float(checks["recorded_das28_impossible_global"]["tolerance_mm"])
    asked = visits.filter(
        pl.col("recorded_das28").is_not_null(),
        pl.col("recorded_das28_form").is_in(list(FORMS_WITH_GLOBAL)),
        pl.col("patient_global_mm").is_null(),
    )
    if asked.is_empty():
        return
    key = ["patient_id", "visit_date"]
    judged = asked.select(*key, "recorded_das28", "recorded_das28_form")
    for end in (-tolerance, 100.0 + tolerance):
        scored = rescore(asked.with_columns(patient_global_mm=pl.lit(end)), labs)
        judged = judged.join(scored.select(*key, *FORMS_WITH_GLOBAL.values()), on=key, suffix="_highest")
    within = pl.lit(None, dtype=pl.Boolean)
    for form, score in FORMS_WITH_GLOBAL.items():
        possible = _rounded(pl.col("recorded_das28")).is_between(
            _rounded(pl.col(score)), _rounded(pl.col(f"{score}_highest"))
        )
        within = pl.when(pl.col("recorded_das28_form") == form).then(possible).otherwise(within)
    judged = judged.select(within=within).drop_nulls()
    n = judged.filter(~pl.col("within")).height
    yield Finding(
        "visits", "recorded_das28", "recorded_das28_impossible_global", n,
        f"{n} of {judged.height} recorded DAS28 without a recorded patient global would need one outside 0 to 100 mm by more than {tolerance:g} mm: "
        "the score or a component is wrong, or it is another form.",
    )  # fmt: skip


def _visits(
    visits: pl.DataFrame, patients: pl.DataFrame, checks: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    rule = checks["carried_forward"]
    components = rule["components"]
    known = pl.sum_horizontal(pl.col(name).is_not_null() for name in components) >= rule["known_at_least"]
    copies = (
        visits.filter(known)
        .group_by("patient_id", *components, maintain_order=True)
        .len()
        .filter(pl.col("len") >= rule["visits_at_least"])
    )
    n = int(copies["len"].sum())
    yield Finding(
        "visits", "visit_date", "carried_forward", n,
        f"{n} visits of {copies['patient_id'].n_unique()} patients repeat the same components at "
        f"{rule['visits_at_least']} or more visits, as if copied forward.",
    )  # fmt: skip
    after = visits.join(patients.select("patient_id", "death_month"), on="patient_id").filter(
        pl.col("visit_date").dt.strftime("%Y-%m") > pl.col("death_month")
    )
    yield Finding(
        "visits",
        "visit_date",
        "visit_after_death",
        after.height,
        f"{after.height} visits lie after the month of death.",
    )
    both = visits.select("patient_global_mm", "pain_mm").drop_nulls()
    n = both.filter(pl.col("patient_global_mm") == pl.col("pain_mm")).height
    if 100 * n > checks["global_equals_pain"]["above_percent"] * both.height:
        message = f"patient global and pain are equal at {n} of {both.height} visits: is one of them a copy?"
        yield Finding("visits", "pain_mm", "global_equals_pain", n, message)


def _units(
    visits: pl.DataFrame,
    labs: pl.DataFrame | None,
    checks: Mapping[str, Mapping[str, Any]],
    site: SiteMapping,
) -> Iterator[Finding]:
    """Columns whose values look as if they were in another unit than the one they are taken for."""
    rule = checks["crp_looks_like_mg_dl"]
    columns = [("visits", "crp_mg_l", visits["crp_mg_l"])]
    if labs is not None:
        columns.append(("labs", "value", labs.filter(test="crp")["number"]))
    for table, name, values in columns:
        crp = values.drop_nulls().to_numpy()
        if len(crp) < rule["values_at_least"]:
            continue
        median, highest = float(np.median(crp)), float(crp.max())
        if median < rule["median_below"] and highest < rule["highest_below"]:
            yield Finding(
                table, name, "crp_looks_like_mg_dl", len(crp),
                f"CRP has a median of {median:.2f} and a maximum of {highest:g} mg/L: is it in mg/dL? "
                f"Declare its unit in {site.path}.",
            )  # fmt: skip
    rule = checks["global_looks_like_cm"]
    for name in ("patient_global_mm", "physician_global_mm", "pain_mm", "fatigue_mm"):
        marks = visits[name].drop_nulls().to_numpy()
        if len(marks) >= rule["values_at_least"] and marks.max() <= rule["highest_up_to"]:
            message = f"no value is above {marks.max():g} mm: is it in cm? Declare its unit in {site.path}."
            yield Finding("visits", name, "global_looks_like_cm", len(marks), message)


def _not_judged(units: pl.DataFrame | None) -> Iterator[Finding]:
    """Groups of too few values for the unit sentinel: nobody has looked at their unit, and that is said."""
    if units is None:
        return
    small = units.filter(verdict="not judged")
    for (table, column, by), groups in small.group_by("table", "column", "by", maintain_order=True):
        message = (
            f"the unit of {groups['n'].sum()} values in {groups.height} groups by {by} was not judged by itself: "
            "too few of them in a group."
        )
        yield Finding(str(table), str(column), "unit_not_judged", int(groups["n"].sum()), message)


def _borrowed(scores: pl.DataFrame) -> Iterator[Finding]:
    for test, column in (("esr", "esr_mm_h"), ("crp", "crp_mg_l")):
        n = scores.filter(pl.col(f"{test}_source") == "lab").height
        message = f"{n} of {scores.height} visits took their {test.upper()} from a laboratory result of another record."
        yield Finding("visits", column, "borrowed_labs", n, message)


def _criterion_3(visits: pl.DataFrame) -> Iterator[Finding]:
    flags = ["problematic_to_patient", "problematic_to_rheumatologist"]
    n = visits.filter(pl.all_horizontal(pl.col(flags).is_null())).height
    recorded = visits.filter(pl.any_horizontal(pl.col(flags).is_not_null()))["patient_id"].n_unique()
    without, total = visits["patient_id"].n_unique() - recorded, visits["patient_id"].n_unique()
    yield Finding(
        "visits", flags[0], "criterion_3_unrecorded", n,
        f"{n} of {visits.height} visits ({100 * n / max(visits.height, 1):.1f} %) tell of neither flag of criterion 3; "
        f"{without} of {total} patients have none at any visit.",
    )  # fmt: skip


def _treatments(
    valid: Mapping[str, pl.DataFrame],
    overlaps: pl.DataFrame,
    unstopped: pl.DataFrame,
    checks: Mapping[str, Mapping[str, Any]],
    licensed_from: Mapping[str, int],
) -> Iterator[Finding]:
    rows = valid["treatments"].join(
        valid["patients"].select("patient_id", "birth_year", "diagnosis_date"), on="patient_id"
    )
    years = checks["start_long_before_diagnosis"]["above_years"]
    long_before = pl.col("start_date") < pl.col("diagnosis_date").dt.offset_by(f"-{years}y")
    licence = pl.col("molecule").replace_strict(dict(licensed_from), default=None, return_dtype=pl.Int64)
    early = {
        "start_long_before_diagnosis": (long_before, f"more than {years} years before the diagnosis"),
        "start_before_licence": (
            pl.col("start_date").dt.year() < licence,
            "before the drug was licensed in the EU",
        ),
        "start_before_birth": (
            pl.col("start_date").dt.year() < pl.col("birth_year"),
            "before the year of birth",
        ),
    }
    for check, (condition, words) in early.items():
        n = rows.filter(condition).height
        yield Finding("treatments", "start_date", check, n, f"{n} rows start {words}.")
    n, people = overlaps.height, overlaps["patient_id"].n_unique()
    yield Finding(
        "treatments", "start_date", "overlapping_courses", n,
        f"{n} pairs of b/tsDMARD courses of different molecules, of {people} patients, overlap; both are kept.",
    )  # fmt: skip
    yield Finding(
        "treatments", "stop_date", "stop_reason_without_stop_date", unstopped.height,
        f"{unstopped.height} rows tell why the drug was stopped but not when; their courses stay ongoing.",
    )  # fmt: skip


def _rounded(number: pl.Expr) -> pl.Expr:
    return number.round(DECIMALS, mode="half_away_from_zero")
