"""Measurements and observations of the OMOP CDM: laboratory results, clinic assessments, facts of a patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from d2tra.extract.cells import UNITS, plain_unit, read_number
from d2tra.extract.omop_codes import Codes
from d2tra.extract.omop_tables import CDM
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.site import SiteMapping

NO_ASSESSMENT = (
    "weight_kg",
    "height_cm",
    "bmi_kg_m2",
    "esr_mm_h",
    "crp_mg_l",
)  # measured anywhere: alone they make no clinic assessment
UNLISTED = "concept and source value are not in omop.csv"
ALONE = "weight, height, BMI, ESR or CRP of a visit on a day without an assessment"


@dataclass(frozen=True)
class Records:
    """What measurements and observations are worth: canonical labs and visits as text; facts (person_id, one column per
    fact); fates (cdm_table, became: one row per row); the rows that are not listed, or whose unit is not understood."""

    labs: pl.DataFrame
    visits: pl.DataFrame
    facts: pl.DataFrame
    fates: pl.DataFrame
    unlisted: pl.DataFrame
    odd_units: pl.DataFrame


def shape_records(members: Mapping[str, pl.DataFrame], codes: Codes, site: SiteMapping) -> Records:
    """Returns the records of everybody's measurements, observations and visits (tables of the CDM as text).

    A result of esr, crp, rf or anti_ccp is a row of labs. What a clinic measures is gathered by person and date into a
    row of visits; a fact of the patient is the one recorded last. Two different values of one column on one date are
    both left out.
    """
    rows = pl.concat([_alike(members, table) for table in ("measurement", "observation")]).with_row_index("n")
    rows = _valued(rows, codes, site)
    fate = (
        pl.when(pl.col("meaning").is_null()).then(pl.lit(UNLISTED))
        .when(pl.col("date").is_null()).then(pl.lit("no date"))
        .when("odd_unit").then(pl.lit("unit is not understood"))
        .when(pl.col("text").is_null()).then(pl.lit("no value"))
    )  # fmt: skip
    rows = rows.with_columns(became=fate)
    table, column = (pl.col("meaning").str.extract(r"^(\w+)\.(\w+)", part) for part in (1, 2))
    usable = rows.filter(pl.col("became").is_null()).with_columns(table=table, column=column)
    labs = usable.filter(table="labs")
    visits, visit_fates = _visits(usable.filter(table="visits"))
    facts, fact_fates = _facts(usable.filter(table="patients"))
    fates = pl.concat(
        [
            rows.filter(pl.col("became").is_not_null()).select("cdm_table", "became"),
            labs.select("cdm_table", became=pl.lit("labs")),
            visit_fates,
            fact_fates,
            _fates_of_visits(members, visits),
        ]
    )
    return Records(
        labs=labs.select(
            patient_id="person_id",
            sample_date="date",
            test="column",
            value="text",
            unit="unit",
            upper_limit="range_high",
        ).sort("patient_id", "sample_date", "test", "value", "unit", "upper_limit"),
        visits=visits,
        facts=facts,
        fates=fates,
        unlisted=rows.filter(became=UNLISTED),
        odd_units=rows.filter(pl.col("odd_unit") & (pl.col("became") == "unit is not understood")),
    )


def _alike(members: Mapping[str, pl.DataFrame], table: str) -> pl.DataFrame:
    """A table's rows with columns of one name in both tables."""
    every = [f"{table}_{name}" for name in ("concept_id", "source_concept_id", "source_value", "date")]
    wanted = sorted({*CDM["measurement"].other, *CDM["observation"].other, "person_id", *every})
    rows = members.get(table, pl.DataFrame(schema=dict.fromkeys(["cdm_table", *wanted], pl.String)))
    plain = {name: pl.col(name) if name in rows.columns else pl.lit(None, dtype=pl.String) for name in (
        "cdm_table", "person_id", "operator_concept_id", "value_as_number", "value_as_concept_id", "value_as_string",
        "value_source_value", "unit_concept_id", "unit_source_value", "range_high",
    )}  # fmt: skip
    concept, source_concept, source_value, date = (pl.col(name) for name in every)
    return rows.select(
        **plain,
        concept=concept,
        source_concept=source_concept,
        source_value=source_value,
        date=date.str.head(10),
    )


def _valued(rows: pl.DataFrame, codes: Codes, site: SiteMapping) -> pl.DataFrame:
    """The rows with meaning (`labs.crp`, null = not listed), text (the value in our unit), unit, odd_unit."""
    meaning = codes.meaning("recorded", "concept", "source_concept", source="source_value")
    stated = codes.meaning("unit", "unit_concept_id", source="unit_source_value")
    rows = rows.with_columns(
        meaning=meaning.str.extract(r"^([^=]+)"),
        told=meaning.str.extract(r"=(.+)$"),
        number=read_number(pl.col("value_as_number")),
        word=pl.coalesce(
            codes.meaning("word", "value_as_concept_id", source="value_source_value"),
            "value_as_string", codes.name_of("value_as_concept_id").str.to_lowercase(),
        ),
        unit=pl.coalesce(stated, "unit_source_value"),
        range_high=_written(read_number(pl.col("range_high"))),
    ).with_columns(used_unit=plain_unit(pl.coalesce("unit", codes.default_unit("meaning"))))  # fmt: skip
    factor = pl.lit(1.0)
    for column in COLUMNS["visits"].values():
        if column.unit:
            factors = {unit: float(factor) for unit, factor in UNITS[column.unit].items()}
            own = pl.col("used_unit").replace_strict(factors, default=None, return_dtype=pl.Float64)
            factor = pl.when(pl.col("meaning") == f"visits.{column.name}").then(own).otherwise(factor)
    number, operator = pl.col("number"), codes.meaning("operator", "operator_concept_id").fill_null("")
    reported = pl.concat_str(operator, _written(number))
    is_titre = pl.col("meaning").is_in(
        [f"labs.{test}" for test in ("rf", "anti_ccp") if test not in site.upper_limits]
    )
    says_more = is_titre & pl.col("range_high").is_null() & pl.col("word").is_in(["positive", "negative"])
    in_lab = pl.when(says_more).then("word").otherwise(pl.coalesce(reported, "word", "value_source_value"))
    elsewhere = pl.coalesce(_written((number * factor).round(6)), "word", "value_source_value")
    return rows.with_columns(
        text=pl.coalesce(
            "told", pl.when(pl.col("meaning").str.starts_with("labs.")).then(in_lab).otherwise(elsewhere)
        ),
        odd_unit=(factor.is_null() & number.is_not_null()).fill_null(False),
    )


def _written(number: pl.Expr) -> pl.Expr:
    """A number as a person would write it: without `.0`."""
    return number.cast(pl.String).str.strip_suffix(".0")


def _visits(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table visits, and what became of the rows."""
    day = ["person_id", "date", "column"]
    rows = rows.with_columns(
        n_values=pl.col("text").n_unique().over(day), is_first=pl.col("n") == pl.col("n").min().over(day)
    ).with_columns(
        is_assessment=(~pl.col("column").is_in(NO_ASSESSMENT) & (pl.col("n_values") == 1))
        .any()
        .over("person_id", "date")
    )
    fate = (
        pl.when(pl.col("n_values") > 1).then(pl.lit("another value of the same day contradicts it"))
        .when(~pl.col("is_assessment")).then(pl.lit(ALONE))
        .when("is_first").then(pl.lit("visits"))
        .otherwise(pl.lit("the same value of the same day once more"))
    )  # fmt: skip
    rows = rows.with_columns(became=fate)
    used = rows.filter(became="visits")
    columns = [name for name in COLUMNS["visits"] if name in set(used["column"])]
    wide = (
        used.pivot(on="column", on_columns=columns, index=["person_id", "date"], values="text")
        if columns
        else used.select("person_id", "date")
    )
    visits = wide.select(
        pl.col("person_id").alias("patient_id"), pl.col("date").alias("visit_date"), *columns
    )
    return visits.sort("patient_id", "visit_date"), rows.select("cdm_table", "became")


def _facts(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What was recorded last of every fact: person_id and a column each; and what became of the rows."""
    of_one = ["person_id", "column"]
    is_last = pl.col("date") == pl.col("date").max().over(of_one)
    rows = rows.with_columns(is_last=is_last).with_columns(
        n_values=pl.col("text").filter("is_last").n_unique().over(of_one)
    )
    rows = rows.with_columns(
        became=pl.when(~pl.col("is_last")).then(pl.lit("a later record replaces it"))
        .when(pl.col("n_values") > 1).then(pl.lit("another value of the same day contradicts it"))
        .otherwise(pl.lit("patients"))
    )  # fmt: skip
    used = rows.filter(became="patients").unique([*of_one, "text"], maintain_order=True)
    columns = [name for name in COLUMNS["patients"] if name in set(used["column"])]
    wide = (
        used.pivot(on="column", on_columns=columns, index="person_id", values="text")
        if columns
        else used.select("person_id")
    )
    return wide.select("person_id", *columns), rows.select("cdm_table", "became")


def _fates_of_visits(members: Mapping[str, pl.DataFrame], visits: pl.DataFrame) -> pl.DataFrame:
    """visit_occurrence holds no measurement of its own: its rows are days with or without an assessment."""
    if "visit_occurrence" not in members:
        return pl.DataFrame(schema={"cdm_table": pl.String, "became": pl.String})
    days = members["visit_occurrence"].select(
        "cdm_table", patient_id="person_id", visit_date=pl.col("visit_start_date").str.head(10)
    )
    seen = visits.select("patient_id", "visit_date", is_seen=pl.lit(True))
    days = days.join(seen, on=["patient_id", "visit_date"], how="left")
    words = (
        pl.when("is_seen")
        .then(pl.lit("a day of an assessment in visits"))
        .otherwise(pl.lit("a day without an assessment"))
    )
    return days.select("cdm_table", became=words)
