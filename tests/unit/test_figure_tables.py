"""The tables that stand behind figures: overlap of criteria, parts of the DAS28, CDAI against DAS28-CRP, ways of treatment."""

from dataclasses import replace

import polars as pl
import pytest

from d2tra.config import Study
from d2tra.definitions import load_definition
from d2tra.risk_factor_plan import load_plan
from d2tra.scores import score_visits
from d2tra.tables import Results
from d2tra.tables.cdai_v_das28_crp import cdai_v_das28_crp
from d2tra.tables.criteria_overlap import criteria_overlap, groups_of_criteria
from d2tra.tables.das28_components import das28_components
from d2tra.tables.treatment_flows import treatment_flows
from tables import frame

MEMBERS = frame("""
    site  | patient_id | index_date | eular_2021     | tjc28 | sjc28 | esr_mm_h | crp_mg_l | patient_global_mm
    north | A          | 2022-01-01 | met            | 4     | 1     | 20.0     | 9.0      | 50.0
    north | B          | 2022-01-01 | met            | 9     | 4     | 0.5      | 0.0      | 30.0
    north | C          | 2022-01-01 | not_met        | 0     | 0     | 7.0      |          | 10.0
    north | D          | 2022-01-01 | not_assessable |       |       |          |          |
    south | A          | 2022-01-01 | not_met        | 1     | 0     | 9.0      | 2.0      | 20.0
""").with_columns(pl.col("tjc28", "sjc28").cast(pl.Float64))
EVIDENCE = frame("""
    site  | patient_id | definition | criterion | met
    north | A          | eular_2021 | 1         | true
    north | A          | eular_2021 | 2         | true
    north | A          | eular_2021 | 3         | true
    north | A          | eular_2021 | 2a        | true
    north | A          | eular_2021 | 2b        | true
    north | B          | eular_2021 | 1         | true
    north | B          | eular_2021 | 2         | true
    north | B          | eular_2021 | 3         | true
    north | B          | eular_2021 | 2a        | true
    north | B          | eular_2021 | 2b        |
    north | C          | eular_2021 | 1         | true
    north | C          | eular_2021 | 2         | false
    north | C          | eular_2021 | 3         | false
    north | D          | eular_2021 | 1         | true
    north | D          | eular_2021 | 2         | true
    north | D          | eular_2021 | 3         |
    south | A          | eular_2021 | 1         | false
    south | A          | other      | 2         | true
    south | X          | eular_2021 | 1         | true
""")
SCORES = frame("""
    site  | patient_id | visit_date | cdai_band | das28_crp_band
    north | A          | 2021-06-01 | high      | high
    north | A          | 2022-01-01 | moderate  | low
    north | B          | 2022-01-01 | low       | low
    north | C          | 2022-01-01 | low       | moderate
    north | D          | 2022-01-01 |           | low
    south | A          | 2022-01-01 | high      | high
""")
SEQUENCE = frame("""
    site  | patient_id | position | molecule    | mechanism | start_date | stop_date
    north | A          | 1        | adalimumab  | tnf       | 2018-01-01 | 2019-01-01
    north | A          | 2        | tocilizumab | il6r      | 2020-01-01 | 2022-01-02
    north | B          | 1        | adalimumab  | tnf       | 2018-01-01 | 2019-01-01
    north | B          | 2        | tocilizumab | il6r      | 2020-01-01 | 2022-01-01
    north | C          | 1        | adalimumab  | tnf       | 2018-01-01 |
    north | D          | 1        | tofacitinib | jak       | 2018-01-01 | 2019-01-01
    north | D          | 2        | rituximab   | cd20      | 2022-01-02 |
""")


def results(**changes):
    study = Study(name="s", title="t", sites=["north"], cohorts=[{"name": "audit"}], definitions=["eular_2021"], seed=1)  # fmt: skip
    given = Results(
        study=study,
        cohort="audit",
        plan=load_plan(),
        definitions={"eular_2021": load_definition("eular_2021")},
        analysis_set=MEMBERS,
        flow=pl.DataFrame(),
        prevalence=pl.DataFrame(),
        sequence=SEQUENCE,
        evidence=EVIDENCE,
        scores=SCORES,
    )
    return replace(given, **changes)


def counts(table, row, column="Patients"):
    """level → n of a row's cells."""
    cells = table.cells.filter(pl.col("row") == row, pl.col("column") == column)
    return dict(cells.select("level", "n").iter_rows())


def test_criteria_are_counted_together_at_the_top_and_within_one_that_asks_for_any_of_several():
    assert groups_of_criteria(load_definition("eular_2021")) == {
        "criteria": ["1", "2", "3"],
        "items of criterion 2": ["2a", "2b", "2c", "2d", "2e"],
    }
    assert list(groups_of_criteria(load_definition("tr_psa_2025"))) == [
        "criteria",
        "items of criterion 2",
        "items of criterion 4",
    ]


def test_a_patient_counts_where_exactly_these_criteria_are_met_and_unknown_is_not_met():
    table = criteria_overlap(results())
    assert counts(table, "Met exactly these: criteria") == {
        "1 + 2 + 3": 2,
        "1": 1,  # C
        "1 + 2": 1,  # D: criterion 3 is not known
    }
    assert list(counts(table, "Met exactly these: criteria")) == [
        "1",
        "1 + 2",
        "1 + 2 + 3",
    ]  # whatever their counts


def test_each_criterion_is_of_those_who_could_be_judged_and_the_others_are_counted():
    table = criteria_overlap(results())
    cell = table.cells.filter(pl.col("level").str.starts_with("3 "), column="Patients").row(0, named=True)
    assert (cell["n"], cell["total"]) == (2, 3)
    assert list(counts(table, "Met each: criteria", "Not assessable").values()) == [0, 0, 1]


def test_items_of_a_criterion_are_counted_among_the_cohort_and_another_definition_is_not():
    assert counts(criteria_overlap(results()), "Met exactly these: items of criterion 2") == {
        "2a": 1,
        "2a + 2b": 1,
    }


def test_a_definition_of_one_criterion_and_a_study_without_evidence_have_no_overlap():
    assert criteria_overlap(results(evidence=None)).cells.is_empty()
    assert groups_of_criteria(load_definition("poly_refractory")) == {}


def terms(score, column):
    cells = das28_components(results()).cells.filter(
        pl.col("row") == f"{score}: points added", pl.col("column") == column
    )
    return {level: (mean, n) for level, mean, n in cells.select("level", "estimate", "n").iter_rows()}


def test_each_term_is_the_mean_of_what_the_formula_adds():
    # A: 0.56·√4, 0.28·√1, 0.70·ln 20, 0.014·50; B: 0.56·√9, 0.28·√4, 0.70·ln 1 (an ESR of 0.5 counts as 1), 0.014·30
    assert terms("DAS28-ESR", "Met") == {
        "tender joints": (pytest.approx((1.12 + 1.68) / 2), 2),
        "swollen joints": (pytest.approx((0.28 + 0.56) / 2), 2),
        "ESR": (pytest.approx((0.70 * 2.995732 + 0) / 2, abs=1e-6), 2),
        "patient global": (pytest.approx((0.7 + 0.42) / 2), 2),
    }
    assert terms("DAS28-CRP", "Met")["CRP"] == (pytest.approx(0.36 * 2.302585 / 2, abs=1e-6), 2)
    assert terms("DAS28-CRP", "Met")["constant"] == (0.96, 2)


def test_the_terms_add_up_to_the_score_itself():
    visits = MEMBERS.filter(pl.col("eular_2021") == "met").with_columns(visit_date="index_date")
    scores = score_visits(visits)
    for score, column in {"DAS28-ESR": "das28_esr", "DAS28-CRP": "das28_crp"}.items():
        added = sum(mean for mean, _ in terms(score, "Met").values())
        assert added == pytest.approx(scores[column].mean(), abs=1e-5)


def test_a_patient_without_a_component_is_in_no_mean_and_nobody_gives_no_number():
    assert terms("DAS28-CRP", "Not met")["CRP"][1] == 1  # C has no CRP
    assert terms("DAS28-ESR", "Not met")["ESR"][1] == 2
    assert terms("DAS28-ESR", "Not assessable")["ESR"] == (None, 0)


def test_components_are_medians_by_status():
    cells = das28_components(results()).cells
    met = cells.filter(pl.col("row") == "ESR, mm/h", pl.col("column") == "Met").row(0, named=True)
    assert (met["kind"], met["estimate"], met["n"]) == ("median_iqr", 10.25, 2)


ON, OFF = "On a b/tsDMARD that suppresses CRP", "On no b/tsDMARD that suppresses CRP"


def crossed(row, given=None):
    """(CDAI, DAS28-CRP) → patients, where there are any."""
    cells = cdai_v_das28_crp(given or results()).cells.filter(
        pl.col("row") == row, pl.col("column") != "Patients", pl.col("n") > 0
    )
    return {
        (level.removeprefix("CDAI: "), column.removeprefix("DAS28-CRP: ")): n
        for level, column, n in cells.select("level", "column", "n").iter_rows()
    }


def test_bands_are_those_of_the_visit_at_the_index_date_by_the_drug_that_is_ongoing_then():
    assert crossed(ON) == {("moderate", "low"): 1}  # A: tocilizumab until the day after
    assert crossed(OFF) == {("low", "low"): 1, ("low", "moderate"): 1}  # B: it stopped on that day


def test_a_band_that_is_not_known_and_a_site_without_treatments_are_left_out_and_counted():
    table = cdai_v_das28_crp(results())
    assert counts(table, "Band or drug not known") == {None: 2}  # D: no CDAI; south: no course told of
    assert crossed(OFF, results(sequence=pl.concat([SEQUENCE, SEQUENCE.tail(1).with_columns(site=pl.lit("south"))]))) == {
        ("low", "low"): 1, ("low", "moderate"): 1, ("high", "high"): 1,
    }  # fmt: skip


def test_a_lower_band_by_das28_crp_is_counted_and_a_higher_one_is_not():
    level = "lower band by DAS28-CRP than by CDAI"
    table = cdai_v_das28_crp(results())
    assert counts(table, ON)[level] == 1
    assert counts(table, OFF)[level] == 0
    assert counts(table, OFF)["both bands known"] == 2


def test_without_scores_or_courses_there_is_no_comparison():
    assert cdai_v_das28_crp(results(scores=None)).cells.is_empty()
    assert cdai_v_das28_crp(results(sequence=None)).cells.is_empty()


def test_ways_lead_from_line_to_line_and_a_course_after_the_index_date_is_none():
    own = many(["tnf il6r"] * 20 + ["tnf"] * 10 + ["jak cd20"] * 10)
    late = pl.col("mechanism") == "cd20"
    sequence = own.sequence.with_columns(
        start_date=pl.when(late).then(pl.lit("2022-01-02").str.to_date()).otherwise("start_date")
    )
    table = treatment_flows(replace(own, sequence=sequence))
    assert counts(table, "Line 1") == {"tnf": 30, "jak": 10}
    assert counts(table, "Line 1 to 2") == {
        "tnf → il6r": 20, "tnf → no further line": 10, "jak → no further line": 10,
    }  # fmt: skip
    assert counts(table, "Line 2") == {"il6r": 20}
    assert counts(table, "Line 2 to 3") == {}


def many(mechanisms):
    """One patient per word: the mechanisms of his lines."""
    lines = [
        {"site": "north", "patient_id": f"P{number}", "position": place + 1, "mechanism": name, "start_date": f"201{place}-01-01"}
        for number, patient in enumerate(mechanisms) for place, name in enumerate(patient.split(" "))
    ]  # fmt: skip
    sequence = pl.DataFrame(lines).with_columns(pl.col("start_date").str.to_date())
    members = sequence.select("site", "patient_id").unique(maintain_order=True)
    index = pl.lit("2022-01-01").str.to_date()
    return results(
        sequence=sequence, analysis_set=members.with_columns(index_date=index, eular_2021=pl.lit("met"))
    )


def test_a_mechanism_of_fewer_than_ten_on_a_line_is_merged_there_only():
    given = many(["tnf jak"] * 10 + ["tnf"] * 20 + ["jak"] * 9)
    assert counts(treatment_flows(given), "Line 1") == {"tnf": 30, "other mechanism": 9}
    assert counts(treatment_flows(given), "Line 2") == {"jak": 10}


def test_a_mechanism_of_fewer_than_one_in_twenty_on_a_line_is_merged():
    assert counts(treatment_flows(many(["tnf"] * 209 + ["jak"] * 11)), "Line 1") == {
        "tnf": 209,
        "jak": 11,
    }  # 5 %
    assert counts(treatment_flows(many(["tnf"] * 210 + ["jak"] * 11)), "Line 1") == {
        "tnf": 210,
        "other mechanism": 11,
    }


def test_only_the_five_commonest_mechanisms_have_their_names():
    given = many(
        ["tnf"] * 16 + ["jak"] * 15 + ["il6r"] * 14 + ["cd20"] * 13 + ["ctla4_ig"] * 12 + ["il1"] * 12
    )
    assert counts(treatment_flows(given), "Line 1") == {
        "tnf": 16, "il6r": 14, "cd20": 13, "ctla4_ig": 12, "jak": 15, "other mechanism": 12,
    }  # fmt: skip


def test_the_order_of_the_mechanisms_says_nothing_of_their_counts():
    given = treatment_flows(many(["jak"] * 15 + ["tnf"] * 10))
    assert list(counts(given, "Line 1")) == ["tnf", "jak"]


def test_ways_of_fewer_than_ten_or_one_in_fifty_are_counted_together():
    given = many(["tnf jak"] * 40 + ["tnf tnf"] * 10 + ["jak tnf"] * 9 + ["jak jak"] * 10)
    assert counts(treatment_flows(given), "Line 1 to 2") == {
        "tnf → tnf": 10, "tnf → jak": 40, "jak → jak": 10, "jak → rare ways": 9,
    }  # fmt: skip
    given = many(["tnf jak"] * 500 + ["jak tnf"] * 50 + ["tnf tnf"] * 11)  # 2 % of 561 is 11.2
    assert counts(treatment_flows(given), "Line 1 to 2")["tnf → rare ways"] == 11


def test_without_courses_there_are_no_ways():
    assert treatment_flows(results(sequence=None)).cells.is_empty()
