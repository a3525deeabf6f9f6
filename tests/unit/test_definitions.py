"""Definitions are data: what a YAML may say, what a malformed one is told, and what the labels look like."""

import polars as pl
import pytest
import yaml

from d2tra import io
from d2tra.config import PROJECT, Study
from d2tra.definitions import (
    POLICIES,
    definition_files,
    judge_site,
    label,
    label_patients,
    load_definition,
    status_by_policy,
    why,
)
from d2tra.errors import StudyError
from d2tra.scores import score_visits
from d2tra.spans import read_spans
from d2tra.treatment import trace_courses
from tables import frame
from vignettes import ACTIVE, TWO_FAILED, judge

SHIPPED = sorted(path.stem for path in (PROJECT / "config" / "definitions").glob("*.yaml"))
ONE = {
    "name": "one",
    "title": "One criterion",
    "disease": "RA",
    "source": {"authors": "Somebody", "year": 2024},
    "criteria": [{"id": 1, "title": "first", "csdmard_prerequisite": {}}],
    "open_points": [],
}


def changed(**changes):
    return {**ONE, **changes}


# --- the shipped ones


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_definition_says_where_it_comes_from_and_what_it_leaves_open(name):
    definition = load_definition(name)
    assert definition.name == name
    assert definition.source.authors
    assert definition.open_points
    assert all(criterion.title for criterion in definition.listed.values())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_definition_can_be_said_in_words(name):
    definition = load_definition(name)
    lines = definition.in_words()
    assert [line.split(".")[0] for line in lines[1:]] == list(definition.listed)
    assert lines[0].startswith("Met where ")


def test_words_hold_the_numbers_and_their_edges():
    words = " ".join(load_definition("eular_2021").in_words())
    for part in ("above 10 mg/L", "above 28 mm/h", "at least 7.5 mg/day", "HAQ-DI above 1 ", "up to 456 days", "not 2a",
                 "at least 5 points", "at least 2 distinct", "2d. rapid radiographic progression (left out where unknown)"):  # fmt: skip
        assert part in words


def test_the_routine_and_strict_forms_differ_from_eular_2021_only_where_they_say():
    eular, routine, strict = map(load_definition, ("eular_2021", "eular_2021_routine", "eular_2021_strict"))
    assert routine.criteria == eular.criteria
    assert (eular.optional, routine.optional, strict.optional) == (("2d",), ("2c", "2d", "2e"), ("2d",))
    assert [name for name in eular.listed if eular.listed[name] != strict.listed[name]] == ["1", "1m"]


# --- what a malformed one is told


@pytest.mark.parametrize(
    ("section", "message"),
    [
        pytest.param(changed(tittle="x"), "unknown key 'tittle', did you mean 'title'?", id="unknown key"),
        pytest.param({k: v for k, v in ONE.items() if k != "source"}, "required key 'source' is missing", id="missing key"),
        pytest.param(changed(disease="axSpA"), "key 'disease'.*'RA' or 'PsA'", id="unknown disease"),
        pytest.param(changed(criteria=[{"id": 1, "title": "x", "failed_mechanism": {}}]), "unknown key 'criteria.0.failed_mechanism', did you mean 'failed_mechanisms'?", id="unknown criterion"),
        pytest.param(changed(criteria=[{"id": 1, "title": "x", "failed_mechanisms": {"at_leest": 2}}]), "did you mean 'at_least'?", id="unknown parameter"),
        pytest.param(changed(criteria=[{"id": 1, "title": "x"}]), "exactly one of all_of, any_of", id="a criterion that says nothing"),
        pytest.param(changed(criteria=[{"id": 1, "title": "x", "csdmard_prerequisite": {}, "all_of": ["1p"]}]), "exactly one of", id="a criterion that says two things"),
        pytest.param(changed(criteria=[{"id": 1, "csdmard_prerequisite": {}}]), "needs a title", id="no title"),
        pytest.param(changed(criteria=[]), "key 'criteria'", id="no criteria"),
        pytest.param(changed(criteria=[*ONE["criteria"], "1p"]), "no criterion '1p' above this line.*Known: 1", id="unknown reference"),
        pytest.param(changed(criteria=["2", *ONE["criteria"]]), "no criterion '2' above this line.*Known: none", id="reference before"),
        pytest.param(changed(criteria=["eular_2021/2z"]), "no criterion '2z' in eular_2021.*Known: 1, 1m", id="unknown criterion elsewhere"),
        pytest.param(changed(criteria=["eular_2012/2a"]), "no eular_2012.yaml.*did you mean 'eular_2021'?", id="unknown definition elsewhere"),
        pytest.param(changed(criteria=[*ONE["criteria"], "eular_2021/1"]), "two different criteria have the id '1'", id="an id twice"),
        pytest.param(changed(optional=["1"]), "'1' is no part of an any_of.*Allowed: none", id="optional outside an or"),
        pytest.param(changed(name="o/ne"), "key 'name'", id="no name"),
    ],
)  # fmt: skip
def test_a_malformed_definition_names_the_key_and_the_nearest_choice(section, message):
    with pytest.raises(StudyError, match=f"definition o/?ne: .*{message}"):
        load_definition(section)


def test_a_malformed_file_is_named(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(yaml.safe_dump(changed(tittle="x")), encoding="utf-8")
    with pytest.raises(StudyError, match=r"one\.yaml: unknown key 'tittle'"):
        load_definition(path)


def test_the_name_is_the_stem_of_the_file(tmp_path):
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(ONE), encoding="utf-8")
    with pytest.raises(StudyError, match="'one' must be the stem of its file, 'other'"):
        load_definition(path)


def test_definitions_cannot_go_round_in_a_circle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "config" / "definitions"
    folder.mkdir(parents=True)
    for name, other in (("first", "second"), ("second", "first")):
        section = changed(name=name, criteria=[f"{other}/1"])
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(section), encoding="utf-8")
    with pytest.raises(StudyError, match="goes round in a circle"):
        load_definition("first")


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(StudyError, match=r"no eular_2012\.yaml.*did you mean 'eular_2021'"):
        load_definition("eular_2012")


def test_a_reference_may_carry_a_title_of_its_own():
    section = changed(criteria=[{"id": "x", "title": "another name", "same_as": "eular_2021/1m"}])
    criterion = load_definition(section).listed["x"]
    assert (criterion.title, criterion.leaf) == (
        "another name",
        load_definition("eular_2021").listed["1m"].leaf,
    )


def test_a_definition_is_made_of_its_file_and_those_it_refers_to():
    assert [path.name for path in definition_files("eular_2021_strict")] == [
        "eular_2021.yaml",
        "eular_2021_strict.yaml",
    ]
    assert [path.name for path in definition_files("eular_2021")] == ["eular_2021.yaml"]


def test_a_definition_written_on_the_spot_is_judged_like_any_other():
    labelled = judge_mapping(changed(criteria=["eular_2021/1", "eular_2021/2a"]))
    assert labelled.labels.select("definition", "status").row(0) == ("one", "met")
    assert labelled.evidence["criterion"].to_list() == ["1", "1m", "1p", "2a"]


def judge_mapping(section):
    return label(
        {
            "patients": frame("patient_id | disease\nP1 | RA"),
            "visits": frame(
                "\n".join(
                    f"{who} | {row}"
                    for who, row in zip(["patient_id", "P1"], ACTIVE.splitlines(), strict=True)
                )
            ),
            "treatments": frame(
                "\n".join(
                    f"{'patient_id' if number == 0 else 'P1'} | {row}"
                    for number, row in enumerate(TWO_FAILED.strip().splitlines())
                )
            ),
        },
        section,
    )


def test_a_definition_that_counts_no_failures_reports_them_as_eular_2021_does():
    labels, _ = judge_mapping(ONE)
    row = labels.row(0, named=True)
    assert (row["status"], row["n_failed_mechanisms"], row["hangs_on_presumed"]) == ("met", 2, False)


# --- labels and evidence


EXTRACT = {
    "patients": frame("patient_id | disease\nB | RA\nA | RA\nC | PsA\nD | RA"),
    "visits": frame(
        """
        patient_id | visit_date | tjc28 | sjc28 | patient_global_mm | physician_global_mm | problematic_to_patient
        B          | 2022-01-01 | 8     | 6     | 60                | 60                  |
        A          | 2022-01-01 | 8     | 6     | 60                | 60                  | true
        A          | 2021-01-01 | 8     | 6     | 60                | 40                  | false
        C          | 2022-01-01 | 8     | 6     | 60                | 60                  | true
        X          | 2022-01-01 | 8     | 6     | 60                | 60                  | true
        """
    ),
    "treatments": frame(
        """
        patient_id | drug         | start_date | stop_date  | stop_reason
        A          | methotrexate | 2015-01-01 |            |
        A          | adalimumab   | 2016-01-01 | 2017-01-01 | inefficacy
        A          | abatacept    | 2018-01-01 | 2019-01-01 | inefficacy
        B          | methotrexate | 2015-01-01 |            |
        B          | adalimumab   | 2016-01-01 | 2017-01-01 | inefficacy
        B          | abatacept    | 2018-01-01 | 2019-01-01 | inefficacy
        """
    ),
}
COURSES = trace_courses(EXTRACT["treatments"])
SCORES = score_visits(EXTRACT["visits"])
TWO = ["eular_2021_strict", "eular_2021"]


def test_labels_hold_one_row_per_patient_and_definition_of_the_disease():
    labels, _ = label_patients(EXTRACT, COURSES, SCORES, TWO)
    assert labels.select("patient_id", "definition", "status").rows() == [
        ("A", "eular_2021_strict", "met"),
        ("A", "eular_2021", "met"),
        ("B", "eular_2021_strict", "not_assessable"),
        ("B", "eular_2021", "not_assessable"),
        ("D", "eular_2021_strict", "not_assessable"),
        ("D", "eular_2021", "not_assessable"),
    ]


def test_labels_have_the_promised_columns_and_types():
    labels, evidence = label_patients(EXTRACT, COURSES, SCORES, TWO)
    assert dict(labels.schema) == {
        "patient_id": pl.String, "definition": pl.String, "index_date": pl.Date, "status": pl.String,
        "first_met_date": pl.Date, "n_failed_mechanisms": pl.Int64, "n_failed_drugs": pl.Int64,
        "n_failures_presumed": pl.Int64, "hangs_on_presumed": pl.Boolean,
    }  # fmt: skip
    assert dict(evidence.schema) == {
        "patient_id": pl.String, "definition": pl.String, "criterion": pl.String, "met": pl.Boolean, "reason": pl.String,
    }  # fmt: skip


def test_every_verdict_has_a_reason():
    for policy in POLICIES:
        _, evidence = label_patients(
            EXTRACT, COURSES, SCORES, [*TWO, "audit_95"], {"if_criterion_3_unrecorded": policy}
        )
        assert evidence["reason"].null_count() == 0
        assert evidence["reason"].str.len_chars().min() > 10


def test_labels_do_not_hang_on_the_order_of_the_rows():
    shuffled = {table: rows.sample(fraction=1, shuffle=True, seed=3) for table, rows in EXTRACT.items()}
    for one, other in zip(label(EXTRACT, "eular_2021"), label(shuffled, "eular_2021"), strict=True):
        assert one.equals(other)


def test_without_evidence_the_labels_are_the_same():
    labels, evidence = label_patients(EXTRACT, COURSES, SCORES, TWO, {"evidence": "none"})
    assert labels.equals(label_patients(EXTRACT, COURSES, SCORES, TWO).labels)
    assert evidence.is_empty()


def test_evidence_can_be_kept_of_those_alone_who_meet_a_definition():
    labels, evidence = label_patients(EXTRACT, COURSES, SCORES, TWO, {"evidence": "met_only"})
    met = labels.filter(status="met")["patient_id"].unique()
    everybody = label_patients(EXTRACT, COURSES, SCORES, TWO).evidence
    assert 0 < len(met) < labels["patient_id"].n_unique()
    assert evidence.equals(everybody.filter(pl.col("patient_id").is_in(met.implode())))


@pytest.mark.parametrize("patients_at_once", [1, 2, 3])
def test_a_site_judged_in_spans_is_judged_as_a_whole(tmp_path, patients_at_once):
    whole = {**EXTRACT, "courses": COURSES, "scores": SCORES}
    for name, rows in whole.items():
        by = [column for column in ("patient_id", "visit_date", "start_date") if column in rows.columns]
        io.write(rows.sort(by, maintain_order=True), tmp_path / f"{name}.parquet")
    spans = [judge_site(span, TWO, {}) for span in read_spans(io.files_of(tmp_path), patients_at_once)]
    at_once = judge_site(whole, TWO, {})
    for name, rows in at_once.items():
        assert pl.concat([span[name] for span in spans]).equals(rows), name


def test_the_four_policies_stand_side_by_side():
    found = status_by_policy(EXTRACT, COURSES, SCORES, ["eular_2021"]).filter(pl.col("patient_id") != "D")
    assert found.drop("criterion_3_recorded").rows() == [
        ("A", "eular_2021", "unknown", "met"),
        ("A", "eular_2021", "assume_met", "met"),
        ("A", "eular_2021", "global_above_50", "met"),
        ("A", "eular_2021", "ignore", "met"),
        ("B", "eular_2021", "unknown", "not_assessable"),
        ("B", "eular_2021", "assume_met", "met"),
        ("B", "eular_2021", "global_above_50", "met"),
        ("B", "eular_2021", "ignore", "met"),
    ]


def test_beside_the_policies_it_is_told_whether_criterion_3_is_recorded():
    found = status_by_policy(EXTRACT, COURSES, SCORES, ["eular_2021", "audit_95"]).filter(
        criterion_3_policy="ignore"
    )
    assert found.select("patient_id", "definition", "criterion_3_recorded").rows() == [
        ("A", "eular_2021", True), ("A", "audit_95", None),
        ("B", "eular_2021", False), ("B", "audit_95", None),
        ("D", "eular_2021", None), ("D", "audit_95", None),
    ]  # fmt: skip


@pytest.mark.parametrize("policy", POLICIES)
def test_each_policy_gives_what_a_study_that_chose_it_gets(policy):
    side_by_side = status_by_policy(EXTRACT, COURSES, SCORES, TWO).filter(criterion_3_policy=policy)
    chosen = label_patients(EXTRACT, COURSES, SCORES, TWO, {"if_criterion_3_unrecorded": policy}).labels
    assert side_by_side.select("patient_id", "definition", "status").equals(chosen.select("patient_id", "definition", "status"))  # fmt: skip


def test_an_ignored_criterion_has_no_evidence_where_it_is_unrecorded():
    _, evidence = label(EXTRACT, "eular_2021", {"if_criterion_3_unrecorded": "ignore"})
    assert evidence.filter(criterion="3")["patient_id"].to_list() == ["A"]


def test_an_extract_without_treatments_is_never_assessable():
    extract = {table: rows for table, rows in EXTRACT.items() if table != "treatments"} | {"treatments": None}
    labels, evidence = label(extract, "eular_2021")
    assert set(labels["status"]) == {"not_assessable"}
    assert labels["n_failed_mechanisms"].null_count() == labels.height
    assert labels["first_met_date"].null_count() == labels.height
    known = evidence.filter(pl.col("met").is_not_null())
    assert not set(known["criterion"]) & {"1", "1m", "1p", "2c"}


def test_an_extract_without_treatments_cannot_tell_control_by_an_acute_phase_score():
    extract = {
        "patients": frame("patient_id | disease\nA | RA"),
        "visits": frame(
            "patient_id | visit_date | tjc28 | sjc28 | patient_global_mm | crp_mg_l\nA | 2022-01-01 | 0 | 0 | 5 | 1"
        ),
    }
    evidence = label(extract, "eular_2021").evidence.filter(criterion="2a")
    assert evidence["met"].item() is None
    assert "treatments" in evidence["reason"].item()


def test_a_whole_study_is_taken_for_its_choices():
    study = Study(name="s", title="t", sites=["x"], cohorts=[{"name": "full"}], definitions=["eular_2021"], seed=1, if_criterion_3_unrecorded="assume_met")  # fmt: skip
    assert label(EXTRACT, "eular_2021", study).labels["status"].to_list() == ["met", "met", "not_assessable"]


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ({"if_criterion_3_unrecorde": "ignore"}, "did you mean 'if_criterion_3_unrecorded'"),
        ({"if_criterion_3_unrecorded": "assume"}, "key 'if_criterion_3_unrecorded'.*assume_met"),
        ({"severity_score": ["das28"]}, "'das28' is no score with bands.*Allowed: das28_esr"),
        ({"data_cut_date": "soon"}, "key 'data_cut_date'"),
    ],
    ids=["unknown key", "unknown policy", "unknown score", "no date"],
)
def test_a_study_that_asks_for_nonsense_is_told_so(study, message):
    with pytest.raises(StudyError, match=message):
        label(EXTRACT, "eular_2021", study)


@pytest.mark.parametrize(
    ("extract", "message"),
    [
        ({"patients": EXTRACT["patients"]}, "no table 'visits'"),
        ({**EXTRACT, "patients": EXTRACT["patients"].drop("disease")}, "missing: 'disease'"),
        (
            {**EXTRACT, "treatment": EXTRACT["treatments"]},
            "unknown table 'treatment', did you mean 'treatments'",
        ),
    ],
    ids=["no visits", "no disease", "unknown table"],
)
def test_an_extract_that_cannot_be_judged_is_told_so(extract, message):
    with pytest.raises(StudyError, match=message):
        label(extract, "eular_2021")


def test_an_extract_without_anybody_gives_no_labels():
    nobody = {table: rows.clear() for table, rows in EXTRACT.items()}
    labels, evidence = label(nobody, "eular_2021")
    assert labels.is_empty()
    assert evidence.is_empty()


# --- why


def test_why_says_the_verdict_and_every_criterion_in_words():
    lines = why("A", *label(EXTRACT, "eular_2021")).splitlines()
    assert lines[0] == "eular_2021: met on 2022-01-01; first met on 2022-01-01"
    assert lines[2].startswith(
        "  1m  met: 2 mechanisms failed: tnf (adalimumab, stopped 2017-01-01, inefficacy)"
    )
    assert [line.split()[0] for line in lines[1:]] == [
        "1",
        "1m",
        "1p",
        "2",
        "2a",
        "2b",
        "2c",
        "2d",
        "2e",
        "3",
    ]


def test_why_of_a_patient_without_visits_says_so():
    assert "2a  unknown: no visit up to the study's cut" in why(
        "D", *label(EXTRACT, "eular_2021"), "eular_2021"
    )


@pytest.mark.parametrize(
    ("patient", "definition"), [("Z", None), ("A", "audit_95")], ids=["patient", "definition"]
)
def test_why_of_what_was_never_labelled_is_an_error_without_the_id(patient, definition):
    with pytest.raises(StudyError) as problem:
        why(patient, *label(EXTRACT, "eular_2021"), definition)
    assert repr(patient) not in str(problem.value)


# --- reasons of combinations


def test_a_combination_shows_the_parts_that_decided_it():
    reasons = dict(judge(visits=ACTIVE).evidence.select("criterion", "reason").iter_rows())
    assert reasons["1"].startswith("1m met: 2 mechanisms failed")
    assert "; 1p met: methotrexate" in reasons["1"]
    assert reasons["2"] == "2a met: cdai 26 (high) at the visit of 2022-01-01"
    assert reasons["2e"] == "2a met: cdai 26 (high) at the visit of 2022-01-01"
