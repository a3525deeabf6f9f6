"""The analysis set: one row per cohort member at the baseline date, every factor as config/risk_factors.yaml says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import polars as pl

from d2tra.codelists import concept_codes, diagnosis_concepts
from d2tra.config import Baseline, Study, setting_path
from d2tra.definitions.facts import latest
from d2tra.errors import StudyError, nearest
from d2tra.extract.biomarkers import known_marker, read_level
from d2tra.follow_up import follow_label
from d2tra.risk_factor_plan import Biomarker, Bmi, Factor, LimitOf, Nearest, OfCourses, Serology, load_plan
from d2tra.scores.bands import band, rounded

Tables = Mapping[str, pl.DataFrame]
DAYS_PER_YEAR = 365.25
POSITIVE, WEAK, NEGATIVE = "positive", "weak positive", "negative"
UNKNOWN = pl.lit(None, dtype=pl.Boolean)
DATES = ("symptom_onset_date", "diagnosis_date", "first_csdmard_date", "first_bts_date")
TABLE_DATES = {
    "visits": "visit_date",
    "scores": "visit_date",
    "treatments": "start_date",
    "courses": "start_date",
}
AUDIT_COUNTS = ["patient_id", "severity", "n_bts_tried", "n_csdmards_before_bts", "methotrexate_before_bts"]
AT_INDEX = "_at_index"
HANGS = "_hangs_on_presumed"


def assemble_analysis_set(
    members: pl.DataFrame,
    sites: Iterable[tuple[str, Tables]],
    study: Study,
    factors: list[Factor] | None = None,
) -> pl.DataFrame:
    """Returns one row per cohort member, sorted by site and patient_id.

    `members`: from `select_cohort`. `sites`: the name of each site and its valid tables, and `courses`, `scores`, `labels`
    and `audit_counts`, by name; a table that a site does not have is no key. A large site may come in spans of patients, one
    after the other, so that no more than one need be in memory; its `courses` come whole with each: what drugs a site records
    at all says what no row of one means.
    Columns: site, patient_id, sequence, baseline_date, index_date, first_bts_date; severity, n_bts_tried,
    n_csdmards_before_bts, methotrexate_before_bts (at the index date); one per definition of the study (met, not_met,
    not_assessable; null = a definition of another disease) and `<definition>_hangs_on_presumed` (Boolean: met, but not
    without presumed failures); FOLLOWED of the primary definition (see `follow_label`; only where a site has `verdicts`, as
    `label_visits` gives them); one per factor at the baseline date, and, where that is not the index date, one
    `<factor>_at_index`.
    """
    factors = list(load_plan().factors.values()) if factors is None else factors
    frames = []
    for site, given in sites:
        # Without treatments nothing is known of any drug: no course is not "no drug".
        tables = {name: rows for name, rows in given.items() if name != "courses" or "treatments" in given}
        of_site = members.filter(pl.col("site") == site).join(tables["patients"], on="patient_id", how="semi")
        of_site = of_site.sort("patient_id")
        dated = of_site.select("site", "patient_id", "sequence", _baseline_date(study.baseline), "index_date")
        counts = tables["audit_counts"].select(*AUDIT_COUNTS)
        whole = dated.with_columns(of_site["first_bts_date"])
        whole = whole.join(counts, on="patient_id", how="left", validate="1:1", maintain_order="left")
        found = [_outcomes(tables["labels"], study.definition_names)]
        found.append(derive_factors(factors, whole, tables, undated_counts=study.baseline == "index"))
        if study.baseline != "index":
            at_index = whole.with_columns(baseline_date="index_date")
            described = derive_factors(factors, at_index, tables, undated_counts=True)
            found.append(described.select("patient_id", pl.exclude("patient_id").name.suffix(AT_INDEX)))
        if "verdicts" in tables:
            found.append(follow_label(tables["verdicts"], tables["patients"], study.data_cut_date))
        for columns in found:
            whole = whole.join(columns, on="patient_id", how="left", validate="1:1", maintain_order="left")
        frames.append(whole)
    return pl.concat(frames).sort("site", "patient_id")


def at_index(analysis_set: pl.DataFrame) -> pl.DataFrame:
    """Returns the analysis set with every factor as it was at the index date, under the factor's own name."""
    twins = [name for name in analysis_set.columns if name.endswith(AT_INDEX)]
    described = analysis_set.with_columns(pl.col(name).alias(name.removesuffix(AT_INDEX)) for name in twins)
    return described.drop(twins)


def derive_factors(
    factors: list[Factor], patients_at: pl.DataFrame, tables: Tables, undated_counts: bool
) -> pl.DataFrame:
    """Returns patient_id and one column per factor, at each patient's baseline_date; nothing later is read.

    `patients_at`: patient_id, baseline_date, first_bts_date, and the audit's counts where factors ask for them. `undated_counts`: a diagnosis without a date counts as
    recorded by baseline (else it leaves the factor unknown). StudyError where a factor asks for one that is not above
    it in config/risk_factors.yaml.
    """
    known = _known_at_baseline(patients_at, tables).with_columns(undated_counts=pl.lit(undated_counts))
    for factor in factors:
        way = next(iter(factor.origin.model_fields_set))
        try:
            value = WAYS[way](getattr(factor.origin, way), known, tables)
            column = value if isinstance(value, pl.Expr) else value.to_series()
            known = known.with_columns(column.alias(factor.name)).with_columns(typed(factor))
        except pl.exceptions.ColumnNotFoundError as problem:
            missing = str(problem).splitlines()[0].strip("\"'")
            above = [f.name for f in factors]
            raise StudyError(
                f"{setting_path('risk_factors')}: factor {factor.name!r}: {missing}{nearest(missing, above)}"
                " Name a column, or a factor written above it."
            ) from problem
    return known.select("patient_id", *(factor.name for factor in factors))


def _baseline_date(baseline: Baseline) -> pl.Expr:
    dates = {"index": "index_date", "first_bts": "first_bts_date", "diagnosis": "diagnosis_date"}
    return pl.col(dates[baseline]).alias("baseline_date")


def _outcomes(labels: pl.DataFrame, definitions: list[str]) -> pl.DataFrame:
    """patient_id, and for each definition the status and whether it hangs on presumed failures."""
    outcomes = labels.select("patient_id").unique(maintain_order=True)
    for name in definitions:
        judged = labels.filter(pl.col("definition") == name)
        judged = judged.select(
            "patient_id", pl.col("status").alias(name), pl.col("hangs_on_presumed").alias(name + HANGS)
        )
        outcomes = outcomes.join(judged, on="patient_id", how="left", validate="1:1", maintain_order="left")
    return outcomes


def _known_at_baseline(patients_at: pl.DataFrame, tables: Tables) -> pl.DataFrame:
    """One row per patient, sorted: the register's columns, and dates where they are not after baseline."""
    counts = [name for name in AUDIT_COUNTS[1:] if name in patients_at.columns]
    courses = tables.get("courses")
    first_csdmards = pl.DataFrame(schema={"patient_id": pl.String, "first_csdmard_date": pl.Date})
    if courses is not None:
        csdmards = courses.filter(pl.col("kind") == "csdmard").group_by("patient_id", maintain_order=True)
        first_csdmards = csdmards.agg(first_csdmard_date=pl.col("start_date").min())
    return (
        patients_at.select("patient_id", "baseline_date", "first_bts_date", *counts)
        .join(tables["patients"].drop("site", strict=False), on="patient_id", how="left", validate="1:1")
        .join(first_csdmards, on="patient_id", how="left", validate="1:1")
        .with_columns(pl.when(pl.col(day) <= pl.col("baseline_date")).then(pl.col(day)) for day in DATES)
        .sort("patient_id")
    )


def typed(factor: Factor) -> pl.Expr:
    """Returns the factor's column in its own type: Boolean, Enum (its levels in their order) or Float64."""
    value = pl.col(factor.name)
    if factor.coding == "category":  # a word that is no level (`unknown`) is missing
        return value.cast(pl.String).cast(pl.Enum(factor.levels), strict=False)
    return value.cast(pl.Boolean if factor.coding == "yes_no" else pl.Float64)


def _per_patient(known: pl.DataFrame, rows: pl.DataFrame, value: pl.Expr) -> pl.DataFrame:
    """One value per patient of `known`, in its order, from the rows of each; null where there are none."""
    values = rows.group_by("patient_id", maintain_order=True).agg(value=value)
    return (
        known.select("patient_id")
        .join(values, on="patient_id", how="left", maintain_order="left")
        .select("value")
    )


def _up_to_baseline(known: pl.DataFrame, rows: pl.DataFrame, day: str) -> pl.DataFrame:
    """The rows dated on or before the patient's baseline, with baseline_date."""
    dated = rows.join(
        known.select("patient_id", "baseline_date"), on="patient_id", how="inner", maintain_order="left"
    )
    return dated.filter(pl.col(day) <= pl.col("baseline_date"))


def _ever_above(spec: Serology, known: pl.DataFrame, tables: Tables) -> pl.DataFrame | pl.Expr:
    """Kleene "any" over the results up to baseline; a text that is no result counts for nothing."""
    if "labs" not in tables:
        return UNKNOWN
    results = _up_to_baseline(known, tables["labs"].filter(pl.col("test") == spec.test), "sample_date")
    word = pl.col("value").str.strip_chars().str.to_lowercase()
    limit, number = rounded(pl.col("upper_limit") * spec.above), rounded(pl.col("number"))
    at_least = pl.col("value").str.strip_chars().str.contains("^[>≥]")
    any_height = spec.above <= 1  # a word tells positive from negative, not how high
    above = (
        pl.when(word.is_in([WEAK, NEGATIVE]))
        .then((word == WEAK) if any_height else False)
        .when(word == POSITIVE)
        .then(True if any_height else None)
        .when(at_least)
        .then(number >= limit)
        .otherwise(number > limit)
    )
    is_result = word.is_in([POSITIVE, WEAK, NEGATIVE]) | pl.col("number").is_not_null()
    return _per_patient(known, results.filter(is_result), above.any(ignore_nulls=False))


def _diagnosed(concept: str, known: pl.DataFrame, tables: Tables) -> pl.DataFrame | pl.Expr:
    """True where coded by baseline; false where not and the site has diagnoses; a date not known: see derive_factors."""
    concept_codes(concept)  # a concept that no code list has is an error, not an absent disease
    if "diagnoses" not in tables:
        return UNKNOWN
    coded = diagnosis_concepts(tables["diagnoses"]).filter(pl.col("concept") == concept)
    dated = coded.join(
        known.select("patient_id", "baseline_date", "undated_counts"), on="patient_id", how="inner"
    )
    undated = pl.when(pl.col("undated_counts")).then(True)
    recorded = pl.when(pl.col("recorded_date").is_null()).then(undated)
    by_baseline = recorded.otherwise(pl.col("recorded_date") <= pl.col("baseline_date"))
    # Nobody is known to be free of a disease at a date that is not known.
    found = _per_patient(
        known, dated.select("patient_id", by=by_baseline), pl.col("by").any(ignore_nulls=False)
    )
    none_coded = pl.when(known["baseline_date"].is_not_null()).then(False)
    absent = ~known["patient_id"].is_in(dated["patient_id"].implode())
    return found.select(pl.when(absent).then(none_coded).otherwise(pl.col("value")))


def _nearest(spec: Nearest, known: pl.DataFrame, tables: Tables) -> pl.DataFrame | pl.Expr:
    if spec.table not in tables:
        return pl.lit(None)
    rows = tables[spec.table]
    if spec.kinds is not None:
        rows = rows.filter(pl.col("kind").is_in(spec.kinds))
    value = pl.col(spec.column) if spec.minus is None else pl.col(spec.column) - pl.col(spec.minus)
    usable = value.is_not_null() & (value.cast(pl.String) != "unknown")
    day = TABLE_DATES[spec.table]
    records = rows.filter(usable).select("patient_id", day, value=value)
    return latest(_days(known, spec.at), records, day, spec.within_days, "baseline_date").select("value")


def _measured(spec: Biomarker, known: pl.DataFrame, tables: Tables) -> pl.DataFrame | pl.Expr:
    """The marker's last result in the window up to baseline: its number or its level."""
    if "biomarkers" not in tables:
        return pl.lit(None)
    levels = known_marker(spec.marker).levels
    value = read_level(pl.col("value"), levels) if levels else pl.col("number")
    rows = tables["biomarkers"].filter(pl.col("marker") == spec.marker)
    records = rows.select("patient_id", "sample_date", value=value).drop_nulls("value")
    return latest(_days(known), records, "sample_date", spec.within_days, "baseline_date").select("value")


def _bmi(spec: Bmi, known: pl.DataFrame, tables: Tables) -> pl.DataFrame:
    """Recorded BMI (kg/m²) or weight / height², of the last visit with either; the last height up to it, or later
    but not after baseline."""
    visits = _up_to_baseline(known, tables["visits"], "visit_date").sort("patient_id", "visit_date")
    height_m = (
        pl.coalesce(
            pl.col("height_cm").forward_fill().over("patient_id"),
            pl.col("height_cm").backward_fill().over("patient_id"),
        )
        / 100
    )
    bmi = pl.coalesce("bmi_kg_m2", pl.col("weight_kg") / height_m**2)
    records = visits.select("patient_id", "visit_date", value=bmi).filter(pl.col("value").is_not_null())
    return latest(_days(known), records, "visit_date", spec.within_days, "baseline_date").select("value")


def _days(known: pl.DataFrame, at: str = "baseline_date") -> pl.DataFrame:
    return known.select("patient_id", baseline_date=at)


def _within_limit(spec: LimitOf, known: pl.DataFrame, tables: Tables) -> pl.Expr:  # noqa: ARG001
    """A level not known leaves open only what its possible limits judge differently."""
    value = pl.col(spec.of)
    if spec.by is None:
        return spec.holds(value)
    own = {level: limit.holds(value) for level, limit in spec.others.items()}
    every = [spec.holds(value), *own.values()]
    judged = pl.when(pl.all_horizontal(every)).then(True).when(~pl.any_horizontal(every)).then(False)
    by_level = every[0]
    for level, holds in own.items():
        by_level = pl.when(pl.col(spec.by) == level).then(holds).otherwise(by_level)
    return pl.when(pl.col(spec.by).is_null()).then(judged).otherwise(by_level)


def _ongoing(kind: str, known: pl.DataFrame, tables: Tables) -> pl.DataFrame | pl.Expr:
    """True in a course of the kind at baseline. A site without any of that kind leaves it unknown, unless it says that it
    records glucocorticoids: then nobody takes any."""
    says_so = kind == "glucocorticoid" and "records_glucocorticoids" in known.columns
    records = says_so and known["records_glucocorticoids"].any()
    if "courses" not in tables or not (records or tables["courses"]["kind"].eq(kind).any()):
        return UNKNOWN
    courses = _up_to_baseline(known, tables["courses"].filter(pl.col("kind") == kind), "start_date")
    is_open = (pl.col("stop_date") > pl.col("baseline_date")).fill_null(True)
    found = _per_patient(known, courses, is_open.any())
    return found.select(pl.when(known["baseline_date"].is_not_null()).then(pl.col("value").fill_null(False)))


def _of_courses(spec: OfCourses, known: pl.DataFrame, tables: Tables) -> pl.DataFrame:
    return _up_to_baseline(known, tables[spec.table].filter(pl.col("kind").is_in(spec.kinds)), "start_date")


def _first(spec: OfCourses, known: pl.DataFrame, tables: Tables) -> pl.DataFrame | pl.Expr:
    if spec.table not in tables:
        return pl.lit(None)
    started = _of_courses(spec, known, tables).sort(
        "patient_id", "start_date", spec.column, maintain_order=True
    )
    return _per_patient(known, started, pl.col(spec.column).first())


def _count(spec: OfCourses, known: pl.DataFrame, tables: Tables) -> pl.DataFrame | pl.Expr:
    if spec.table not in tables:
        return pl.lit(None)
    value = pl.col(spec.column).str.strip_chars().str.to_lowercase()
    found = _per_patient(known, _of_courses(spec, known, tables), value.drop_nulls().n_unique())
    return found.select(pl.when(known["baseline_date"].is_not_null()).then(pl.col("value").fill_null(0)))


def _year(day: str) -> pl.Expr:
    return pl.col(day).dt.year()


def _days_from(first: str, last: str) -> pl.Expr:
    """Whole days from the first to the last date; null where the order is the other way round."""
    days = (pl.col(last) - pl.col(first)).dt.total_days()
    return pl.when(days >= 0).then(days)


WAYS: dict[str, Callable[[Any, pl.DataFrame, Tables], pl.DataFrame | pl.Expr]] = {
    "column": lambda column, _known, _tables: pl.col(column),
    "serology": _ever_above,
    "concept": _diagnosed,
    "nearest": _nearest,
    "biomarker": _measured,
    "bmi": _bmi,
    "limit": _within_limit,
    "bands": lambda spec, _known, _tables: band(pl.col(spec.of), spec.edges),
    "first_known": lambda names, _known, _tables: pl.coalesce(names),
    "all_of": lambda names, _known, _tables: pl.all_horizontal(names),
    "any_of": lambda names, _known, _tables: pl.any_horizontal(names),
    "age_at": lambda day, _known, _tables: _year(day) - pl.col("birth_year"),
    "years_since": lambda day, _known, _tables: _days_from(day, "baseline_date") / DAYS_PER_YEAR,
    "months_between": lambda days, _known, _tables: _days_from(*days) * 12 / DAYS_PER_YEAR,
    "year_of": lambda day, _known, _tables: _year(day),
    "since": lambda spec, _known, _tables: pl.col(spec.date) >= spec.day,
    "ongoing": _ongoing,
    "first": _first,
    "count": _count,
}
