"""`d2tra crate`: a release as a Workflow Run RO-Crate 0.5; each entity that the profiles ask for is there."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from d2tra import io, provenance
from d2tra.cli import main
from d2tra.config import PROJECT, load_study
from d2tra.disclosure.crate import METADATA, write_crate
from d2tra.errors import StudyError
from sealed_study import STUDY, seal_release


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sealed release of two files beside results that stay inside; returns its folder."""
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(STUDY, encoding="utf-8")
    for place in ("private/sites/demo/labels.csv", "internal/local_audit/audit/table_1.csv"):
        io.write_text("SECRET\n", Path("results/study") / place)
    seal("opensafely")
    return Path("results/study/release/opensafely")


def seal(profile: str) -> None:
    folder = Path("results/study/release") / profile
    io.write_text("n\n95\n", folder / "audit" / "table_1.csv")
    io.write_text("<p>report</p>", folder / "audit" / "report.html")
    seal_release(folder, {}, raw="SECRET\n")


def packed(out: str = "crate") -> dict[str, dict[str, Any]]:
    """Packs the study's release; returns id → entity."""
    write_crate(load_study("study.yaml"), Path(out))
    told = json.loads((Path(out) / METADATA).read_text(encoding="utf-8"))
    assert told["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    ids = [entity["@id"] for entity in told["@graph"]]
    assert len(ids) == len(set(ids))
    return {entity["@id"]: entity for entity in told["@graph"]}


def references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for each in value for found in references(each)]
    return [value["@id"]] if isinstance(value, dict) and set(value) == {"@id"} else []


@pytest.mark.usefixtures("released")
def test_the_root_says_what_the_specification_requires() -> None:
    """RO-Crate 1.1: name, description, datePublished, license; Workflow RO-Crate 1.0: mainEntity; the profiles."""
    graph = packed()
    root, descriptor = graph["./"], graph[METADATA]
    assert root["@type"] == "Dataset"
    assert all(root[key] for key in ("name", "description", "datePublished", "license"))
    assert references(root["conformsTo"]) == [
        "https://w3id.org/ro/wfrun/process/0.5",
        "https://w3id.org/ro/wfrun/workflow/0.5",
        "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
    ]
    assert descriptor["@type"] == "CreativeWork"
    assert references(descriptor["about"]) == ["./"]
    assert "https://w3id.org/ro/crate/1.1" in references(descriptor["conformsTo"])


@pytest.mark.usefixtures("released")
def test_the_run_is_an_action_of_the_workflow_that_made_the_results() -> None:
    graph = packed()
    (main_entity,) = references(graph["./"]["mainEntity"])
    workflow = graph[main_entity]
    assert set(workflow["@type"]) == {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
    assert graph[references(workflow["programmingLanguage"])[0]]["@type"] == "ComputerLanguage"
    (mentioned,) = references(graph["./"]["mentions"])
    run = graph[mentioned]
    assert run["@type"] == "CreateAction"
    assert references(run["instrument"]) == [main_entity]
    assert run["endTime"]
    made = references(run["result"])
    assert {"results/audit/table_1.csv", "results/audit/report.html", "results/manifest.json"} == set(made)


@pytest.mark.usefixtures("released")
def test_every_entity_that_is_named_is_described_or_a_term_of_the_web() -> None:
    graph = packed()
    named = {found for entity in graph.values() for value in entity.values() for found in references(value)}
    outside = {name for name in named - set(graph) if not name.startswith(("http://", "https://"))}
    assert not outside


def test_inputs_software_protocol_and_git_state_are_those_of_the_manifest(released: Path) -> None:
    graph, manifest = packed(), io.read_json(released / "manifest.json")
    (action,) = [entity for entity in graph.values() if entity["@type"] == "CreateAction"]
    inputs = [graph[name] for name in references(action["object"])]
    assert {e["name"]: e["sha256"] for e in inputs if "sha256" in e} == {
        **manifest["raw_sha256"],
        **manifest["protocol"],
    }
    values = {e["name"]: e["value"] for e in inputs if e["@type"] == "PropertyValue"}
    assert values["protocol_sha256"] == manifest["protocol_sha256"]
    git = manifest["git"] or {}
    assert values.get("git_commit") == git.get("commit")
    software = {
        e["name"]: e["softwareVersion"] for e in graph.values() if e["@type"] == "SoftwareApplication"
    }
    assert software == manifest["software"]


@pytest.mark.usefixtures("released")
def test_every_file_is_there_with_its_hash_and_none_is_patient_level() -> None:
    graph = packed()
    files = {name for name, entity in graph.items() if "File" in entity["@type"]}
    there = {path.relative_to("crate").as_posix() for path in Path("crate").rglob("*") if path.is_file()}
    assert files == there - {METADATA} == set(references(graph["./"]["hasPart"]))
    for name in files:
        content = (Path("crate") / name).read_bytes()
        assert graph[name]["sha256"] == hashlib.sha256(content).hexdigest()
        assert b"SECRET" not in content
    assert not [name for name in there if "private" in name or "internal" in name or name.endswith("raw.csv")]


@pytest.mark.usefixtures("released")
def test_the_same_release_gives_the_same_archive() -> None:
    for name in ("one.zip", "two.zip"):
        assert main(["crate", "--study", "study.yaml", "--out", name]) == 0
    assert Path("one.zip").read_bytes() == Path("two.zip").read_bytes()
    with zipfile.ZipFile("one.zip") as archive:
        assert METADATA in archive.namelist()


def test_a_release_with_a_changed_file_is_not_packed(released: Path) -> None:
    io.write_text("n\n96\n", released / "audit" / "table_1.csv")
    with pytest.raises(StudyError, match=r"table_1\.csv has changed"):
        packed()
    assert not Path("crate").exists()


@pytest.mark.usefixtures("released")
def test_what_stays_inside_is_not_packed() -> None:
    with pytest.raises(StudyError, match="released nothing under profile local_audit"):
        write_crate(load_study("study.yaml"), Path("crate"), "local_audit")


@pytest.mark.usefixtures("released")
def test_of_several_releases_one_is_named() -> None:
    seal("strict")
    with pytest.raises(StudyError, match="opensafely, strict"):
        packed()


@pytest.mark.usefixtures("released")
def test_nothing_is_written_over() -> None:
    packed()
    with pytest.raises(StudyError, match="is there already"):
        packed()


def test_a_project_without_a_repository_of_its_own_has_no_git_state(tmp_path: Path) -> None:
    assert provenance.git_state(tmp_path) is None
    assert provenance.git_state(PROJECT / "workflow") is None


def test_two_inputs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [tmp_path / site / "visits.parquet" for site in ("site_1", "site_2")] + [tmp_path / "survey.csv"]
    for path in paths:
        io.write_text(str(path), path) if path.suffix == ".csv" else io.write_bytes(path.name.encode(), path)
    found = provenance.manifest(
        tmp_path / "none", {"protocol_sha256": "", "files": {}}, list(map(str, paths)), "study"
    )
    assert set(found["raw_sha256"]) == {"site_1/visits.parquet", "site_2/visits.parquet", "survey.csv"}
