"""Criteria over time and so many of several: what they make of the verdicts at every visit, three-valued."""

import polars as pl
import pytest

from d2tra.definitions import POLICIES, label, label_patients, load_definition, status_by_policy
from d2tra.definitions.criteria import Criterion
from d2tra.errors import StudyError
from d2tra.scores import score_visits
from d2tra.treatment import trace_courses
from ra_vignettes import TWO_FAILED, extract_of, judge_all, ra, reasons_of

PAIN = {"measured": {"within_days": 0, "any_of": {"pain_mm": {"above": 40}}}}
YES, NO, OPEN = {"pain_mm": 41.0}, {"pain_mm": 40.0}, {"fatigue_mm": 1.0}


def definition(criterion, **more):
    return {
        "name": "one", "title": "One", "disease": "RA", "source": {"authors": "Somebody", "year": 2024},
        "criteria": [{"id": "x", "title": "over time", **criterion}], "open_points": [], **more,
    }  # fmt: skip


def verdicts(criterion, patients):
    return {name: found["x"] for name, found in judge_all(definition(criterion), patients).items()}


PERSISTENT = {  # the last 183 days begin on 2021-07-02
    "at one visit": (ra(**YES), None),
    "183 days": (ra(earlier={"2021-07-02": YES}, **YES), True),
    "182 days": (ra(earlier={"2021-07-03": YES}, **YES), None),
    "not now": (ra(earlier={"2021-07-02": YES}, **NO), False),
    "unknown now": (ra(earlier={"2021-07-02": YES}, **OPEN), None),
    "not once in between": (ra(earlier={"2021-07-02": YES, "2021-10-01": NO}, **YES), False),
    "not once in between, too new": (ra(earlier={"2021-07-03": YES, "2021-10-01": NO}, **YES), False),
    "unknown once in between": (ra(earlier={"2021-07-02": YES, "2021-10-01": OPEN}, **YES), None),
    "unknown, then not": (ra(earlier={"2021-07-02": OPEN, "2021-10-01": NO}, **YES), False),
    "not at the visit before": (ra(earlier={"2020-01-01": YES, "2021-07-01": NO, "2021-10-01": YES}, **YES), False),
    "unknown at the visit before": (ra(earlier={"2021-07-01": OPEN}, **YES), None),
    "not long before": (ra(earlier={"2021-01-01": NO, "2021-07-01": YES}, **YES), True),
    "unknown long before": (ra(earlier={"2021-01-01": OPEN, "2021-07-01": YES}, **YES), True),
}  # fmt: skip


@pytest.mark.parametrize("name", PERSISTENT)
def test_persistent_means_met_at_every_visit_of_the_time_and_at_the_one_before_it(name):
    found = verdicts({"persistent": {"at_least_days": 183, "criteria": [PAIN]}}, {name: PERSISTENT[name][0]})
    assert found[name] is PERSISTENT[name][1]


def test_the_reasons_of_persistence_name_the_visit():
    reasons = reasons_of(
        definition({"persistent": {"at_least_days": 183, "criteria": [PAIN]}}),
        {name: case[0] for name, case in PERSISTENT.items()},
    )
    assert reasons["183 days", "x"] == "at every visit since 2021-07-02"
    assert reasons["not once in between", "x"] == "not at the visit of 2021-10-01"
    assert reasons["182 days", "x"] == "no visit on or before 2021-07-02; an earlier one would settle it"
    assert reasons["unknown at the visit before", "x"].startswith("unknown at the visit of 2021-07-01")


REACHED = {
    "now": (ra(earlier={"2021-01-01": NO}, **YES), True),
    "once": (ra(earlier={"2021-01-01": NO, "2021-02-01": YES}, **NO), True),
    "never": (ra(earlier={"2021-01-01": NO}, **NO), False),
    "perhaps once": (ra(earlier={"2021-01-01": OPEN}, **NO), None),
    "once, unknown before": (ra(earlier={"2021-01-01": OPEN, "2021-02-01": YES}, **NO), True),
}


@pytest.mark.parametrize("name", REACHED)
def test_reached_means_met_at_one_visit_so_far(name):
    assert verdicts({"reached": {"criteria": [PAIN]}}, {name: REACHED[name][0]})[name] is REACHED[name][1]


def test_reached_and_persistent_ask_all_their_criteria_at_the_same_visit():
    tired = {"measured": {"within_days": 0, "any_of": {"fatigue_mm": {"above": 40}}}}
    apart = ra(earlier={"2021-01-01": {"pain_mm": 41.0, "fatigue_mm": 0.0}}, pain_mm=0.0, fatigue_mm=41.0)
    together = ra(earlier={"2021-01-01": {"pain_mm": 41.0, "fatigue_mm": 41.0}}, pain_mm=0.0, fatigue_mm=0.0)
    found = verdicts({"reached": {"criteria": [PAIN, tired]}}, {"apart": apart, "together": together})
    assert found == {"apart": False, "together": True}


D2T_FOR_LONG = definition(
    {"persistent": {"at_least_days": 183, "criteria": ["eular_2021/1", "eular_2021/2", "eular_2021/3"]}},
    optional=["2d"],
)
ACTIVE = {"tjc28": 8, "sjc28": 6, "patient_global_mm": 60.0, "physician_global_mm": 60.0}


def test_a_criterion_over_time_leaves_out_what_its_definition_calls_optional():
    well = {"tjc28": 0, "sjc28": 0, "patient_global_mm": 0.0, "physician_global_mm": 0.0, "crp_mg_l": 1.0, "haq_di": 0.0,
            "pain_mm": 0.0, "problematic_to_patient": True}  # fmt: skip
    drugs = (*TWO_FAILED, "prednisolone 2015-01-01 2016-01-01 -")
    patients = {"well": ra(*drugs, earlier={"2021-01-01": well}, **well)}
    assert judge_all(D2T_FOR_LONG, patients)["well"]["x"] is False
    assert judge_all({**D2T_FOR_LONG, "optional": ["2c"]}, patients)["well"]["x"] is None


def test_a_criterion_over_time_follows_the_policy_of_criterion_3():
    extract = extract_of(
        {
            "unrecorded": ra(*TWO_FAILED, earlier={"2021-01-01": ACTIVE}, **ACTIVE),
            "recorded": ra(
                *TWO_FAILED, earlier={"2021-01-01": ACTIVE | {"problematic_to_patient": True}}, **ACTIVE
            ),
        }
    )
    courses, scores = trace_courses(extract["treatments"]), score_visits(extract["visits"])
    side_by_side = status_by_policy(extract, courses, scores, [D2T_FOR_LONG])
    for policy in POLICIES:
        chosen = label_patients(
            extract, courses, scores, [D2T_FOR_LONG], {"if_criterion_3_unrecorded": policy}
        ).labels
        found = side_by_side.filter(criterion_3_policy=policy)
        assert found["status"].to_list() == chosen["status"].to_list(), policy
    assert set(side_by_side["status"]) == {"met", "not_assessable"}


def test_a_criterion_over_time_hangs_on_a_presumed_failure():
    presumed = (
        "methotrexate 2015-01-01 - -",
        "adalimumab 2016-01-01 2017-01-01 -",
        "abatacept 2017-02-01 2019-01-01 inefficacy",
    )
    visit = ACTIVE | {"problematic_to_patient": True}
    extract = extract_of(
        {
            name: ra(*drugs, earlier={"2021-01-01": visit}, **visit)
            for name, drugs in (("presumed", presumed), ("recorded", TWO_FAILED))
        }
    )
    labels = label(extract, D2T_FOR_LONG).labels
    assert labels.select("patient_id", "status", "hangs_on_presumed").rows() == [
        ("presumed", "met", True), ("recorded", "met", False),
    ]  # fmt: skip


def test_parts_of_a_criterion_over_time_are_listed_and_said_in_words():
    loaded = load_definition(D2T_FOR_LONG)
    assert list(loaded.listed)[:4] == ["x", "1", "1m", "1p"]
    assert loaded.in_words()[1] == "x. over time: at every visit for at least 183 days: 1 and 2 and 3."


# --- so many of several


def k_of(k, met):
    leaves = [
        {"failed_mechanisms": {"at_least": n, "count_intolerance": True, "count_presumed": True}}
        for n in range(len(met))
    ]
    node = Criterion.model_validate({"at_least_k_of": {"k": k, "criteria": leaves}})
    return pl.select(node.met(lambda leaf: pl.lit(met[leaf.at_least], dtype=pl.Boolean), frozenset())).item()


@pytest.mark.parametrize(
    ("k", "met", "expected"),
    [
        (2, [True, True, False], True),
        (2, [True, False, False], False),
        (2, [True, None, False], None),
        (2, [True, True, None], True),
        (2, [None, False, False], False),
        (2, [None, None, False], None),
        (3, [True, True, True], True),
        (3, [True, True, None], None),
        (1, [None, None, None], None),
        (1, [False, False, False], False),
    ],
)
def test_at_least_k_of_counts_what_is_known_and_what_is_possible(k, met, expected):
    assert k_of(k, met) is expected


def test_at_least_k_of_shows_the_parts_that_decided_and_can_be_said():
    tired = {
        "id": "f",
        "title": "tired",
        "measured": {"within_days": 0, "any_of": {"fatigue_mm": {"above": 40}}},
    }
    criterion = {
        "at_least_k_of": {"k": 2, "criteria": [{"id": "p", "title": "pain", **PAIN}, tired, "eular_2021/2a"]}
    }
    patients = {"one": ra(pain_mm=41.0, fatigue_mm=41.0)}
    assert judge_all(definition(criterion), patients)["one"]["x"] is True
    assert reasons_of(definition(criterion), patients)["one", "x"] == (
        "p met: pain (mm) 41 at the visit of 2022-01-01; f met: fatigue_mm 41 at the visit of 2022-01-01"
    )
    assert load_definition(definition(criterion)).in_words()[1] == "x. over time: at least 2 of p, f, 2a."


@pytest.mark.parametrize(
    ("criterion", "message"),
    [
        ({"at_least_k_of": {"k": 3, "criteria": [PAIN, PAIN]}}, "3 of 2 criteria can never be met"),
        ({"reached": {"criteria": []}}, "reached"),
        ({"persistent": {"criteria": [PAIN]}}, "'criteria.0.persistent.at_least_days' is missing"),
        (
            {"mean_of_visits": {"first_of": ["das29"], "visits": 1, "within_days": 1, "mean": {"above": 1}}},
            "'das29' is no score",
        ),
    ],
)
def test_a_malformed_criterion_is_told_so(criterion, message):
    with pytest.raises(StudyError, match=message):
        load_definition(definition(criterion))
