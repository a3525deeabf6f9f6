"""The study file: closed, ordered, and its mistakes named."""

import pytest

from d2tra import config
from d2tra.errors import StudyError

STUDY = """
title: A study
sites: [demo]
cohorts:
  - {name: audit, sequence: [1, 95], disease: RA}
  - {name: full, disease: RA, age_min: 16}
definitions: [eular_2021]
seed: 1
"""


@pytest.fixture
def study_file(tmp_path):
    def write(text: str):
        path = tmp_path / "my_study.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_a_study_is_named_after_its_file(study_file):
    assert config.load_study(study_file(STUDY)).name == "my_study"


def test_a_name_that_is_written_where_the_file_gives_it_is_refused_and_not_overwritten(study_file):
    with pytest.raises(
        StudyError, match=r"key 'name' is not written here: it is 'my_study'\. Leave it out\."
    ):
        config.load_study(study_file(STUDY + "name: another\n"))


def test_the_keys_of_a_cohort_in_their_order_are_its_selection_flow(study_file):
    audit, full = config.load_study(study_file(STUDY)).cohorts
    assert list(audit.steps()) == ["sequence", "disease", "started_bts", "age_min"]
    assert full.steps() == {"disease": "RA", "age_min": 16, "started_bts": True}


def test_a_criterion_switched_off_is_no_step(study_file):
    text = STUDY.replace("age_min: 16", "age_min: null, started_bts: false")
    assert config.load_study(study_file(text)).cohort("full").steps() == {"disease": "RA"}


def test_stated_defaults_hold_where_a_study_is_silent(study_file):
    study = config.load_study(study_file(STUDY))
    assert (study.models, study.release) == (["univariable"], ["local_audit"])
    assert (study.if_criterion_3_unrecorded, study.baseline) == ("unknown", "first_bts")


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("seed: 1", "sead: 1", "did you mean 'seed'"),
        ("sequence: [1, 95]", "seqence: [1, 95]", "did you mean 'sequence'"),
        ("seed: 1", "", "required key 'seed' is missing"),
        ("sites: [demo]", "sites: []", "key 'sites'"),
        ("seed: 1", "seed: 1\nif_criterion_3_unrecorded: maybe", "assume_met"),
        ("name: full", "name: audit", "two cohorts are named 'audit'"),
    ],
)
def test_a_mistake_in_a_study_names_file_key_and_what_is_allowed(study_file, right, wrong, said):
    with pytest.raises(StudyError, match=r"my_study\.yaml") as mistake:
        config.load_study(study_file(STUDY.replace(right, wrong)))
    assert said in str(mistake.value)


def test_a_cohort_that_is_not_there_is_answered_with_those_that_are(study_file):
    with pytest.raises(StudyError, match="audit, full"):
        config.load_study(study_file(STUDY)).cohort("extension")


def test_a_file_that_is_no_yaml_is_named_with_line_and_column(study_file):
    with pytest.raises(StudyError, match=r"my_study.yaml, line \d+, column \d+"):
        config.load_study(study_file("title: [unclosed\nsites: x: y"))


def test_an_unknown_study_is_answered_with_the_nearest(monkeypatch, tmp_path):
    (tmp_path / "config" / "studies").mkdir(parents=True)
    (tmp_path / "config" / "studies" / "winter_audit.yaml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match="did you mean 'winter_audit'"):
        config.load_study("winter_audt")
    assert config.load_study("winter_audit").name == "winter_audit"


def test_a_registers_own_yes_and_no_stay_words_and_a_date_stays_a_date(study_file):
    loaded = config.load_yaml(study_file("values: {yes: true, no: false, on: 'off', Y: N}"))
    assert loaded == {"values": {"yes": True, "no": False, "on": "off", "Y": "N"}}


def test_models_and_definitions_given_as_paths_are_called_by_the_stems_of_their_files(study_file):
    text = STUDY.replace("[eular_2021]", "[eular_2021, elsewhere/mine.yaml]")
    study = config.load_study(study_file(f"{text}models: [univariable, elsewhere/own_model.yaml]"))
    assert study.definition_names == ["eular_2021", "mine"]
    assert study.model_names == ["univariable", "own_model"]
