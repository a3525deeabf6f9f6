"""What the criteria of psoriatic arthritis refuse, how they look back, and how csDMARD failures are counted."""

import datetime as dt

import polars as pl
import pytest

from d2tra.definitions import load_definition
from d2tra.definitions.dmard_failures import dmard_outcomes
from d2tra.definitions.facts import Choices
from d2tra.definitions.gathering import gather_facts
from d2tra.errors import StudyError
from d2tra.scores import score_visits
from d2tra.treatment import trace_courses
from psa_vignettes import extract_of, judge_all, patient, reasons_of

PSA = ("d2t_psa_two_classes", "d2t_psa_two_classes_csdmard", "refractory_psa_all_classes", "c2m_psa_2025", "tr_psa_2025",
       "eular_d2m_psa_2025", "eular_tr_psa_2025")  # fmt: skip


def one(criterion):
    """A definition of this one criterion."""
    criteria = [{"id": 1, "title": "first", **criterion}]
    source = {"authors": "Somebody", "year": 2024}
    return {
        "name": "one",
        "title": "One",
        "disease": "PsA",
        "source": source,
        "criteria": criteria,
        "open_points": [],
    }


def met(criterion, patients, **given):
    return {name: verdicts["1"] for name, verdicts in judge_all(one(criterion), patients, **given).items()}


@pytest.mark.parametrize(
    ("criterion", "message"),
    [
        ({"measured": {"within_days": 365, "any_of": {"skin_bsa_percnt": {"above": 3}}}}, "did you mean 'skin_bsa_percent'"),
        ({"measured": {"within_days": 365, "any_of": {"visit_date": {"above": 3}}}}, "'visit_date' is no measurement of a visit"),
        ({"measured": {"within_days": 365, "any_of": {}}}, "key 'criteria.0.measured.any_of'"),
        ({"measured": {"within_days": 365, "any_of": {"pasi": {}}}}, "state one of below, up_to, above, at_least"),
        ({"target_missed": {"target": "mdaa", "within_days": 365}}, "did you mean 'mda'"),
        ({"target_missed": {"target": "dapsa", "within_days": 365}}, "no yes-or-no score.*known: boolean_2011"),
        ({"imaging_signs": {"within_days": 365, "any_of": {"osteitus": {"at_least": 1}}}}, "did you mean 'osteitis'"),
        ({"diagnosed": {"concepts": ["fibromyalgias"]}}, "did you mean 'fibromyalgia'"),
        ({"free_of": {"concepts": []}}, "key 'criteria.0.free_of.concepts'"),
        ({"problematic": {"within_days": 365, "global_mm": {"above": 50}, "to": "all"}}, "'either' or 'both'"),
    ],
)  # fmt: skip
def test_a_malformed_criterion_names_the_nearest_choice(criterion, message):
    with pytest.raises(StudyError, match=message):
        load_definition(one(criterion))


@pytest.mark.parametrize("name", PSA)
def test_a_definition_of_psoriatic_arthritis_says_what_its_paper_leaves_open(name):
    definition = load_definition(name)
    assert definition.disease == "PsA"
    assert len(definition.open_points) >= 2
    assert set(definition.optional) <= set(definition.listed)


def test_words_hold_the_numbers_and_their_edges():
    words = " ".join(load_definition("tr_psa_2025").in_words())
    for part in ("skin area (%) above 3 or PASI above 1", "dactylitic digits at least 1", "pain (mm) above 40",
                 "at least 3 distinct modes of action failed, at least 2 of them of b/tsDMARDs", "after at least 84 days",
                 "CRP above 10 mg/L or ESR above 28 mm/h", "to the patient and the rheumatologist", "records both",
                 "mda not reached", "power_doppler_grade at least 1 or osteitis at least 1", "intolerance not counted",
                 "no recorded diagnosis of fibromyalgia or osteoarthritis"):  # fmt: skip
        assert part in words


# --- measurements


def test_a_measurement_is_used_as_the_scores_use_it():
    haq = {f"haq_{c}": 2 for c in ("dressing", "arising", "eating", "walking", "hygiene", "reach")}
    patients = {"categories": patient(**haq), "given": patient(haq_di=2.0), "neither": patient()}
    found = met({"measured": {"within_days": 365, "any_of": {"haq_di": {"at_least": 2}}}}, patients)
    assert found == {"categories": True, "given": True, "neither": None}


def test_a_measurement_is_that_of_the_latest_visit_that_has_one():
    patients = {
        "fell": patient(earlier={"2021-06-01": {"pasi": 9}}, pasi=0),
        "not repeated": patient(earlier={"2021-06-01": {"pasi": 9}}),
        "only the other one repeated": patient(earlier={"2021-06-01": {"pasi": 9}}, skin_bsa_percent=0),
    }
    limits = {"pasi": {"above": 1}, "skin_bsa_percent": {"above": 3}}
    found = met({"measured": {"within_days": 365, "any_of": limits}}, patients)
    assert found == {"fell": False, "not repeated": True, "only the other one repeated": False}


# --- diagnoses


def test_a_diagnosis_without_a_date_counts_at_the_last_visit_and_is_unknown_before():
    facts = _facts({"undated": patient(earlier={"2021-01-01": {}}, codes=["- M79.7"])})
    leaf = load_definition(one({"diagnosed": {"concepts": ["fibromyalgia"]}})).listed["1"].leaf
    assert leaf.judge(facts, facts.dates)["met"].to_list() == [None, True]


def test_the_earliest_date_of_each_diagnosis_is_named():
    codes = ["2021-05-01 M79.7", "2020-01-01 M79.7", "2019-01-01 M17.0", "2023-01-01 E66"]
    concepts = ["fibromyalgia", "osteoarthritis", "obesity"]
    patients = {"coded": patient(codes=codes), "other": patient()}
    reasons = reasons_of(one({"diagnosed": {"concepts": concepts}}), patients)
    assert reasons["coded", "1"] == "recorded: osteoarthritis (2019-01-01), fibromyalgia (2020-01-01)"
    assert reasons["other", "1"] == "none recorded of fibromyalgia, osteoarthritis, obesity"
    assert "no diagnoses" in reasons_of(one({"free_of": {"concepts": concepts}}), patients, without=["diagnoses"])["other", "1"]  # fmt: skip


# --- failures of csDMARDs


def test_a_csdmard_that_went_on_while_a_biologic_was_added_is_presumed_to_have_failed_from_then_on():
    given = patient(
        "methotrexate 2014-01-01 2020-01-01 pregnancy",
        "leflunomide 2014-01-01 2015-01-01 adverse_event",
        "sulfasalazine 2014-01-01 2016-01-01 -",
        "adalimumab 2016-01-01 - -",
    )
    facts = _facts({"P": given})
    dates = pl.DataFrame(
        {"patient_id": [0, 0], "evaluation_date": [dt.date(2015, 12, 31), dt.date(2016, 1, 1)]}
    )
    dates = dates.cast({"patient_id": facts.dates.schema["patient_id"]})
    found = dmard_outcomes(facts, dates).sort("evaluation_date", "molecule")
    assert found.select("molecule", "outcome", "added_on", "mode").rows() == [
        ("leflunomide", "failed_intolerance", False, "DHODH inhibitor"),
        ("methotrexate", "ongoing", False, "antifolate"),
        ("sulfasalazine", "ongoing", False, "aminosalicylate"),
        ("adalimumab", "ongoing", False, "tnf"),
        ("leflunomide", "failed_intolerance", False, "DHODH inhibitor"),
        ("methotrexate", "presumed_failed", True, "antifolate"),
        ("sulfasalazine", "presumed_failed", False, "aminosalicylate"),
    ]


def test_outcomes_on_the_days_that_change_them_tell_those_of_every_other_day():
    given = patient("methotrexate 2014-01-01 - -", "adalimumab 2016-01-01 2017-01-01 inefficacy", "secukinumab 2018-01-01 - -")  # fmt: skip
    facts = _facts({"P": given})
    assert sorted(dmard_outcomes(facts)["evaluation_date"].unique().dt.to_string().to_list()) == [
        "2014-01-01", "2016-01-01", "2017-01-01", "2018-01-01",
    ]  # fmt: skip


@pytest.mark.parametrize(("count_intolerance", "expected"), [(True, True), (False, None)])
def test_a_csdmard_stopped_for_intolerance_fails_where_that_counts(count_intolerance, expected):
    counting = {"at_least": 1, "count_intolerance": count_intolerance, "count_presumed": True}
    patients = {"P": patient("methotrexate 2014-01-01 2015-01-01 adverse_event")}
    assert met({"failed_csdmards": counting}, patients) == {"P": expected}


@pytest.mark.parametrize(("count_presumed", "expected"), [(True, True), (False, None)])
def test_a_csdmard_to_which_a_biologic_was_added_fails_where_presumed_failures_count(
    count_presumed, expected
):
    counting = {"at_least": 1, "count_intolerance": True, "count_presumed": count_presumed}
    patients = {"P": patient("methotrexate 2014-01-01 - -", "adalimumab 2016-01-01 - -")}
    assert met({"failed_csdmards": counting}, patients) == {"P": expected}


def test_so_many_distinct_csdmards_are_asked():
    counting = {"at_least": 2, "count_intolerance": True, "count_presumed": True}
    twice = ("methotrexate 2012-01-01 2013-01-01 inefficacy", "methotrexate 2014-01-01 2015-01-01 inefficacy")
    patients = {
        "twice": patient(*twice),
        "two": patient(twice[0], "leflunomide 2014-01-01 2015-01-01 inefficacy"),
    }
    assert met({"failed_csdmards": counting}, patients) == {"twice": None, "two": True}


def _facts(patients):
    extract = extract_of(patients)
    courses = trace_courses(extract["treatments"]) if "treatments" in extract else None
    scores = score_visits(extract["visits"], None, extract["patients"])
    return gather_facts(extract, courses, scores, Choices())
