"""Rules of single tables: a patient's dates, laboratory results, the names of drugs, imaging findings, biomarkers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import polars as pl

from d2tra.config import setting
from d2tra.extract.biomarkers import known_markers, nearest_marker, read_biomarkers
from d2tra.extract.cells import read_lab_results
from d2tra.extract.findings import find
from d2tra.extract.health_numbers import is_snomed_identifier
from d2tra.extract.schemas import IMAGING_MEASURES, LAB_COLUMNS
from d2tra.extract.site import SiteMapping

Recogniser = Callable[[pl.Series, pl.Series], pl.DataFrame]
Findings = list[pl.DataFrame]
DRUG_RULES = {
    "unknown": "unknown_drug", "two_molecules": "two_drugs", "look_alike": "look_alike_drug",
    "atc_disagrees": "drug_and_code_differ",
}  # fmt: skip


def split_drugs(rows: pl.DataFrame, separators: list[str], recognise: Recogniser) -> pl.DataFrame:
    """Returns one row per drug where the site declares what separates several drugs in one cell (`MTX/SSZ`).

    Only texts that are no drug as they stand are split, so that `methotrexate s/c` stays whole; the ATC code of a
    text that was split belongs to none of its parts and is left out.
    """
    if "atc_code" not in rows.columns:
        rows = rows.with_columns(atc_code=pl.lit(None, dtype=pl.String))
    for separator in separators:
        problem = recognise(rows["drug"], rows["atc_code"])["problem"]
        packed = problem.is_in(["unknown", "two_molecules"]) & rows["drug"].str.contains(
            separator, literal=True
        )
        packed = packed.fill_null(False)
        if packed.any():
            parts = (
                pl.when(packed).then(pl.col("drug").str.split(separator)).otherwise(pl.concat_list("drug"))
            )
            code = pl.when(~packed).then("atc_code")
            rows = rows.with_columns(drug=parts, atc_code=code).explode("drug")
            rows = rows.with_columns(pl.col("drug").str.strip_chars())
            rows = rows.filter((pl.col("drug") != "").fill_null(True))
    return rows


def empty_patient_cells(
    typed: pl.DataFrame, cut: dt.date | None, twice: pl.Series
) -> tuple[pl.DataFrame, Findings]:
    """Empties a sequence that occurs twice, in all its rows, and years, months and dates after the extract's cut."""
    broken = {"sequence": ("sequence_twice", pl.col("sequence").is_in(twice.implode()))}
    if cut:
        broken["birth_year"] = ("after_cut", pl.col("birth_year") > cut.year)
        broken["death_month"] = ("after_cut", pl.col("death_month") > f"{cut:%Y-%m}")
        for name in ("symptom_onset_date", "diagnosis_date", "last_contact_date"):
            broken[name] = ("after_cut", pl.col(name) > cut)
    findings = [find(typed, "patients", name, rule, where) for name, (rule, where) in broken.items()]
    emptied = [
        pl.when(~where.fill_null(False)).then(pl.col(name)).alias(name) for name, (_, where) in broken.items()
    ]
    return typed.with_columns(emptied), findings


def read_results(labs: pl.DataFrame, site: SiteMapping) -> tuple[pl.DataFrame, Findings]:
    """Adds number and is_censored, fills upper limits with the declared ones; findings for what is no result."""
    labs, findings = _read_words(labs)
    limits = {str(test): limit for test, limit in site.upper_limits.items()}
    declared = (
        pl.col("test").replace_strict(limits, default=None, return_dtype=pl.Float64)
        if limits
        else pl.lit(None)
    )
    labs = labs.with_columns(upper_limit=pl.coalesce("upper_limit", declared.cast(pl.Float64)))
    labs = labs.with_columns(read_lab_results(labs, site.crp_unit, site.censored))
    given = pl.col("value").is_not_null() & pl.col("test").is_not_null()
    problem = {rule: given & (pl.col("problem") == rule) for rule in ("no_result", "no_unit", "unknown_unit")}
    outside = pl.lit(False)
    for test, column in LAB_COLUMNS.items():
        outside |= (pl.col("test") == test) & ~pl.col("number").is_between(column.low, column.high)
    findings += [
        find(labs, "labs", "value", "own_unit", pl.col("has_own_unit")),
        find(labs, "labs", "value", "no_result", problem["no_result"]),
        find(labs, "labs", "unit", "no_unit", problem["no_unit"]),
        find(labs, "labs", "unit", "unknown_unit", problem["unknown_unit"]),
        find(labs, "labs", "value", "lab_out_of_range", outside),
    ]
    return labs.drop("problem", "has_own_unit"), findings


def _read_words(labs: pl.DataFrame) -> tuple[pl.DataFrame, Findings]:
    """Words and titres of RF and anti-CCP as positive, negative, weak positive (`result_words` of config/quality.yaml)."""
    stated = dict(setting("quality")["result_words"])
    least = stated.pop("titre_positive_from")
    words = {str(theirs): ours for ours, all_theirs in stated.items() for theirs in all_theirs}
    titre = pl.col("value").str.extract(r"^1\s*[:/]\s*([0-9]{1,6})$").cast(pl.Int64)
    read = pl.coalesce(
        pl.col("value").str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.String),
        pl.when(titre >= least).then(pl.lit("positive")).when(titre < least).then(pl.lit("negative")),
    )
    read = pl.when(pl.col("test").is_in(["rf", "anti_ccp"])).then(read)
    found = find(labs, "labs", "value", "result_word", read.is_not_null())
    return labs.with_columns(value=pl.coalesce(read, "value")), [found]


def check_codes(diagnoses: pl.DataFrame) -> Findings:
    """Findings for SNOMED CT codes that are none: a spreadsheet has rounded them, or written 1.57E+16."""
    snomed = pl.col("code_system") == "snomed"
    codes = diagnoses.filter(snomed)["code"].drop_nulls().unique()
    damaged = pl.Series([code for code in codes if not is_snomed_identifier(code)], dtype=pl.String)
    return [
        find(diagnoses, "diagnoses", "code", "damaged_code", snomed & pl.col("code").is_in(damaged.implode()))
    ]


def name_drugs(treatments: pl.DataFrame, recognise: Recogniser) -> tuple[pl.DataFrame, Findings]:
    """Adds molecule, kind, mechanism; a finding for each drug that is not recognised, with the nearest spelling.

    A daily dose that only a week can hold (`weekly_drugs` of config/quality.yaml) is emptied.
    """
    known = recognise(treatments["drug"], treatments["atc_code"])
    named = treatments.with_columns(known.select("molecule", "kind", "mechanism", "suggestion", "problem"))
    nearest = pl.concat_str(pl.lit(" Nearest known spelling: "), "suggestion", pl.lit("."))
    findings = [
        find(named, "treatments", "drug", rule, pl.col("drug").is_not_null() & (pl.col("problem") == problem),
             detail=nearest)
        for problem, rule in DRUG_RULES.items()
    ]  # fmt: skip
    most = pl.col("molecule").replace_strict(
        setting("quality")["weekly_drugs"], default=None, return_dtype=pl.Float64
    )
    too_much = (pl.col("daily_dose_mg") > most).fill_null(False)
    findings.append(find(named, "treatments", "daily_dose_mg", "weekly_drug_daily", too_much))
    dose = pl.when(~too_much).then("daily_dose_mg").alias("daily_dose_mg")
    return named.with_columns(dose).drop("suggestion", "problem"), findings


def check_imaging(imaging: pl.DataFrame) -> Findings:
    """Findings for measures of another modality, and for values that the measure does not take."""
    wrong, outside = pl.lit(False), pl.lit(False)
    for measure, (modality, low, high, whole) in IMAGING_MEASURES.items():
        this = pl.col("measure") == measure
        wrong |= this & (pl.col("modality") != modality)
        fits = pl.col("value").is_between(low, high)
        outside |= this & ~(fits & (pl.col("value") == pl.col("value").round(0)) if whole else fits)
    return [
        find(imaging, "imaging", "modality", "wrong_modality", wrong),
        find(imaging, "imaging", "value", "imaging_out_of_range", outside),
    ]


def read_markers(biomarkers: pl.DataFrame, site: SiteMapping) -> tuple[pl.DataFrame, Findings]:
    """Adds number; findings for a marker that is not known (with the nearest), and for what a known one does not take."""
    read = biomarkers.with_columns(read_biomarkers(biomarkers, site.censored))
    names = read.filter(problem="unknown_marker")["marker"].unique(maintain_order=True).to_list()
    details = {name: nearest_marker(name) for name in names}
    details |= {name: f" {name} takes {marker.says()}." for name, marker in known_markers().items()}
    detail = pl.col("marker").replace_strict(details, default=None, return_dtype=pl.String)
    columns = {"unknown_marker": "marker", "wrong_marker_unit": "unit", "biomarker_out_of_range": "value"}
    findings = [
        find(read, "biomarkers", column, rule, pl.col("problem") == rule, detail)
        for rule, column in columns.items()
    ]
    findings.append(find(read, "biomarkers", "value", "own_unit", pl.col("has_own_unit")))
    return read.drop("problem", "has_own_unit"), findings
