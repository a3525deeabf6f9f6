"""`d2tra why` answers in plain words and never with a traceback."""

import datetime as dt

import polars as pl
import pytest

from d2tra import cli, io

STUDY = """
title: A study
sites: [north]
cohorts: [{name: audit}]
definitions: [eular_2021]
seed: 1
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(STUDY)
    return "small.yaml"


@pytest.fixture
def results(tmp_path):
    day = dt.date(2023, 5, 1)
    labels = pl.DataFrame(
        {
            "patient_id": ["ann"],
            "definition": ["eular_2021"],
            "index_date": [day],
            "status": ["met"],
            "first_met_date": [day],
            "n_failed_mechanisms": [2],
            "n_failed_drugs": [3],
            "n_failures_presumed": [0],
        }
    )
    evidence = pl.DataFrame(
        {
            "patient_id": ["ann", "ann"],
            "definition": ["eular_2021"] * 2,
            "criterion": ["1m", "3"],
            "met": [True, None],
            "reason": ["2 mechanisms failed: tnf (adalimumab), il6r (tocilizumab)", "no flag is recorded"],
        }
    )
    folder = tmp_path / "results" / "small" / "private" / "sites" / "north"
    io.write(labels, folder / "labels.parquet")
    io.write(evidence, folder / "evidence.parquet")


@pytest.mark.usefixtures("results")
def test_why_prints_the_label_each_criterion_and_the_deciding_records(study, capsys):
    assert cli.main(["why", "ann", "--study", study]) == 0
    said = capsys.readouterr().out
    assert "eular_2021" in said
    assert "2 mechanisms failed: tnf (adalimumab), il6r (tocilizumab)" in said
    assert "no flag is recorded" in said


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["why", "bob"], "no valid patient has this id"),
        (["why", "ann", "--definition", "becede_2019"], "it has: eular_2021"),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(study, capsys, arguments, said):
    assert cli.main([*arguments, "--study", study]) == 1
    assert said in capsys.readouterr().err


def test_a_study_without_results_says_how_to_make_them(study, capsys):
    assert cli.main(["why", "ann", "--study", study]) == 1
    assert "uv run snakemake --cores all" in capsys.readouterr().err
