"""An OMOP CDM in a database, through Snakemake to labels: those that are known, and no row of it is lost."""

from pathlib import Path

import pytest

from d2tra import io
from omop_patients import STATUSES, write_known_patients
from psa_vignettes import JUDGED_ON
from small_study import built, run_workflow

pytestmark = pytest.mark.slow
LABELS = "results/omop/private/sites/ward/labels.parquet"
STUDY = """\
title: An OMOP CDM of synthetic patients
sites: [ward.yaml]
cohorts: [{name: full, disease: RA}]
definitions: [eular_2021]
seed: 1
"""
WARD = f"format: omop\nsource: node.duckdb\nschema: cdm\ndata_cut_date: {JUDGED_ON}\n"


def test_patients_of_an_omop_database_have_their_known_labels_at_the_end_of_the_workflow(
    tmp_path: Path,
) -> None:
    write_known_patients(tmp_path / "node.duckdb")
    (tmp_path / "ward.yaml").write_text(WARD, encoding="utf-8")
    (tmp_path / "omop.yaml").write_text(STUDY, encoding="utf-8")
    run = built(run_workflow(tmp_path, LABELS, study="omop.yaml"))
    assert "Traceback" not in run.screen

    assert dict(io.read(tmp_path / LABELS).select("patient_id", "status").rows()) == STATUSES
    site = (tmp_path / LABELS).parent
    accounting = io.read(site / "accounting.csv").select("n_read", "n_valid").rows()
    assert all(n_read == n_valid for n_read, n_valid in accounting)
    record = io.read_json(site / "fetched_ward.json")
    assert (record["source"], record["files"]["patients.parquet"]["rows"]) == ("node.duckdb", len(STATUSES))
    became = io.read(site / "fetched" / "omop_accounting.csv")
    assert became.filter(cdm_table="person").select("became", "n_rows").rows() == [
        ("patients", len(STATUSES))
    ]
