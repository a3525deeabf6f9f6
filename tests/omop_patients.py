"""An OMOP CDM 5.4 in a DuckDB file, of patients with RA whose labels are known (all synthetic)."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

import omop_database as omop
import psa_vignettes
import ra_vignettes as ra
from d2tra.extract.schemas import COLUMNS

KNOWN = {
    "two mechanisms failed, active, a problem": (ra.ra(*ra.TWO_FAILED, **ra.D2T), "met"),
    "nobody said whether it is a problem": (ra.ra(*ra.TWO_FAILED, **ra.ACTIVE), "not_assessable"),
    "in remission": (
        ra.ra(*ra.TWO_FAILED, tjc28=0, sjc28=0, patient_global_mm=0.0, physician_global_mm=0.0, problematic_to_patient=False),
        "not_met",
    ),
    "one mechanism failed": (ra.ra(*ra.TWO_FAILED[:2], **ra.D2T), "not_met"),
    "both of one mechanism": (
        ra.ra(ra.TWO_FAILED[0], ra.TWO_FAILED[1], "etanercept 2018-01-01 2019-01-01 inefficacy", **ra.D2T),
        "not_met",
    ),
}  # fmt: skip
STATUSES = {str(number): status for number, (_, status) in enumerate(KNOWN.values(), start=1)}


def write_known_patients(path: Path, schema: str = "cdm") -> Path:
    """Writes the CDM of KNOWN into a schema of a new DuckDB file; STATUSES holds person → known label. Returns it."""
    numbered = {number: patient for number, (patient, _) in zip(STATUSES, KNOWN.values(), strict=True)}
    extract = psa_vignettes.extract_of(numbered)
    missing = {name: pl.lit(None, dtype=column.dtype) for name, column in COLUMNS["patients"].items()}
    extract["patients"] = extract["patients"].with_columns(
        value.alias(name) for name, value in missing.items() if name not in extract["patients"].columns
    )
    with duckdb.connect(path) as database:
        for statement in omop.statements(omop.cdm_of(extract), schema):
            database.execute(statement)
    return path
