"""eular_2021 against an independent, slow reimplementation, for random patients whose values sit on the edges."""

import datetime as dt

import polars as pl
import pytest
import reference_label as reference
from random_patients import random_extract

from d2tra.definitions import POLICIES, label

ASKED = [
    *(("eular_2021", policy) for policy in POLICIES),
    ("eular_2021_routine", "unknown"),
    ("eular_2021_strict", "unknown"),
]


@pytest.mark.parametrize(("seed", "asked"), list(enumerate(ASKED)), ids=["-".join(asked) for asked in ASKED])
def test_labels_and_evidence_equal_those_of_the_reference(seed, asked):
    definition, policy = asked
    rows = random_extract(seed, 150)
    extract = {table: pl.DataFrame(records, infer_schema_length=None) for table, records in rows.items()}
    extract["labs"] = extract["labs"].with_columns(pl.col("value").cast(pl.String))
    labels, evidence = label(extract, definition, {"if_criterion_3_unrecorded": policy})
    seen = set()
    for row in labels.iter_rows(named=True):
        patient = reference.Patient(
            row["patient_id"], rows, policy, records_glucocorticoids=True, definition=definition
        )
        counts = (row["n_failed_mechanisms"], row["n_failed_drugs"], row["n_failures_presumed"])
        found = {name: row[name] for name in ("index_date", "status", "first_met_date")} | {"counts": counts}
        assert found == patient.label(), row["patient_id"]
        if row["index_date"] is not None:
            expected = patient.criteria(row["index_date"])
            mine = evidence.filter(patient_id=row["patient_id"]).select("criterion", "met")
            assert dict(mine.iter_rows()).items() <= expected.items(), row["patient_id"]
            seen |= set(expected.items())
    always = {("1p", False)} | ({("3", None)} if policy in ("assume_met", "ignore") else set())
    assert {
        (name, met) for name in expected for met in (True, False, None)
    } - seen <= always  # every branch was walked


def test_a_study_cut_gives_what_an_extract_without_the_later_rows_gives():
    rows = random_extract(7, 150)
    rows["labs"] = [lab | {"value": str(lab["value"])} for lab in rows["labs"]]
    days = {
        "visits": "visit_date", "labs": "sample_date", "treatments": "start_date", "imaging": "imaging_date",
    }  # fmt: skip
    cut = dt.date(2021, 6, 1)
    earlier = {
        table: [row for row in records if table not in days or row[days[table]] <= cut]
        for table, records in rows.items()
    }
    whole, short = (
        {table: pl.DataFrame(records, infer_schema_length=None) for table, records in extract.items()}
        for extract in (rows, earlier)
    )
    for cut_by_study, cut_by_hand in zip(
        label(whole, "eular_2021", {"data_cut_date": cut}), label(short, "eular_2021"), strict=True
    ):
        assert cut_by_study.equals(cut_by_hand)
