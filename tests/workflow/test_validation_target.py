"""The target `validation` of the small study: beside the finished results, not instead of them."""

import json
import re
from pathlib import Path

import pytest

from d2tra import io
from small_study import (
    COHORTS,
    ID_PREFIX,
    PROFILE_PLACES,
    Run,
    built,
    copy_of,
    once,
    run_workflow,
    shared_folder,
)

pytestmark = pytest.mark.slow
PLACES = tuple(PROFILE_PLACES.values())
TABLES = ("validation", "calibration", "decision_curve", "comparability", "what_the_extension_can_show")
FIGURES = ("calibration", "decision_curve", "comparability")


@pytest.fixture(scope="module")
def validated(small: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy of the finished small study, with the target `validation` built on top. Do not change it."""

    def make(folder: Path) -> Run:
        return run_workflow(copy_of(small, folder), "validation", project=small.project)

    done = built(once(shared_folder(tmp_path_factory) / "validated", make))
    return Copy(*done, small.project)


class Copy(Run):
    """A run in a copy, which keeps the project of the original."""

    def __new__(cls, folder: Path, returncode: int, screen: str, project: Path) -> "Copy":
        run = super().__new__(cls, folder, returncode, screen)
        run.origin = project
        return run

    @property
    def project(self) -> Path:
        return self.origin


@pytest.mark.parametrize("cohort", COHORTS)
def test_each_model_of_each_cohort_has_its_validation(validated: Run, cohort: str) -> None:
    folder = validated.cohort(cohort) / "models"
    found = json.loads((folder / "small_risks_validation.json").read_text())["eular_2021"]
    assert {"apparent", "optimism_corrected", "monte_carlo_error", "transport"} <= set(found)
    assert {"c_statistic", "calibration_slope", "brier"} <= set(found["optimism_corrected"])
    assert {"c_statistic", "calibration_slope", "brier"} <= set(found["monte_carlo_error"])
    assert (found["n_resamples"], found["exploratory"]) == (20, True)
    elsewhere = {"audit": ["extension"], "extension": ["audit"], "full": []}
    assert list(found["transport"]) == elsewhere[cohort]
    alone = json.loads((folder / "small_model_validation.json").read_text())["eular_2021"]
    assert "predicts no risk" in alone["problem"]
    assert (folder / "small_risks.csv").is_file()


@pytest.mark.parametrize("cohort", COHORTS)
def test_each_cohort_has_its_sensitivity_grid_with_the_primary_analysis_first(
    validated: Run, cohort: str
) -> None:
    """2 definitions × 2 failure rules × 2 baselines; the primary line is what the ordinary results say."""
    grid = io.read(validated.cohort(cohort) / "sensitivity.csv")
    assert grid["specification"].unique().to_list() == list(range(1, 9))
    first = grid.filter("is_primary").row(0, named=True)
    usual = io.read(validated.cohort(cohort) / "prevalence.csv").row(0, named=True)
    assert (first["definition"], first["specification"]) == ("eular_2021", 1)
    assert [first[name] for name in ("n", "n_met", "percent")] == [
        usual[name] for name in ("n", "n_met", "percent")
    ]
    fitted = io.read(validated.cohort(cohort) / "models" / "small_risks.csv")
    fibromyalgia = fitted.filter(definition="eular_2021", term="fibromyalgia", level="true")
    assert first["odds_ratio"] == fibromyalgia["odds_ratio"].item()
    for place in PLACES:
        folder = validated.results / place / "validation"
        assert (folder / "tables" / f"sensitivity_in_{cohort}.csv").is_file()
        assert (folder / "figures" / f"specification_curve_in_{cohort}.svg").is_file()


@pytest.mark.parametrize("place", PLACES)
def test_the_chapter_stands_beside_the_cohorts_under_every_profile(validated: Run, place: str) -> None:
    folder = validated.results / place / "validation"
    assert all(
        (folder / "tables" / f"{name}.{kind}").is_file() for name in TABLES for kind in ("csv", "html")
    )
    assert all(
        (folder / "figures" / f"{name}.{kind}").is_file() for name in FIGURES for kind in ("svg", "png")
    )
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "exploratory" in page
    assert "below 500" in page
    assert ID_PREFIX not in page
    manifest = json.loads((folder / "manifest.json").read_text())
    there = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("manifest.json", ".snakemake_timestamp")
    }
    assert set(manifest["files"]) == there
    protocol = io.read_json(validated.results / "private" / "protocol.json")
    assert manifest["protocol_sha256"] == protocol["protocol_sha256"]
    assert {"small.yaml", "config/models/small_risks.yaml", "config/scores.yaml"} <= set(protocol["files"])


def test_neither_target_has_anything_to_do_after_the_other(validated: Run) -> None:
    for targets in ((), ("validation",)):
        again = run_workflow(validated.folder, *targets, project=validated.project, dry=True)
        assert "Nothing to be done" in again.screen, targets


def test_the_cohorts_results_are_as_they_were(small: Run, validated: Run) -> None:
    for place in PLACES:
        before, after = (run.results / place / "manifest.json" for run in (small, validated))
        assert before.read_bytes() == after.read_bytes()


def test_a_frozen_protocol_stops_the_study_once_a_definition_is_edited(
    validated: Run, tmp_path: Path
) -> None:
    folder = copy_of(validated, tmp_path / "copy")
    kept = io.read_json(folder / "results" / "small" / "private" / "protocol.json")
    io.write_json(kept, folder / "frozen.json")
    study = (folder / "small.yaml").read_text(encoding="utf-8")
    (folder / "small.yaml").write_text(f"{study}frozen_protocol: frozen.json\n", encoding="utf-8")
    unchanged = run_workflow(folder, project=validated.project, dry=True)
    assert unchanged.returncode == 0, unchanged.screen
    with (folder / "config" / "definitions" / "eular_2021_strict.yaml").open("a") as handle:
        handle.write("# read again\n")
    stopped = run_workflow(folder, project=validated.project, dry=True)
    assert stopped.returncode != 0
    said = re.sub(r"\s+", " ", stopped.screen)
    assert "1 of its files are not as they were: config/definitions/eular_2021_strict.yaml (changed)" in said
    assert "Traceback" not in said
