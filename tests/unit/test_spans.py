"""Validated a few rows at a time and written shelf by shelf, an extract comes out as it does when it is held as a whole."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from d2tra.config import PROJECT
from d2tra.errors import StudyError
from d2tra.extract.kept import KeptRows, validate_to_folder
from d2tra.extract.mapping import harmonise
from d2tra.extract.validate import validate_extract
from d2tra.extract.whole_table import those_in
from d2tra.treatment import recognise_drugs
from extracts import site_of, write_extract

BROKEN = {
    "patients": """
        patient_id | sequence | disease | sex | birth_year
        P5 | 3 | RA | female | 1950
        P2 | 1 | RA | male | 1960
        P4 | 3 | RA | female | 1890
        P1 | 2 | RA | x | 1970
        P3 | 4 | RA | female | 1980
        P3 | 5 | PsA | male | 1981
        P!6 | 6 | RA | female | 1982""",
    "visits": """
        patient_id | visit_date | tjc28 | sjc28 | crp_mg_l
        P4 | 2020-03-01 | 29 | 3 | 5.5
        P1 | 2020-02-01 | 3 | 3.5 | 700
        P9 | 2020-02-02 | 3 | 3 | 7
        P1 | 2020-01-01 | 3 | maybe | 7
        P3 | 2020-02-01 | 3 | 3 | 7
        P5 | 2020-05-01 | 40 | 3 | 8 mg/L
        P1 | 2020-02-01 | 4 | 3 | 7
        P4 | 2020-03-01 | 29 | 3 | 5.5
        P2 |  | 3 | 3 | 7
        P2 | 2020-04-31 | 3 | 3 | 7
        P2 | 2020-02-01 | 1 | 1 | 7""",
    "labs": """
        patient_id | sample_date | test | value | unit
        P2 | 2020-03-01 | crp | <5 | mg/L
        P1 | 2020-03-01 | rf | 1:160 |
        P1 | 2020-01-01 | esr | many | mm/h""",
    "treatments": """
        patient_id | drug | start_date | stop_date | daily_dose_mg
        P5 | mtx/ssz | 2019-05-01 | |
        P2 | humbug | 2019-01-01 | |
        P2 | humira | 2019-01-01 | 2018-01-01 |
        P1 | methotrexate | 2018-01-01 | 2018-06-01 | 20
        P1 | etanercept/humbug | 2019-01-01 | |""",
}
DECLARED = {"drug_separators": ["/"], "local_codes": {"oa": "osteoarthritis"}}


@pytest.mark.parametrize("rows_at_once", [2, 100])
def test_spans_give_the_findings_accounting_and_valid_tables_of_the_whole(
    rows_at_once: int, tmp_path: Path
) -> None:
    site = site_of(write_extract(tmp_path / "site", **BROKEN), **DECLARED)
    harmonised = harmonise(site)
    whole = validate_extract(harmonised, site, recognise_drugs)
    spans = validate_to_folder(harmonised, site, recognise_drugs, tmp_path / "valid", rows_at_once)

    rules = {
        "repeated_key",
        "sequence_twice",
        "orphan",
        "unknown_patient",
        "unknown_drug",
        "broken_key",
        "missing_key",
    }
    assert rules <= {*whole.quarantine["rule"]}
    assert min(whole.accounting["n_valid"]) > 0
    assert spans.quarantine.equals(whole.quarantine)
    assert spans.accounting.equals(whole.accounting)
    assert spans.by_source.equals(whole.by_source)
    assert spans.data_cut_date == whole.data_cut_date
    for table, rows in whole.tables.items():
        written = pl.read_parquet(tmp_path / "valid" / f"{table}.parquet")
        assert written.equals(rows)
        assert written.schema == rows.schema
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_stop_says_the_same_of_spans_and_leaves_no_valid_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = (PROJECT / "config" / "quality.yaml").read_text(encoding="utf-8")
    (tmp_path / "config").mkdir()
    strict = re.sub(r"(out_of_range|not_a_whole_number):( +){severity: cell", r"\1:\2{severity: stop", stated)
    (tmp_path / "config" / "quality.yaml").write_text(strict, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    site = site_of(write_extract(tmp_path / "site", **BROKEN), **DECLARED)
    harmonised = harmonise(site)
    with pytest.raises(StudyError, match=r"2 × out of range.*not a whole number") as whole:
        validate_extract(harmonised, site, recognise_drugs)
    with pytest.raises(StudyError) as spans:
        validate_to_folder(harmonised, site, recognise_drugs, tmp_path / "valid", 2)

    assert str(spans.value) == str(whole.value)
    assert not (tmp_path / "valid").exists()


def test_a_shelf_holds_the_patients_from_its_first_on(tmp_path: Path) -> None:
    kept = KeptRows(tmp_path, pl.Series(["P2", "P4"]))
    for ids in (["P4", "P1"], ["P2", "P5", "P3"]):
        kept.keep(
            "visits", pl.DataFrame({"patient_id": ids, "visit_date": ids, "source_row": [1] * len(ids)})
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "visits_0_0.arrow", "visits_1_0.arrow", "visits_2_0.arrow", "visits_2_1.arrow"
    ]  # fmt: skip
    rows = kept.tables()["visits"].lazy().collect()
    assert rows["patient_id"].to_list() == ["P1", "P2", "P3", "P4", "P5"]


@pytest.mark.parametrize("known", [[], ["B"], ["A", "C", "D"]])
def test_ids_are_looked_up_among_the_known_ones(known: list[str]) -> None:
    ids = pl.Series(["D", None, "B", "Z", "", "D"])
    found = those_in(ids, pl.Series(known, dtype=pl.String))
    assert sorted(found) == sorted({"D", "B", "Z", ""} & {*known})
