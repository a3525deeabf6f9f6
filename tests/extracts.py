"""Small extracts for tests: tables drawn with |, written as a site would deliver them."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl

from d2tra.extract.mapping import Harmonised, harmonise
from d2tra.extract.site import SiteMapping
from d2tra.extract.validate import Validated, validate_extract
from d2tra.treatment import recognise_drugs

CLEAN = {
    "patients": """
        patient_id | sequence | disease | sex    | birth_year | symptom_onset_date | diagnosis_date | death_month
        P1         | 1        | RA      | female | 1960       | 2009-11-01         | 2010-03-05     |
        P2         | 2        | RA      | male   | 1971       |                    | 2012-01-01     | 2020-06
    """,
    "visits": """
        patient_id | visit_date | tjc28 | sjc28 | patient_global_mm | esr_mm_h | haq_di | problematic_to_patient
        P1         | 2020-01-10 | 4     | 2     | 55.5              | 30       | 1.125  | yes
        P1         | 2020-06-10 | 0     | 0     |                   |          |        | FALSE
        P2         | 2020-02-03 | 28    | 28    | 100               | 200      | 3      | 1
    """,
    "labs": """
        patient_id | sample_date | test     | value    | unit  | upper_limit
        P1         | 2020-01-09  | crp      | <5       | mg/L  | 5
        P1         | 2020-01-09  | esr      | 34.2     |       |
        P2         | 2020-02-03  | anti_ccp | >340     | U/mL  | 10
        P2         | 2020-02-03  | rf       | positive |       |
    """,
    "treatments": """
        patient_id | drug         | atc_code | start_date | stop_date  | stop_reason         | daily_dose_mg
        P1         | methotrexate | L04AX03  | 2010-04-01 | 2012-04-01 | inefficacy          |
        P1         | Humira       |          | 2012-05-01 |            |                     |
        P2         | prednisolone |          | 2012-02-01 | 2012-03-01 | other               | 7.5
    """,
    "diagnoses": """
        patient_id | recorded_date | code_system | code  | term
        P1         | 2011-01-01    | icd10       | M79.7 | Fibromyalgia
        P2         |               | local       | OA    |
    """,
    "imaging": """
        patient_id | imaging_date | modality   | measure             | value | joint
        P1         | 2020-01-10   | ultrasound | power_doppler_grade | 2     | mcp2_right
        P2         | 2020-01-11   | xray       | sharp_van_der_heijde | 12.5 |
    """,
    "biomarkers": """
        patient_id | sample_date | marker               | value          | unit
        P1         | 2020-01-09  | sicam1_cxcl13_ratio  | 2.4            | ratio
        P2         | 2020-01-11  | synovial_pathotype   | lympho-myeloid |
    """,
}


def drawn(text: str) -> list[list[str]]:
    """Returns the header and the rows of a table drawn with |, every cell as text."""
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines() if line.strip()]


def write_extract(folder: Path, **tables: str) -> Path:
    """Writes each table as `<table>.csv` into `folder`; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, text in tables.items():
        with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle).writerows(drawn(text))
    return folder


def site_of(folder: Path, **declared: object) -> SiteMapping:
    """Returns a canonical site of that folder; nothing is too much set aside unless the test says so."""
    section = {"format": "canonical", "max_set_aside_percent": 100, **declared}
    return SiteMapping.model_validate(
        {"name": "site", "path": "site.yaml", "source": folder.as_posix(), **section}
    )


def harmonised(folder: Path, extract: dict[str, str], **declared: object) -> Harmonised:
    return harmonise(site_of(write_extract(folder, **extract), **declared))


def validated(folder: Path, extract: dict[str, str], **declared: object) -> Validated:
    site = site_of(write_extract(folder, **extract), **declared)
    return validate_extract(harmonise(site), site, recognise_drugs)


def with_row(table: str, row: str, **tables: str) -> dict[str, str]:
    """Returns the clean extract with one more row in one table (its columns as drawn in CLEAN)."""
    return {**CLEAN, **tables, table: f"{CLEAN[table].rstrip()}\n{row}"}


def reasons(result: Validated) -> list[tuple[object, ...]]:
    """Returns (table, source_row, column, rule, severity, value) of every finding."""
    return result.quarantine.select("table", "source_row", "column", "rule", "severity", "value").rows()


def counts(result: Validated, table: str) -> dict[str, int]:
    """Returns one table's row of the accounting."""
    return result.accounting.filter(pl.col("table") == table).drop("table").row(0, named=True)
