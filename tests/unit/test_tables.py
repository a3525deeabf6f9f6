"""Every table of results, as cells, from small analysis sets."""

import datetime as dt
from dataclasses import replace
from functools import cache

import polars as pl
import pytest

from d2tra.config import PROJECT, Study
from d2tra.definitions import load_definition
from d2tra.errors import StudyError
from d2tra.reproduction import REPRODUCTION, load_published, other_readings, reproduce
from d2tra.risk_factor_plan import load_plan
from d2tra.tables import TABLES, Results, build_tables, read_tables, write_tables
from d2tra.tables.cells import CELLS, formatted
from d2tra.tables.comparison import p_value, smallest_count, standardised_difference
from d2tra.tables.prevalence import PREVALENCE, count_prevalence
from tables import frame

PLAN = load_plan()
TYPES = {"yes_no": pl.Boolean, "category": pl.String, "number": pl.Float64}
MEMBERS = frame("""
    patient_id | eular_2021     | eular_2021_hangs_on_presumed | severity | n_bts_tried | obese | fibromyalgia | age_at_baseline | smoking_status
    A          | met            | true                         | high     | 3           | true  | true         | 50              | current
    B          | met            | false                        | moderate | 4           | true  | false        | 60              | never
    C          | met            | false                        | moderate | 3           | false |              | 70              | never
    D          | not_met        | false                        | low      | 1           | false | false        | 40              | never
    E          | not_met        | false                        |          | 1           | true  | false        | 44              | former
    F          | not_met        | false                        | low      | 1           | false | false        |                 |
    G          | not_met        | false                        | low      | 2           | false | false        | 48              | never
    H          | not_assessable | false                        |          | 1           |       | false        | 52              | never
""")
FLOW = frame("""
    step     | reason                      | n_before | n_excluded | n_after
    register | patients with a valid row   | 12       | 0          | 12
    disease  | disease is not RA           | 12       | 1          | 11
    age_min  | age not known               | 11       | 3          | 8
""")
POLICIES = frame("""
    site  | patient_id | definition | criterion_3_policy | status
    north | A          | eular_2021 | unknown            | met
    north | B          | eular_2021 | unknown            | not_assessable
    north | C          | eular_2021 | unknown            | not_met
    north | D          | eular_2021 | unknown            | not_met
    north | Z          | eular_2021 | unknown            | met
    north | A          | eular_2021 | ignore             | met
    north | B          | eular_2021 | ignore             | met
    north | C          | eular_2021 | ignore             | not_met
    north | D          | eular_2021 | ignore             | not_met
""")
MODEL = frame("""
    definition | term           | level  | reference | n | n_events | method | odds_ratio | ci_low | ci_high | p_value | note      | smallest_cell
    eular_2021 | (Intercept)    |        |           | 7 | 3        | firth  | 0.5        | 0.1    | 2.0     | 0.4     |           |
    eular_2021 | obese          | false  | false     | 4 | 1        | firth  | 1          |        |         |         | reference | 1
    eular_2021 | obese          | true   | false     | 3 | 2        | firth  | 5.25       | 0.35   | 150.0   | 0.24    |           | 1
    eular_2021 | fibromyalgia   | false  | false     | 5 | 1        | firth  | 1          |        |         |         | reference | 1
    eular_2021 | fibromyalgia   | true   | false     | 1 | 1        | firth  | 9.0        | 0.3    | 1500.0  | 0.2     | separated | 1
    eular_2021 | age_at_baseline| per 10 |           | 6 | 3        | firth  | 2.5        | 0.9    | 20.0    | 0.05    |           | 3
    eular_2021 | sex            |        |           |   |          |        |            |        |         |         | not fitted: no events |
    other      | obese          | true   | false     | 3 | 2        | firth  | 77.0       | 0.35   | 150.0   | 0.24    |           | 1
""")  # fmt: skip
EFFECT_OF_OBESITY = {"term": "obese", "level": "true", "risk_difference": None, "risk_ratio": None,
                     "marginal_effect": None, "e_value": None, "note": "separated"}  # fmt: skip

SEQUENCE = frame("""
    site  | patient_id | disease | position | molecule   | mechanism | start_date | stop_date | days_on_drug | change | zoster_together | liver_together | tb_together
    north | A          | RA      | 1        | adalimumab | tnf       | 2020-01-01 |           | 700          | first  | adalimumab      | methotrexate   | adalimumab
""", stop_date=pl.Date)  # fmt: skip

ACCOUNTING = frame("""
    site  | table    | n_read | n_valid | n_quarantined | n_duplicate | n_orphaned | n_cells_set_aside | n_cells_fixed
    north | patients | 12     | 12      | 0             | 0           | 0          | 0                 | 0
""")
QUALITY = frame("""
    site  | table    | column         | check   | severity | n | message
    north | patients | smoking_status | missing | note     | 1 | 1 of 12 cells are empty (8.3 %).
""")
EVIDENCE = frame("""
    site  | patient_id | definition | criterion | met
    north | A          | eular_2021 | 2a        | true
    north | A          | eular_2021 | 2b        |
""")
SCORES = frame("""
    site  | patient_id | visit_date | cdai_band | das28_crp_band
    north | A          | 2022-01-01 | high      | moderate
""")

# All are seen twice, and met the second time; see test_time_to_d2t.
WATCHED = {
    **dict.fromkeys(("first_bts_date", "first_visit_date", "first_assessed_date"), dt.date(2020, 1, 1)),
    **dict.fromkeys(
        ("last_assessed_date", "last_visit_date", "first_met_date", "observed_until"), dt.date(2022, 1, 1)
    ),
    **dict.fromkeys(("n_assessed_after_met", "days_met", "n_exits"), 0),
    "n_spells": 1,
    "death_date": pl.lit(None, pl.Date),
}


@cache
def complete_members():
    """MEMBERS with every column of an analysis set, null where the text table says nothing."""
    absent = {
        name: TYPES[c.coding] for name, c in PLAN.characteristics.items() if name not in MEMBERS.columns
    }
    return MEMBERS.with_columns(
        pl.lit("north").alias("site"),
        pl.col("age_at_baseline").cast(pl.Float64),
        *(pl.lit(None, kind).alias(name) for name, kind in absent.items()),
    )


def results(**changes):
    study = Study(name="s", title="t", sites=["north"], cohorts=[{"name": "audit"}], definitions=["eular_2021"], seed=1,
                  baseline="index")  # fmt: skip
    members = complete_members()
    given = Results(
        study=study,
        cohort="audit",
        plan=PLAN,
        definitions={"eular_2021": load_definition("eular_2021")},
        analysis_set=members,
        flow=FLOW,
        prevalence=count_prevalence(members, POLICIES, ["eular_2021"]),
        by_cohort={
            "audit": count_prevalence(members, POLICIES, ["eular_2021"]),
            "nobody": count_prevalence(members.head(0), POLICIES, ["eular_2021"]),
        },
        models={"univariable": MODEL},
        model_titles={"univariable": "Univariable"},
    )
    return replace(given, **changes)


def cell(table, row, column, level=None):
    """The one cell of a table at that place."""
    at = (pl.col("row") == row) & (pl.col("column") == column) & pl.col("level").eq_missing(level)
    return table.cells.filter(at).row(0, named=True)


def text(table, row, column, level=None):
    shown = formatted(table.cells)
    return shown.filter((pl.col("row") == row) & pl.col("level").eq_missing(level))[column].item()


def test_every_table_is_a_frame_of_cells_with_one_cell_per_place():
    published = load_published(PROJECT / "config" / "published" / "audit_2024.yaml")
    audit = complete_members().with_columns(
        audit_95="eular_2021", index_date=dt.date(2022, 1, 1), first_bts_from_july_2021=True, **WATCHED
    )
    two_definitions = results().study.model_copy(update={"definitions": ["eular_2021", "audit_95"]})
    given = results(
        study=two_definitions,
        analysis_set=audit,
        reproduction=reproduce(audit, published, "audit"),
        readings=other_readings(audit, published, "audit"),
        sequence=SEQUENCE,
        facts={"univariable": {"eular_2021": {"terms": {"obese": {"effects": [EFFECT_OF_OBESITY]}}}}},
        earlier={"before": {"univariable": MODEL}},
        earlier_sets={"before": audit},
        accounting=ACCOUNTING,
        quality=QUALITY,
        evidence=EVIDENCE,
        scores=SCORES,
    )
    built = build_tables(given)
    assert [table.name for table in built] == list(TABLES)
    for table in built:
        assert dict(table.cells.schema) == CELLS
        assert not table.cells.select("row", "level", "column").is_duplicated().any(), table.name


def test_the_numbers_of_the_groups_add_up_to_the_cohort():
    table = TABLES["table_1"](results())
    counts = {
        column: cell(table, "Patients", column)["n"] for column in ("All", "Met", "Not met", "Not assessable")
    }
    assert counts == {"All": 8, "Met": 3, "Not met": 4, "Not assessable": 1}


def test_a_group_that_nobody_is_in_is_left_out_unless_it_is_met_or_not_met():
    nobody = complete_members().filter(pl.col("eular_2021") == "not_met")
    columns = TABLES["table_1"](results(analysis_set=nobody)).cells["column"].unique().to_list()
    assert "Not assessable" not in columns
    assert "Met" in columns


def test_table_1_counts_those_in_whom_it_is_known_and_says_how_many_are_not_recorded():
    table = TABLES["table_1"](results())
    assert text(table, "Fibromyalgia", "Met").startswith("1/2 (50.0 %")
    assert text(table, "Fibromyalgia", "Met", "not recorded") == "1"
    assert text(table, "Smoking", "Not met", "never").startswith("2/3")
    assert text(table, "Age, years", "Not met") == "44.0 [42.0–46.0]"
    assert text(table, "Age, years", "Not met", "not recorded") == "1"
    assert text(table, "Age, years", "Met", "not recorded") == "0"


def test_what_is_recorded_in_all_and_a_level_that_nobody_has_take_no_row():
    everybody = complete_members().with_columns(sex=pl.lit("female"))
    lines = TABLES["table_1"](results(analysis_set=everybody)).cells.filter(pl.col("row") == "Sex")
    assert lines["level"].unique().to_list() == ["female"]


def test_a_number_declared_as_mean_is_shown_with_its_standard_deviation():
    age = PLAN.factors["age_at_baseline"].model_copy(update={"describe": "mean_sd"})
    plan = PLAN.model_copy(update={"factors": {**PLAN.factors, "age_at_baseline": age}})
    assert text(TABLES["table_1"](results(plan=plan)), "Age, years", "Met") == "60.0 (10.0)"


def test_tables_of_the_outcome_say_how_many_labels_hang_on_a_presumed_failure():
    for name in ("table_1", "d2t_characteristics", "drug_history_by_severity"):
        table = TABLES[name](results())
        assert cell(table, "Met only through presumed drug failures", "Met")["n"] == 1
        assert cell(table, "Met without presumed drug failures", "Met")["n"] == 2
    assert (
        cell(TABLES["odds_ratios"](results()), "Met without presumed drug failures", "Met / patients")["n"]
        == 2
    )
    row = TABLES["prevalence"](results()).cells["row"][0]
    assert cell(TABLES["prevalence"](results()), row, "Met only through presumed drug failures")["n"] == 1


def test_tests_of_significance_stand_only_where_the_cohort_declares_them():
    assert "p" not in TABLES["table_1"](results()).cells["column"].to_list()
    assert "p" not in TABLES["d2t_characteristics"](results()).cells["column"].to_list()
    declared = TABLES["table_1"](results(tests=("fisher",)))
    # By hand: tables with margins 3, 4 and 3, 4 have probabilities 4, 18, 12, 1 of 35; 2/3 v 1/4 is the third
    assert cell(declared, "Obese (BMI 30 or above)", "p")["estimate"] == pytest.approx(17 / 35)
    assert cell(declared, "Age, years", "p")["estimate"] is None  # Mann–Whitney was not declared
    assert any("Fisher" in note for note in declared.footnotes)
    audit = TABLES["d2t_characteristics"](results(tests=("fisher",)))
    assert cell(audit, "Obese (BMI 30 or above)", "p")["estimate"] == pytest.approx(17 / 35)


def test_the_characteristics_of_the_met_stand_beside_the_others_with_newcombe_s_difference():
    table = TABLES["d2t_characteristics"](results())
    found = cell(table, "Obese (BMI 30 or above)", "Difference, percentage points (95 % CI)")
    # By hand, 2/3 − 1/4: Newcombe 1998, method 10, from the Wilson limits 0.2077–0.9385 and 0.0456–0.6994
    assert (found["estimate"], found["low"], found["high"]) == pytest.approx(
        (41.667, -22.57, 75.68), abs=0.02
    )
    assert found["smallest"] == 1
    assert any(note.startswith("Descriptive: ") for note in table.footnotes)


def test_disease_activity_is_shown_in_bands_among_those_in_whom_it_is_known():
    table = TABLES["d2t_characteristics"](results())
    assert cell(table, "Disease activity", "Met", "moderate")["n"] == 2
    assert cell(table, "Disease activity", "Not met", "low")["total"] == 3


def test_characteristics_of_the_met_are_those_at_the_index_date_whatever_the_baseline():
    later = complete_members().with_columns(obese_at_index=pl.lit(True))
    table = TABLES["d2t_characteristics"](results(analysis_set=later))
    assert cell(table, "Obese (BMI 30 or above)", "Met")["n"] == 3
    assert cell(TABLES["table_1"](results(analysis_set=later)), "Obese (BMI 30 or above)", "Met")["n"] == 2


def test_the_drug_history_counts_exactly_so_many_drugs_within_each_band():
    table = TABLES["drug_history_by_severity"](results())
    assert text(table, "Moderate disease activity", "Met").startswith("2/3")
    assert text(table, "Moderate disease activity", "Met", "3 b/tsDMARDs tried").startswith("1/2")
    assert text(table, "High disease activity", "Met", "4 b/tsDMARDs tried").startswith("0/1")
    assert "Low disease activity" not in table.cells["row"].to_list()


def test_met_patients_of_unknown_activity_are_a_band_of_their_own():
    unknown = complete_members().with_columns(severity=pl.lit(None, pl.String))
    table = TABLES["drug_history_by_severity"](results(analysis_set=unknown))
    assert cell(table, "Disease activity not known", "Met")["n"] == 3


def test_prevalence_has_bounds_for_the_not_assessable_and_a_complete_case_share():
    found = count_prevalence(complete_members().head(4), POLICIES, ["eular_2021", "becede_2019"])
    assert found.columns == PREVALENCE
    unknown = found.row(0, named=True)
    assert (unknown["n"], unknown["n_met"], unknown["n_not_met"], unknown["n_not_assessable"]) == (4, 1, 2, 1)
    assert (unknown["percent"], unknown["lower_bound"], unknown["upper_bound"]) == (25, 25, 50)
    assert unknown["percent_complete_case"] == pytest.approx(100 / 3)
    # By hand: (1 + z²/2 ± z √(1 · 3/4 + z²/4)) / (4 + z²), z = 1.959964
    assert (unknown["ci_low"], unknown["ci_high"]) == pytest.approx((4.558726, 69.935806), abs=1e-5)


def test_prevalence_has_a_row_per_definition_and_policy_and_counts_members_only():
    found = count_prevalence(complete_members().head(4), POLICIES, ["eular_2021", "becede_2019"])
    assert found.height == 2 * 4
    assert found.filter(criterion_3_policy="ignore", definition="eular_2021")["n_met"].item() == 2
    assert (
        found.filter(criterion_3_policy="unknown", definition="eular_2021")["n_met"].item() == 1
    )  # Z is no member


def test_a_definition_that_judged_nobody_has_no_percentage():
    nobody = count_prevalence(complete_members(), POLICIES, ["becede_2019"])
    assert nobody["n"].to_list() == [0, 0, 0, 0]
    assert nobody.select("percent", "ci_low", "upper_bound", "percent_complete_case").null_count().row(0) == (
        4,
        4,
        4,
        4,
    )


def test_the_four_policies_stand_side_by_side():
    table = TABLES["prevalence_by_policy"](results())
    row = table.cells["row"][0]
    assert cell(table, row, "Unknown (unknown)", "met")["n"] == 1
    assert cell(table, row, "Criterion 3 dropped (ignore)", "met")["n"] == 2


def test_the_cohorts_of_a_study_stand_one_below_the_other_and_an_empty_one_is_left_out():
    table = TABLES["prevalence_by_cohort"](results())
    assert table.cells["row"].unique().to_list() == ["audit"]
    assert cell(table, "audit", "Upper bound (not assessable counted as met)")["n"] == 2


def test_the_flow_shows_who_was_left_out_and_who_remains():
    table = TABLES["selection_flow"](results())
    assert text(table, "Patients with a valid row", "Remaining") == "12"
    assert (text(table, "Age not known", "Left out"), text(table, "Age not known", "Remaining")) == ("3", "8")


def test_odds_ratios_stand_beside_the_patients_and_events_behind_them():
    table = TABLES["odds_ratios"](results())
    obese = "Obese (BMI 30 or above)"
    assert text(table, obese, "Met / patients", "yes").startswith("2/3")
    assert text(table, obese, "Univariable", "no") == "1 (reference)"
    assert text(table, obese, "Univariable", "yes") == "5.25 (0.35–150.00)"
    assert text(table, obese, "Univariable, p", "yes") == "0.240"
    assert cell(table, obese, "Univariable", "yes")["smallest"] == 1
    assert text(table, "Age, years", "Univariable", "per 10") == "2.50 (0.90–20.00)"


def test_the_parameter_budget_stands_beside_the_odds_ratios():
    twelve_in_95 = pl.concat([complete_members().head(1)] * 12 + [complete_members()[3:4]] * 83)
    table = TABLES["odds_ratios"](results(analysis_set=twelve_in_95))
    # Specification of the statistics, 3.3: 12 events in 95 give a budget of 0
    assert text(table, "Parameters that these events can bear (Riley)", "Met / patients") == "0"


def test_what_a_fit_has_to_say_stands_in_the_row_it_concerns():
    table = TABLES["odds_ratios"](results())
    assert text(table, "Fibromyalgia", "Note", "yes") == "Univariable: separated"
    assert cell(table, "Fibromyalgia", "Univariable", "yes")["note"] == "separated"
    assert text(table, "Sex", "Note") == "Univariable: not fitted: no events"


def test_odds_ratios_of_another_outcome_and_the_intercept_are_not_shown():
    table = TABLES["odds_ratios"](results())
    assert 77.0 not in table.cells["estimate"].to_list()
    assert "(Intercept)" not in table.cells["row"].to_list()


def test_two_models_stand_side_by_side_by_factor_and_level():
    multivariable = MODEL.filter(pl.col("term") == "obese").with_columns(odds_ratio=pl.lit(4.0))
    given = results(models={"univariable": MODEL, "risk_factors": multivariable})
    table = TABLES["odds_ratios"](given)
    assert text(table, "Obese (BMI 30 or above)", "risk_factors", "yes") == "4.00 (0.35–150.00)"
    assert text(table, "Age, years", "risk_factors", "per 10") == ""


def test_the_missingness_table_counts_every_factor():
    table = TABLES["missingness"](results())
    assert table.cells["row"].n_unique() == sum(not f.optional for f in PLAN.factors.values())
    assert cell(table, "Fibromyalgia", "All")["n"] == 1


def test_agreement_with_a_printed_fraction_is_hidden_with_the_count_it_gives_away():
    row = {"statement": "75 % obese", "published": 75.0, "implied_numerator": 9, "numerator": 9, "denominator": 12,
           "computed": 75.0, "agrees": True, "note": None, "implied_denominator": 12}  # fmt: skip
    table = TABLES["reproduction"](results(reproduction=pl.DataFrame([row], schema=REPRODUCTION)))
    assert text(table, "75 % obese", "Printed, %") == "75"
    assert text(table, "75 % obese", "Computed").startswith("9/12 (75.0 %")
    assert cell(table, "75 % obese", "Agrees")["smallest"] == 3


@pytest.mark.parametrize("name", ["table_1", "d2t_characteristics", "odds_ratios"])
def test_the_fixed_footnote_stands_wherever_fibromyalgia_or_obesity_does(name):
    assert any(
        note.startswith("Fibromyalgia raises the tender joint count")
        for note in TABLES[name](results()).footnotes
    )


def test_every_table_of_the_outcome_says_how_criterion_3_was_taken_what_was_left_out_and_when():
    notes = " ".join(TABLES["table_1"](results()).footnotes)
    assert "Criterion 3, where it is not recorded: unknown (unknown)." in notes
    assert "Left out of criterion 2 where unknown: 2d." in notes
    assert "the index date" in notes


def test_synthetic_data_are_called_so_below_every_table():
    built = build_tables(results(synthetic=True))
    assert all("Synthetic data" in table.footnotes[-1] for table in built)
    assert not any("Synthetic" in note for table in build_tables(results()) for note in table.footnotes)


def test_a_study_gets_the_tables_it_asks_for_in_its_order():
    given = results()
    asked = given.study.model_copy(update={"tables": ["missingness", "table_1"]})
    assert [table.name for table in build_tables(replace(given, study=asked))] == ["missingness", "table_1"]


def test_a_table_that_does_not_exist_is_named_with_the_nearest_one():
    given = results()
    asked = given.study.model_copy(update={"tables": ["table1"]})
    with pytest.raises(StudyError, match="did you mean 'table_1'"):
        build_tables(replace(given, study=asked))


def test_tables_read_back_as_they_were_written(tmp_path):
    built = build_tables(results(synthetic=True))
    write_tables(built, tmp_path)
    read = read_tables(tmp_path)
    assert [(table.name, table.title, table.footnotes) for table in read] == [
        (t.name, t.title, t.footnotes) for t in built
    ]
    assert all(a.cells.equals(b.cells) for a, b in zip(read, built, strict=True))


YES_NO, NUMBER = PLAN.factors["obese"], PLAN.factors["age_at_baseline"]
CATEGORY = PLAN.factors["smoking_status"]


def test_the_standardised_difference_of_proportions_is_in_units_of_their_pooled_deviation():
    first, second = pl.Series([True] * 30 + [False] * 70), pl.Series([True] * 10 + [False] * 90)
    # (0.3 − 0.1) / sqrt((0.21 + 0.09) / 2); Austin 2009
    assert standardised_difference(first, second, YES_NO) == pytest.approx(0.5163977794943222)


def test_the_standardised_difference_of_means_uses_the_mean_of_both_variances():
    first, second = pl.Series([1.0, 2.0, 3.0]), pl.Series([2.0, 4.0, 6.0])
    assert standardised_difference(first, second, NUMBER) == pytest.approx(2 / (2.5**0.5))


def test_the_standardised_difference_of_a_category_takes_all_its_levels_together():
    first = pl.Series(["never"] * 50 + ["former"] * 30 + ["current"] * 20)
    second = pl.Series(["never"] * 70 + ["former"] * 20 + ["current"] * 10)
    # By hand, Yang & Dalton 2012: d = (0.1, 0.1), S = ((0.185, −0.04), (−0.04, 0.125)); d'S⁻¹d = 0.0039 / 0.021525
    assert standardised_difference(first, second, CATEGORY) == pytest.approx((0.0039 / 0.021525) ** 0.5)


@pytest.mark.parametrize(("first", "second", "difference"), [
    ([True, False], [True, False], 0.0),
    ([True, True], [True, True], 0.0),
    ([True, True], [False, False], None),  # no spread to measure it in
    ([None, None], [True, False], None),
    ([True, None, False], [True, False], 0.0),
])  # fmt: skip
def test_a_standardised_difference_without_a_spread_is_not_estimable(first, second, difference):
    series = (pl.Series(values, dtype=pl.Boolean) for values in (first, second))
    assert standardised_difference(*series, YES_NO) == difference


def test_a_mann_whitney_test_needs_to_be_declared_and_needs_two_groups():
    first, second = pl.Series([1.0, 2.0, 3.0, 3.0]), pl.Series([3.0, 4.0, 5.0, 6.0])
    assert p_value(first, second, NUMBER, ()) is None
    # By hand: U = 1 of 16, tie-corrected variance 80/7, continuity 0.5: z = 6.5 / √(80/7) = 1.92272
    assert p_value(first, second, NUMBER, ("mann_whitney",)) == pytest.approx(0.0545145, abs=1e-6)
    assert p_value(first, pl.Series([], dtype=pl.Float64), NUMBER, ("mann_whitney",)) is None


def test_the_smallest_count_behind_a_comparison_ignores_empty_cells():
    first, second = pl.Series([True, True, False, None]), pl.Series([False] * 5)
    assert smallest_count(first, second, YES_NO) == 1
    assert smallest_count(pl.Series([1.0, 2.0]), pl.Series([3.0] * 9), NUMBER) == 2
