"""An extract read in pieces is the extract read as a whole: rows, row numbers, duplicates, repairs, and what is refused."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from d2tra.errors import StudyError
from d2tra.extract import sources, text_files
from d2tra.extract.findings import FINDINGS
from d2tra.extract.mapping import Harmonised, harmonise, harmonise_in_pieces
from d2tra.extract.site import SiteMapping, TableSource
from d2tra.extract.whole_table import later_equals
from extracts import site_of

PEOPLE = "Hosp;Sex;YOB;onset\n" + "".join(f"P{n};{'fm'[n % 2]};19{60 + n % 30};2010\n" for n in range(40))
MAPPING = {
    "patients": {
        "file": "people.csv", "columns": {"Hosp": "patient_id", "Sex": "sex", "YOB": "birth_year", "onset": "symptom_onset_date"},
        "constants": {"disease": "RA"}, "values": {"sex": {"F": "female", "m": "male"}}, "dates": {"partial": "middle"},
    },
    "visits": [
        {"file": "spring.csv", "clinic": "ward", "columns": {"id": "patient_id", "day": "visit_date", "vas": "patient_global_mm"},
         "units": {"vas": "cm"}, "dates": {"format": "%d/%m/%Y"}, "missing": {"tjc28": ["99"]}},
        {"file": "summer.csv", "columns": {"id": "patient_id", "day": "visit_date"}, "dates": {"format": "%m/%d/%Y"}},
    ],
    "labs": {
        "file": "packed.csv", "split": {"names": "test", "values": "result", "units": "unit"}, "missing": {"value": ["NA"]},
        "columns": {"id": "patient_id", "day": "sample_date"},
        "wide_to_long": [{"columns": {"CRP": "value", "CRP unit": "unit"}, "constants": {"test": "crp"}},
                         {"columns": {"ESR": "value"}, "constants": {"test": "esr"}}],
        "ignore": ["ESR unit"],
    },
    "treatments": "none",
}  # fmt: skip


def days(at: random.Random) -> str:
    return f"{at.randint(1, 28):02}/{at.randint(1, 12):02}/20{at.randint(10, 20)}"


def rough(folder: Path, seed: int) -> SiteMapping:
    """Returns a mapped site with commas from some row on, dates of another format, repeated rows, blank lines, packed cells."""
    at, folder = random.Random(seed), folder / "site"
    folder.mkdir()
    (folder / "people.csv").write_text(PEOPLE)
    spring = [
        f"P{at.randrange(40)};{days(at)};{at.choice(['5', '5.5', '7 cm', '1,5' if n > 60 else '2'])};{at.choice(['99', '3', ''])};N"
        for n in range(120)
    ]
    spring = [*spring, *at.choices(spring, k=30), ";;;;", "", *at.choices(spring, k=3)]
    (folder / "spring.csv").write_text("id;day;vas;tjc28;ward\n" + "\n".join(spring))
    again = at.choices(spring[:120], k=60)
    summer = [";".join(row.split(";")[:2]) for row in again]  # days first, though declared otherwise
    (folder / "summer.csv").write_text("id;day\n" + "\n".join(summer))
    packed = [
        f"P{at.randrange(40)}\t2020-01-{at.randint(1, 28):02}\t{at.choice(['CRP;ESR' if n > 30 else 'ESR', 'ESR', ''])}\t"
        f"{at.choice(['3;4,5', '7', 'NA', ''])}\t{at.choice(['mg/L;mm/h', 'mm/h', ''])}"
        for n in range(80)
    ]
    (folder / "packed.csv").write_text("id\tday\ttest\tresult\tunit\n" + "\n".join([*packed, *packed[:9]]))
    return site_of(folder, format="mapped", tables=MAPPING)


def in_order(findings: pl.DataFrame) -> pl.DataFrame:
    return findings.sort(*FINDINGS)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("size", [150, 3000])
def test_pieces_of_any_size_give_the_rows_and_the_findings_of_the_whole(
    seed: int, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = rough(tmp_path, seed)
    whole = harmonise(site)
    monkeypatch.setattr(text_files, "PIECE", size)
    monkeypatch.setattr(sources, "HELD_BYTES", 0)
    n_pieces = len(list(harmonise_in_pieces(site)))
    pieces = harmonise(site)

    assert (n_pieces > 10) == (size < 3000)
    for table, rows in whole.tables.items():
        assert_frame_equal(pieces.tables[table].lazy().collect(), rows.lazy().collect())
    assert_frame_equal(in_order(pieces.findings), in_order(whole.findings))
    assert whole.tables["visits"].lazy().collect()["is_duplicate"].sum() > 20
    told = {*whole.findings["rule"]}
    assert {
        "partial_date", "other_date_format", "declared_missing", "own_unit", "packed_cells_disagree",
    } <= told  # fmt: skip
    assert told & {"decimal_comma", "mixed_decimal_marks"}


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_a_parquet_file_in_pieces_keeps_its_rows_and_their_numbers(
    batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pl.DataFrame({"id": [f"P{n}" if n % 5 else None for n in range(30)], "empty": None})
    rows.write_parquet(tmp_path / "rows.parquet")
    monkeypatch.setattr(sources, "BATCH_ROWS", batch)
    read = sources.read_cells(tmp_path / "rows.parquet", TableSource(file="rows.parquet"))

    assert read.select("id", "source_row").rows() == [(f"P{n}", n + 2) for n in range(30) if n % 5]
    assert read.schema == {"id": pl.String, "empty": pl.String, "source_row": pl.Int64}


def test_small_files_are_read_once_and_large_ones_whenever_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = rough(tmp_path, 0)
    read: list[str] = []
    once = sources._pieces
    monkeypatch.setattr(sources, "_pieces", lambda path, source: read.append(path.name) or once(path, source))
    harmonise(site)
    assert sorted(read) == ["packed.csv", "people.csv", "spring.csv", "summer.csv"]
    read.clear()
    monkeypatch.setattr(sources, "HELD_BYTES", 0)
    harmonise(site)
    assert min(read.count(name) for name in set(read)) > 2


LATE: dict[str, tuple[str, dict[str, Any], str]] = {
    "a cell without a header in the last row": (
        "patient_id,visit_date,\n" + "P1,2020-01-01,\n" * 30 + "P1,2020-02-01,7\n", {},
        r"visits.csv: column 3 has cells but no header in row 1",
    ),
    "an unknown header that reads as the last of its cells": (
        "patient_id,visit_date,P0417\n" + "P1,2020-01-01,x\n" * 30 + "P1,2020-02-01,P0418\n", {},
        r"visits.csv: the header of column 3 reads as one of its cells",
    ),
    "a row too short near the end": (
        "patient_id,visit_date,tjc28\n" + "P1,2020-01-01,3\n" * 30 + "P1,2020-02-01\n", {},
        r"visits.csv, row 32: 2 cells where the header has 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", LATE)
def test_a_fault_in_the_last_piece_is_said_as_it_is_of_the_whole(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, declared, sentence = LATE[fault]
    (tmp_path / "patients.csv").write_text("patient_id,disease,sex,birth_year\nP1,RA,female,1960\n")
    (tmp_path / "visits.csv").write_text(text)
    (tmp_path / "treatments.csv").write_text("patient_id,drug,start_date\n")
    site = site_of(tmp_path, **declared)
    with pytest.raises(StudyError, match=sentence):
        harmonise(site)
    monkeypatch.setattr(text_files, "PIECE", 60)
    monkeypatch.setattr(sources, "HELD_BYTES", 0)
    with pytest.raises(StudyError, match=sentence):
        harmonise(site)


def test_a_table_without_rows_keeps_its_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "patients.csv").write_text("patient_id,disease,sex,birth_year\n")
    (tmp_path / "visits.csv").write_text("patient_id,visit_date\n")
    (tmp_path / "treatments.csv").write_text("patient_id,drug,start_date\n")
    monkeypatch.setattr(sources, "HELD_BYTES", 0)
    found: Harmonised = harmonise(site_of(tmp_path))
    assert found.tables["visits"].lazy().collect().shape == (0, 6)
    assert found.findings.is_empty()


def test_rows_are_equal_only_where_both_hashes_are() -> None:
    prints = pl.DataFrame(
        {"one": [7, 7, 9, 7, 9, 7], "other": [1, 2, 1, 1, 2, 2]}, schema_overrides={"one": pl.UInt64}
    )
    assert later_equals(prints).to_list() == [False, False, False, True, False, True]
