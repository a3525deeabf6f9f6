"""An OMOP CDM 5.4 for tests, made of canonical tables (all synthetic), in csv files, DuckDB or PostgreSQL.

The fields, their types and which must be filled: tests/data/omop_cdm_5_4_fields.csv, copied from OHDSI CommonDataModel,
`OMOP_CDMv5.4_Field_Level.csv` (Apache-2.0). The CDM has no place for imaging, biomarkers and adherence.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from d2tra.extract.schemas import COLUMNS

FIELDS = pl.read_csv(Path(__file__).parent / "data" / "omop_cdm_5_4_fields.csv")
Rows = list[dict[str, Any]]
DISEASE_CONCEPTS = {"RA": 80809, "PsA": 81931}
INGREDIENTS = {"methotrexate": 1305058, "adalimumab": 1119119, "rituximab": 1314273}
OPERATORS = {"<": 4171756, ">": 4172704}
UNITS = {"mg/L": 8751, "mg/dL": 8840, "mm/h": 8752, "IU/mL": 8985, "U/mL": 8763}
TYPES = {"varchar(MAX)": "text", "datetime": "timestamp", "float": "numeric(18,5)"}
WORDS = {"positive": 45884084, "negative": 45878583}
VOCABULARIES = {"icd10": "ICD10", "snomed": "SNOMED", "read2": "Read"}
SOURCE_CONCEPT = 2_000_000_000  # ids from here on are a site's own
FACTS = ("sequence", "imd_quintile", "smoking_status", "symptom_onset_date", "csdmard_contraindicated")


def cdm_of(extract: Mapping[str, pl.DataFrame]) -> dict[str, Rows]:
    """Returns the CDM's tables that tell what canonical tables tell; patient_id is a whole number, as text."""
    made: dict[str, Rows] = {table: [] for table in FIELDS["table"].unique(maintain_order=True)}
    for row in _rows(extract, "patients"):
        _add_person(made, row)
    for row in _rows(extract, "diagnoses"):
        made["condition_occurrence"].append(_condition(made, row))
    for row in _rows(extract, "treatments"):
        made["drug_exposure"].append(_exposure(made, row))
    for row in _rows(extract, "labs"):
        made["measurement"].append(_result(row))
    for row in _rows(extract, "visits"):
        _add_visit(made, row)
    for table, rows in made.items():
        for number, row in enumerate(rows, start=1):
            if f"{table}_id" in FIELDS.filter(table=table)["field"]:
                row.setdefault(f"{table}_id", number)
    return {table: [filled(table, row) for row in rows] for table, rows in made.items()}


def add_concept(cdm: dict[str, Rows], vocabulary: str, code: str, name: str) -> None:
    """Adds a concept to the vocabulary."""
    _concept(cdm, vocabulary, code, name)
    cdm["concept"][-1] = filled("concept", cdm["concept"][-1])


def write_files(cdm: Mapping[str, Rows], folder: Path, name: Callable[[str], str] = str.upper) -> Path:
    """Writes every table as csv; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in cdm.items():
        frame(table, rows).write_csv(folder / f"{name(table)}.csv")
    return folder


def statements(cdm: Mapping[str, Rows], schema: str) -> list[str]:
    """Returns the SQL that makes the tables, NOT NULL and all, and fills them."""
    made = [f"CREATE SCHEMA {schema}"]
    for table, rows in cdm.items():
        columns = [
            f"{field} {TYPES.get(datatype, datatype)}{' NOT NULL' if required == 'yes' else ''}"
            for field, datatype, required in FIELDS.filter(table=table)
            .select("field", "datatype", "is_required")
            .rows()
        ]
        made.append(f"CREATE TABLE {schema}.{table} ({', '.join(columns)})")
        if rows:
            cells = (f"({', '.join(map(literal, row.values()))})" for row in rows)
            made.append(f"INSERT INTO {schema}.{table} VALUES {', '.join(cells)}")
    return made


def frame(table: str, rows: Rows) -> pl.DataFrame:
    """Returns rows of the CDM as text, every field of the table a column."""
    fields = FIELDS.filter(table=table)["field"].to_list()
    cells = {name: [None if row[name] is None else str(row[name]) for row in rows] for name in fields}
    return pl.DataFrame(cells, schema=dict.fromkeys(fields, pl.String))


def _rows(extract: Mapping[str, pl.DataFrame], table: str) -> Rows:
    if table not in extract:
        return []
    absent = dict.fromkeys(COLUMNS[table])
    return [absent | row for row in extract[table].iter_rows(named=True)]


def filled(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """Every field of the table; what must be filled and is not told holds 0, as the CDM wants."""
    fields = FIELDS.filter(table=table).select("field", "is_required").rows()
    unknown = set(row) - {name for name, _ in fields}
    assert not unknown, f"{table} has no {unknown}"
    whole = {name: row.get(name) for name, _ in fields}
    for name, required in fields:
        if required == "yes" and whole[name] is None:
            assert name.endswith("concept_id"), f"{table}.{name} must be filled"
            whole[name] = 0
    return whole


def _add_person(made: dict[str, Rows], row: dict[str, Any]) -> None:
    person = int(row["patient_id"])
    since = row["diagnosis_date"] or dt.date(2000, 1, 1)
    sexes, races = {"male": 8507, "female": 8532}, {"white": 8527, "black": 8516, "asian": 8515}
    made["person"].append(
        {
            "person_id": person, "year_of_birth": row["birth_year"] or 1960, "birth_datetime": "1960-02-03 00:00:00",
            "gender_concept_id": sexes.get(row["sex"], 0),
            "gender_source_value": None if row["sex"] in sexes else row["sex"],
            "race_concept_id": races.get(row["ethnicity"], 0),
            "race_source_value": None if row["ethnicity"] in races else row["ethnicity"],
        }
    )  # fmt: skip
    disease = {
        "person_id": person,
        "condition_concept_id": DISEASE_CONCEPTS[row["disease"]],
        "condition_start_date": since,
    }
    made["condition_occurrence"].append(disease)
    if row["death_month"]:
        made["death"].append({"person_id": person, "death_date": f"{row['death_month']}-15"})
    if row["last_contact_date"]:
        seen = {"person_id": person, "observation_period_start_date": since}
        made["observation_period"].append(seen | {"observation_period_end_date": row["last_contact_date"]})
    for name in FACTS:
        if row[name] is not None:
            made["observation"].append(_observed(person, since, name, row[name]))


def _observed(person: int, day: dt.date, name: str, value: Any) -> dict[str, Any]:
    """An observation under our own name for it; yes and no as concepts."""
    row = {"person_id": person, "observation_date": day, "observation_source_value": name}
    if isinstance(value, bool):
        return row | {"value_as_concept_id": 45877994 if value else 45878245}
    if isinstance(value, int | float):
        return row | {"value_as_number": value}
    return row | {"value_as_string": str(value)}


def _condition(made: dict[str, Rows], row: dict[str, Any]) -> dict[str, Any]:
    told = {"person_id": int(row["patient_id"]), "condition_start_date": row["recorded_date"]}
    if row["code_system"] == "omop":
        return told | {"condition_concept_id": int(row["code"]), "condition_source_value": row["term"]}
    if row["code_system"] == "local":
        return told | {"condition_source_value": row["code"]}
    concept = _concept(made, VOCABULARIES[row["code_system"]], row["code"], row["term"] or "")
    return told | {"condition_source_value": row["code"], "condition_source_concept_id": concept}


def _concept(made: dict[str, Rows], vocabulary: str, code: str, name: str) -> int:
    number = SOURCE_CONCEPT + len(made["concept"]) + 1
    made["concept"].append(
        {
            "concept_id": number, "concept_name": name, "vocabulary_id": vocabulary, "concept_code": code, "domain_id": "",
            "concept_class_id": "", "valid_start_date": "1970-01-01", "valid_end_date": "2099-12-31",
        }
    )  # fmt: skip
    return number


def _exposure(made: dict[str, Rows], row: dict[str, Any]) -> dict[str, Any]:
    """A course; the CDM demands an end, so that an open one ends on the day of its start."""
    told = {
        "person_id": int(row["patient_id"]), "drug_exposure_start_date": row["start_date"],
        "drug_exposure_end_date": row["stop_date"] or row["start_date"], "verbatim_end_date": row["stop_date"],
        "stop_reason": row["stop_reason"], "drug_source_value": row["drug"],
        "drug_concept_id": INGREDIENTS.get(str(row["drug"]).lower(), 0),
    }  # fmt: skip
    if row["atc_code"]:
        told["drug_source_concept_id"] = _concept(made, "ATC", row["atc_code"], "")
    if row["daily_dose_mg"] is not None:
        told["drug_concept_id"] = SOURCE_CONCEPT + 500_000 + len(made["drug_exposure"])
        told |= {"quantity": 28, "days_supply": 28}
        made["drug_strength"].append(
            {
                "drug_concept_id": told["drug_concept_id"], "amount_value": row["daily_dose_mg"], "ingredient_concept_id": 0,
                "amount_unit_concept_id": 8576, "valid_start_date": "1970-01-01", "valid_end_date": "2099-12-31",
            }
        )  # fmt: skip
    return told


def _result(row: dict[str, Any]) -> dict[str, Any]:
    value = row["value"]
    told = {
        "person_id": int(row["patient_id"]), "measurement_date": row["sample_date"], "measurement_source_value": row["test"],
        "unit_concept_id": UNITS.get(row["unit"]), "unit_source_value": None if row["unit"] in UNITS else row["unit"],
        "range_high": row["upper_limit"],
    }  # fmt: skip
    if value in WORDS:
        return told | {"value_as_concept_id": WORDS[value], "value_source_value": value}
    if value[:1] in OPERATORS:
        return told | {"value_as_number": float(value[1:]), "operator_concept_id": OPERATORS[value[0]]}
    try:
        return told | {"value_as_number": float(value)}
    except ValueError:
        return told | {"value_source_value": value}


def _add_visit(made: dict[str, Rows], row: dict[str, Any]) -> None:
    person, day = int(row["patient_id"]), row["visit_date"]
    made["visit_occurrence"].append({"person_id": person, "visit_start_date": day, "visit_end_date": day})
    for name, value in row.items():
        if name in COLUMNS["visits"] and name not in ("patient_id", "visit_date") and value is not None:
            told = _observed(person, day, name, value)
            if "value_as_number" in told:
                told = {key.replace("observation_", "measurement_"): cell for key, cell in told.items()}
            made["measurement" if "value_as_number" in told else "observation"].append(told)


def literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"
