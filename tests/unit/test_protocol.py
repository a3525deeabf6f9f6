"""The frozen protocol: what counts, what does not, and what is said once it is changed."""

import json
from pathlib import Path

import pytest

from d2tra import provenance
from d2tra.config import load_study
from d2tra.errors import StudyError

STUDY = """\
title: Protocol
sites: [demo]
cohorts:
  - {name: audit, disease: RA, sequence: [1, 95]}
definitions: [eular_2021]
seed: 1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "model.yaml").write_text("factors: [obese]\n")
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path


def protocol_of(*files: str) -> dict[str, object]:
    return provenance.protocol("study.yaml", files or ("config/model.yaml",))


def test_a_protocol_names_its_files_by_their_place_and_has_one_hash_of_them_all(folder: Path) -> None:
    found = provenance.protocol(folder / "study.yaml", [folder / "config" / "model.yaml"])
    assert list(found["files"]) == ["config/model.yaml", "study.yaml"]
    assert found == protocol_of()
    assert len(found["protocol_sha256"]) == 64
    assert str(folder) not in json.dumps(found)


@pytest.mark.usefixtures("folder")
def test_a_file_of_the_project_is_called_by_its_place_there_and_one_from_elsewhere_by_its_name(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "other.yaml"
    elsewhere.write_text("a: 1\n")
    shipped = provenance.PROJECT / "config" / "scores.yaml"
    found = provenance.protocol("study.yaml", [shipped, elsewhere])
    assert list(found["files"]) == ["config/scores.yaml", "other.yaml", "study.yaml"]


@pytest.mark.parametrize(
    "same",
    ["# a comment\n" + STUDY, STUDY + "frozen_protocol: kept.json\n", STUDY.replace("title:   ", "title: ")],
)
def test_comments_and_the_key_that_freezes_are_no_part_of_the_protocol(folder: Path, same: str) -> None:
    before = protocol_of()
    (folder / "study.yaml").write_text(same)
    assert protocol_of() == before


@pytest.mark.parametrize(
    "other",
    [
        STUDY.replace("seed: 1", "seed: 2"),
        STUDY.replace("disease: RA, sequence: [1, 95]", "sequence: [1, 95], disease: RA"),  # another flow
    ],
)
def test_values_and_the_order_of_selection_are(folder: Path, other: str) -> None:
    before = protocol_of()
    (folder / "study.yaml").write_text(other)
    assert protocol_of()["protocol_sha256"] != before["protocol_sha256"]


def test_a_changed_protocol_is_refused_with_the_names_of_the_files_that_changed(folder: Path) -> None:
    (folder / "kept.json").write_text(json.dumps(protocol_of()))
    provenance.refuse_changed_protocol("kept.json", protocol_of())
    (folder / "config" / "model.yaml").write_text("factors: [obese, fibromyalgia]\n")
    (folder / "new.yaml").write_text("a: 1\n")
    with pytest.raises(StudyError) as refused:
        provenance.refuse_changed_protocol("kept.json", protocol_of("config/model.yaml", "new.yaml"))
    assert "2 of its files" in str(refused.value)
    assert "config/model.yaml (changed), new.yaml (added)" in str(refused.value)
    assert "study.yaml" not in str(refused.value)
    with pytest.raises(StudyError, match=r"config/model\.yaml \(gone\)"):
        provenance.refuse_changed_protocol("kept.json", provenance.protocol("study.yaml", []))


def test_the_manifest_holds_the_protocol_and_leaves_out_what_is_sealed_apart(folder: Path) -> None:
    for name in ("audit/report.html", "validation/report.html", "methods.md"):
        (folder / "release" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "release" / name).write_text("x")
    found = provenance.manifest(folder / "release", protocol_of(), [], "study", apart=["validation"])
    assert list(found["files"]) == ["audit/report.html", "methods.md"]
    assert found["protocol"] == protocol_of()["files"]
    assert found["protocol_sha256"] == protocol_of()["protocol_sha256"]


def test_a_frozen_protocol_that_is_not_there_is_named(folder: Path) -> None:
    (folder / "study.yaml").write_text(STUDY + "frozen_protocol: kept.json\n")
    with pytest.raises(StudyError, match=r"'frozen_protocol': kept\.json: no such file"):
        load_study("study.yaml")


def test_no_cohort_is_called_validation(folder: Path) -> None:
    (folder / "study.yaml").write_text(STUDY.replace("name: audit", "name: validation"))
    with pytest.raises(StudyError, match="'validation' is the name of a chapter"):
        load_study("study.yaml")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("resamples: 1", "greater than or equal to 2"),
        ("thresholds: [15]", "less than 1"),
        ("resample: 9", "resamples"),
    ],
)
def test_what_the_study_says_of_its_validation_is_checked(folder: Path, key: str, said: str) -> None:
    (folder / "study.yaml").write_text(f"{STUDY}validation: {{{key}}}\n")
    with pytest.raises(StudyError, match=said):
        load_study("study.yaml")
