"""The notebooks on the small study: each runs, shows what the results hold, and its page needs nothing but itself."""

import re
import stat
from pathlib import Path

import polars as pl
import pytest

from d2tra import io
from small_study import ROOT, Run, built, copy_of, once, patient_id, run_workflow, shared_folder

pytestmark = pytest.mark.slow

NAMES = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
OUTSIDE = r"""(?:src|href)\s*=\s*["']?(?:https?:|//|file:)|url\(\s*['"]?(?:https?:|//)|@import|<script"""
NOISE = r"Traceback|\w+Error\b|\w+Warning\b|output_error|output_stderr"


@pytest.fixture(scope="module")
def read(small: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small study after `snakemake notebooks`."""

    def make(folder: Path) -> Run:
        return run_workflow(copy_of(small, folder), "notebooks", cores=4, project=small.project)

    return built(once(shared_folder(tmp_path_factory) / "read", make))


def page_of(run: Run, number: str) -> str:
    (path,) = (run.results / "private" / "notebooks").glob(f"{number}_*.html")
    return path.read_text(encoding="utf-8")


def words_of(page: str) -> str:
    """Returns what a page says: without code, tags, and line ends."""
    text = re.sub(r'<div class="(?:[^"]* )?highlight.*?</pre>', " ", page.split("<main>")[1], flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_each_notebook_is_a_private_page_and_nothing_else_was_made_anew(small: Run, read: Run) -> None:
    pages = sorted((read.results / "private" / "notebooks").iterdir())
    assert [path.name for path in pages] == [f"{name}.html" for name in NAMES]
    assert stat.S_IMODE((read.results / "private").stat().st_mode) == 0o700
    assert set(read.reasons()) == {"render_notebook", "notebooks"}
    assert not (small.results / "private" / "notebooks").exists()
    assert "WARNING" not in read.screen


@pytest.mark.parametrize("number", ["01", "02", "03", "04"])
def test_a_page_holds_no_error_and_asks_nothing_of_the_network(read: Run, number: str) -> None:
    page = page_of(read, number)
    assert not re.search(OUTSIDE, page)
    assert "default-src 'none'" in page
    assert not re.search(NOISE, page)
    assert str(read.folder) not in page
    assert "Private: do not release." in words_of(page)
    assert "SYNTHETIC" not in page  # the site does not say that it is


@pytest.mark.parametrize(
    "planted", ['<script src="x.js">', '<link href="https://a.org/x">', "url(//a.org/f)"]
)
def test_a_request_would_be_found(planted: str) -> None:
    assert re.search(OUTSIDE, planted)


@pytest.mark.parametrize("planted", ["UserWarning: odd", "StudyError: no", '<div class="output_stderr">'])
def test_noise_would_be_found(planted: str) -> None:
    assert re.search(NOISE, planted)


def test_the_first_notebook_accounts_for_the_rows_of_each_table(read: Run) -> None:
    words = words_of(page_of(read, "01"))
    for row in io.read(read.site / "accounting.csv").iter_rows():
        assert f"small_site {' '.join(map(str, row))}" in words
    for rule in io.read(read.site / "quarantine.csv")["rule"]:
        assert rule in words


def test_the_second_notebook_counts_the_labels_and_tells_the_story_of_a_patient(read: Run) -> None:
    words = words_of(page_of(read, "02"))
    labels = io.read(read.site / "labels.parquet").filter(definition="eular_2021")
    for status, n in labels.group_by("status").len().iter_rows():
        assert f"{status} {n} " in words
    assert labels.filter(patient_id=patient_id(3))["status"].item() == "not_assessable"
    assert f"Patient {patient_id(3)} eular_2021: not assessable on " in words
    (first,) = re.findall(r"Patient (\w+) eular_2021: met on ", words)
    assert labels.filter(patient_id=first)["status"].item() == "met"
    assert page_of(read, "02").count("<svg") == 1


def test_the_third_notebook_sets_the_cohorts_side_by_side(read: Run) -> None:
    words = words_of(page_of(read, "03"))
    for cohort in ("audit", "extension", "full"):
        row = io.read(read.cohort(cohort) / "prevalence.csv").row(0, named=True)
        assert f"{cohort} {row['n']} {row['n_met']} {row['n_not_assessable']} " in words
        assert f"{cohort}: {row['ci_low']:.1f} to {row['ci_high']:.1f} %" in words
        fit = io.read(read.cohort(cohort) / "models" / "small_model.csv")
        obese = fit.filter(pl.col("definition") == "eular_2021", term="obese", level="true")
        assert f"; {obese['n_events'].item()} of {obese['n'].item()}" in words
    agreed = io.read(read.cohort("audit") / "reproduction.csv")["agrees"]
    assert f"{agreed.sum()} of {agreed.len()} printed numbers agree." in words
    assert io.read_json(read.results / "private" / "protocol.json")["protocol_sha256"] in words


def test_the_fourth_notebook_labels_by_its_own_definition_and_says_who_changes(read: Run) -> None:
    """Nobody of the small study has failed three mechanisms: whoever met the definition no longer does."""
    words = words_of(page_of(read, "04"))
    assert "the labels of the results: the same" in words
    labels = io.read(read.site / "labels.parquet").filter(definition="eular_2021")
    counts = dict(labels.group_by("status").len().iter_rows())
    assert f"primary not_met met {counts['met']} not_assessable {counts['not_assessable']}" in words
    changed = counts["met"] + counts["not_assessable"]
    assert f"{changed} of {labels.height} patients change." in words
    assert f"met not_met 1m {counts['met']}" in words
