"""However a department delivers the same facts (units as declared, files in any order), the labels are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from random_patients import random_extract

from d2tra.definitions import label
from d2tra.extract.mapping import harmonise
from d2tra.extract.validate import validate_extract
from d2tra.treatment import recognise_drugs
from extracts import site_of

SEEDS = range(3)
CENTIMETRES = ["patient_global_mm", "physician_global_mm", "pain_mm", "fatigue_mm"]
Delivered = dict[str, pl.DataFrame]


def patients(seed: int) -> Delivered:
    """Sixty random patients, as a department would deliver them: one visit a day, sex and year of birth known."""
    rows = random_extract(seed, 60)
    tables = {
        name: pl.DataFrame(records, infer_schema_length=None).drop("source_row", strict=False)
        for name, records in rows.items()
    }
    people = tables["patients"].with_columns(sex=pl.lit("female"), birth_year=pl.lit(1960))
    drugs = tables["treatments"].unique(maintain_order=True)
    labs = tables["labs"].with_columns(unit=pl.when(pl.col("test") == "crp").then(pl.lit("mg/L")))
    return {"patients": people, "visits": tables["visits"], "labs": labs, "treatments": drugs}


def labels_of(folder: Path, delivered: Delivered, tables: dict[str, Any]) -> pl.DataFrame:
    """Labels and evidence of the files as delivered, read by a mapping that declares `tables`."""
    folder.mkdir()
    for name, rows in delivered.items():
        rows.write_csv(folder / f"{name}.csv")
    site = site_of(folder, format="mapped", records_glucocorticoids=False, tables=tables)
    valid = validate_extract(harmonise(site), site, recognise_drugs).tables
    found = label(valid, "eular_2021")
    assert {"met", "not_met", "not_assessable"} <= set(found.labels["status"])
    return found.labels.join(found.evidence.drop("reason"), on=["patient_id", "definition"], how="left")


def plain(**others: Any) -> dict[str, Any]:
    return {name: {"file": f"{name}.csv"} for name in ("patients", "visits", "labs", "treatments")} | others


@pytest.mark.parametrize("seed", SEEDS)
def test_the_unit_that_a_column_is_delivered_in_never_matters_where_it_is_declared(seed, tmp_path):
    delivered = patients(seed)
    in_tenths = [(pl.col(name) / 10) for name in [*CENTIMETRES, "crp_mg_l"]]
    scaled = {**delivered, "visits": delivered["visits"].with_columns(in_tenths)}
    units = dict.fromkeys(CENTIMETRES, "cm") | {"crp_mg_l": "mg/dL"}
    before = labels_of(tmp_path / "canonical", delivered, plain())
    after = labels_of(tmp_path / "scaled", scaled, plain(visits={"file": "visits.csv", "units": units}))
    assert after.equals(before)
    undeclared = labels_of(tmp_path / "undeclared", scaled, plain())
    assert not undeclared.equals(before), "the law is empty: no label hangs on a scaled value"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_the_files_and_of_the_rows_in_them_never_matters(seed, tmp_path):
    delivered = patients(seed)
    halves = {
        f"{name}_{part}": rows.filter(pl.int_range(pl.len()) % 2 == part).sample(
            fraction=1, shuffle=True, seed=seed
        )
        for name in ("visits", "treatments")
        for part, rows in ((0, delivered[name]), (1, delivered[name]))
    }
    people = {name: delivered[name].reverse() for name in ("patients", "labs")}
    before = labels_of(tmp_path / "whole", delivered, plain())
    for number, order in enumerate(((0, 1), (1, 0))):
        split = {
            name: [{"file": f"{name}_{part}.csv"} for part in order] for name in ("visits", "treatments")
        }
        after = labels_of(tmp_path / str(number), {**people, **halves}, plain(**split))
        assert after.equals(before)
