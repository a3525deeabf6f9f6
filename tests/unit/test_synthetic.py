"""The demo extract: made again from its seed it is the committed one, synthetic throughout, and follows its model."""

import csv
import io
import json
import math
import re
import zipfile
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
import yaml

from d2tra.config import PROJECT, codelist, load_study
from d2tra.extract.site import load_site
from d2tra.survey.codebook import load_survey
from d2tra.synthetic import write_demo
from d2tra.synthetic.drugs import ATC, BIOLOGICS, CSDMARDS, REASONS
from d2tra.synthetic.faults import PLANTED
from d2tra.synthetic.files import CSV_FILES, SURVEY, WORKBOOK
from d2tra.synthetic.people import (
    AUDIT_TWELVE,
    ODDS_RATIOS,
    SEED,
    SHARE_NOT_ASSESSABLE,
    draw_people,
    risk_of_label,
)

DEMO = PROJECT / "data" / "demo"


@pytest.fixture(scope="module")
def made_again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder)
    return folder


def test_every_csv_and_the_truth_are_made_again_byte_for_byte(made_again: Path) -> None:
    names = [file for file, _ in CSV_FILES.values()] + [SURVEY, "truth.json"]
    changed = [name for name in names if (made_again / name).read_bytes() != (DEMO / name).read_bytes()]
    assert not changed, f"run: python -m d2tra.synthetic data/demo  ({changed})"


def test_the_workbook_is_made_again_part_by_part(made_again: Path) -> None:
    with zipfile.ZipFile(made_again / WORKBOOK) as new, zipfile.ZipFile(DEMO / WORKBOOK) as committed:
        assert new.namelist() == committed.namelist()
        assert [n for n in new.namelist() if new.read(n) != committed.read(n)] == []


def test_another_seed_gives_other_patients(tmp_path: Path) -> None:
    write_demo(tmp_path, seed=SEED + 1)
    name = CSV_FILES["clinic_new"][0]
    assert (tmp_path / name).read_bytes() != (DEMO / name).read_bytes()


def test_the_demo_is_small_and_holds_nothing_else() -> None:
    files = {path.name for path in DEMO.iterdir()}
    assert files == {WORKBOOK, *(file for file, _ in CSV_FILES.values()), SURVEY, "truth.json", "README.md"}
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < 5_000_000


def test_every_file_and_every_row_of_a_csv_says_synthetic() -> None:
    for file, delimiter in (*CSV_FILES.values(), (SURVEY, ",")):
        assert file.startswith("synthetic_")
        rows = list(csv.reader(io.StringIO((DEMO / file).read_text()), delimiter=delimiter))
        assert {row[0] for row in rows[1:]} == {"SYNTHETIC"}
    with zipfile.ZipFile(DEMO / WORKBOOK) as book:
        assert b"SYNTHETIC DATA" in book.read("docProps/core.xml")
        assert b"SYNTHETIC DATA" in book.read("xl/sharedStrings.xml")
    assert load_site("demo").synthetic
    assert load_survey("demo_survey").synthetic
    assert "synthetic" in load_study("audit_demo").title
    assert (DEMO / "README.md").read_text().startswith("# SYNTHETIC")


def test_every_pseudonym_is_a_letter_and_four_digits() -> None:
    pseudonyms = {person.patient_id for person in draw_people(SEED)}
    assert len(pseudonyms) == 722
    assert all(re.fullmatch(r"P\d{4}", pseudonym) for pseudonym in pseudonyms)


def test_the_mapping_translates_every_reason_the_department_writes() -> None:
    expected = {text: reason for reason, texts in REASONS.items() for text in texts if text != reason}
    mapping = yaml.safe_load((PROJECT / "config/sites/demo.yaml").read_text())
    for source in mapping["tables"]["treatments"]:
        assert source["values"]["stop_reason"] == expected


def test_every_brand_and_misspelling_is_in_the_code_list() -> None:
    drugs = pl.read_csv(codelist("dmards"))
    known: dict[str, set[str]] = {}
    for molecule, *texts in drugs.select("molecule", "brands", "misspellings_synonyms").iter_rows():
        words = {molecule, *(word for text in texts if text for word in text.split(";"))}
        known[molecule] = {word.casefold() for word in words}
    written = dict(CSDMARDS)
    for molecule, drug in BIOLOGICS.items():
        written[molecule] = (*drug.names, *drug.biosimilars, *drug.other_spellings)
    for molecule, names in written.items():
        for name in names:
            plain = re.sub(r" \d+ mg.*", "", name).casefold()
            assert plain in known[molecule], f"{name} is no known name of {molecule}"


def test_every_atc_code_is_or_was_that_of_its_drug() -> None:
    codes = dict(
        pl.read_csv(codelist("dmards"))
        .select("molecule", pl.concat_str("atc_current", pl.col("atc_former").fill_null("")))
        .iter_rows()
    )
    assert all(code in codes[molecule] for molecule, code in ATC.items())


def test_the_planted_faults_are_a_few_dozen_of_every_kind() -> None:
    kinds = Counter(fault.becomes for fault in PLANTED)
    assert 36 <= len(PLANTED) - kinds["finding"] <= 60
    assert set(kinds) == {"row", "cell", "fix", "duplicate", "orphan", "finding"}
    assert {fault.file for fault in PLANTED} == {"patients", "biologics", *CSV_FILES}


def test_the_audits_twelve_are_designed_as_printed() -> None:
    assert len(AUDIT_TWELVE) == 12
    assert sum(rf and ccp for _, _, rf, ccp, *_ in AUDIT_TWELVE) == 9
    assert sum(row[4] for row in AUDIT_TWELVE) == 8
    assert sum(row[5] and row[6] for row in AUDIT_TWELVE) == 5
    assert Counter(row[:2] for row in AUDIT_TWELVE) == {
        ("high", 3): 2, ("high", 4): 1, ("moderate", 3): 4, ("moderate", 4): 4, ("moderate", 5): 1
    }  # fmt: skip


def test_the_label_of_the_627_follows_the_stated_model() -> None:
    rest = draw_people(SEED)[95:]
    expected = sum(risk_of_label(person) for person in rest) * (1 - SHARE_NOT_ASSESSABLE)
    spread = math.sqrt(sum(risk_of_label(p) * (1 - risk_of_label(p)) for p in rest))
    assert abs(sum(person.status == "met" for person in rest) - expected) < 2 * spread


def test_the_truth_states_the_generator() -> None:
    truth = json.loads((DEMO / "truth.json").read_text())
    assert truth["seed"] == SEED
    assert truth["generating_model"]["odds_ratios"] == ODDS_RATIOS
    assert truth["cohorts"]["audit"] == {"n": 95, "met": 12, "not_met": 79, "not_assessable": 4}
    assert 0.12 <= truth["cohorts"]["extension"]["met"] / 627 <= 0.14
    assert len(truth["faults"]) == len(PLANTED)


def test_risk_rises_by_the_stated_odds_ratio() -> None:
    person = next(p for p in draw_people(SEED) if not any(p.factors().values()))
    without = risk_of_label(person)
    person.fibromyalgia = True
    risk = risk_of_label(person)
    assert risk / (1 - risk) / (without / (1 - without)) == pytest.approx(3.0)
