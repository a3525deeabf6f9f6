"""The logistic models as a clinician meets them: a table of patients in, a table of odds ratios out."""

import math

import polars as pl
import pytest

from d2tra.errors import StudyError
from d2tra.models import ModelPlan, fit_logistic, fit_models, load_model
from d2tra.models.logistic import ROWS, c_statistic, read_outcome
from d2tra.models.plan import Factor
from tables import frame

PATIENTS = frame("""
    d2t      | obese | smoking | age
    met      | true  | never   | 50
    met      | true  | former  | 60
    met      | false | never   | 71
    not_met  | true  | never   | 44
    not_met  | true  | former  | 62
    not_met  | false | former  | 58
    not_met  | false | current | 66
    not_met  | false | current | 49
    not_met  | false | never   | 53
    met      | false | current | 69
    not_met  | false | never   |
    not_met  |       | never   | 57
    not_assessable | true | never | 61
""")


def row(rows: pl.DataFrame, term: str, level: str | None = None) -> dict:
    return rows.row(by_predicate=(pl.col("term") == term) & pl.col("level").eq_missing(level), named=True)


def test_a_frame_of_patients_gives_a_frame_of_odds_ratios() -> None:
    """One binary factor: Firth adds ½ to each cell, so the odds ratio is (2.5 × 5.5) / (2.5 × 2.5) = 2.2."""
    rows = fit_logistic(PATIENTS, "d2t", ["obese"])
    assert dict(rows.schema) == ROWS
    shown = rows.select("term", "level", "reference", "n", "n_events", "odds_ratio", "note", "smallest_cell")
    expected = frame("""
        term        | level | reference | n  | n_events | odds_ratio | note      | smallest_cell
        (Intercept) |       |           | 11 | 4        | 0.454545   |           | 4
        obese       | false | false     | 7  | 2        | 1.0        | reference | 2
        obese       | true  | false     | 4  | 2        | 2.2        |           | 2
    """).with_columns(pl.col("level", "reference").cast(pl.String))
    assert shown.with_columns(pl.col("odds_ratio").round(6)).rows() == expected.rows()


def test_rows_of_unknown_outcome_or_factor_are_left_out_and_counted() -> None:
    plan = ModelPlan(name="m", factors=["obese", "age"], method="firth", above_budget="report_as_exploratory")
    _, facts = fit_models(PATIENTS, plan, "d2t")
    assert facts["dropped_for_missing"] == {"d2t": 1, "obese": 1, "age": 1}
    assert (facts["n_rows"], facts["n"], facts["n_events"]) == (13, 10, 4)


def test_a_number_is_told_per_unit_step() -> None:
    by_year = fit_logistic(PATIENTS, "d2t", ["age"])
    by_decade = fit_logistic(PATIENTS, "d2t", ["age"], unit_steps={"age": 10})
    assert row(by_decade, "age", "per 10")["estimate"] == pytest.approx(10 * row(by_year, "age")["estimate"])
    assert row(by_year, "age")["n"] == 11


def test_levels_stand_in_the_order_of_an_enum_behind_their_reference() -> None:
    order = pl.Enum(["never", "former", "current", "unheard of"])
    rows = fit_logistic(
        PATIENTS.with_columns(pl.col("smoking").cast(order)),
        "d2t",
        ["smoking"],
        references={"smoking": "never"},
    )
    assert rows["level"].to_list() == [None, "never", "former", "current"]
    assert rows["reference"].to_list() == [None, "never", "never", "never"]


def test_the_odds_ratio_turns_round_with_its_reference() -> None:
    smokers = PATIENTS.filter(pl.col("smoking") != "current")
    one = row(fit_logistic(smokers, "d2t", ["smoking"], references={"smoking": "never"}), "smoking", "former")
    other = row(
        fit_logistic(smokers, "d2t", ["smoking"], references={"smoking": "former"}), "smoking", "never"
    )
    assert one["odds_ratio"] * other["odds_ratio"] == pytest.approx(1)
    assert one["ci_low"] * other["ci_high"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("outcome", "terms", "references", "method", "said"),
    [
        ("d2t", ["obse"], None, "firth", "did you mean 'obese'"),
        ("d2", ["obese"], None, "firth", "did you mean 'd2t'"),
        ("d2t", ["smoking"], None, "firth", "never.*state which is its reference"),
        ("d2t", ["smoking"], {"smoking": "nevr"}, "firth", "did you mean 'never'"),
        ("d2t", ["obese"], None, "frith", "did you mean 'firth'"),
        ("d2t", ["obese", "obese"], None, "firth", "named once"),
        ("d2t", [], None, "firth", "one or more terms"),
        ("obese", ["obese"], None, "firth", "both the outcome and a factor"),
        ("age", ["obese"], None, "firth", "outcome 'age' holds other values"),
        ("smoking", ["obese"], None, "firth", "outcome 'smoking' holds other values"),
    ],
)
def test_what_is_asked_wrongly_is_named(
    outcome: str, terms: list[str], references: dict[str, str] | None, method: str, said: str
) -> None:
    with pytest.raises(StudyError, match=said):
        fit_logistic(PATIENTS, outcome, terms, method, references)


def test_a_date_is_no_factor() -> None:
    dated = PATIENTS.with_columns(start=pl.date(2020, 1, 1))
    with pytest.raises(StudyError, match="'start' is a date"):
        fit_logistic(dated, "d2t", ["start"])


@pytest.mark.parametrize(("status", "said"), [("not_met", "no patient has"), ("met", "every patient has")])
@pytest.mark.parametrize("method", ["firth", "logit", "flic", "auto"])
def test_an_outcome_that_none_or_all_have_gives_rows_without_estimates(
    status: str, said: str, method: str
) -> None:
    rows = fit_logistic(PATIENTS.with_columns(d2t=pl.lit(status)), "d2t", ["obese"], method)
    assert (
        rows.select("estimate", "odds_ratio", "ci_low", "ci_high", "p_value")
        .null_count()
        .sum_horizontal()
        .sum()
        == 15
    )
    assert said in row(rows, "obese", "true")["note"]
    assert row(rows, "obese", "true")["n"] == 5


def test_a_factor_that_no_one_has_is_said_and_the_others_are_fitted() -> None:
    rows = fit_logistic(
        PATIENTS.with_columns(rare=pl.lit(False), one=pl.lit(1)), "d2t", ["rare", "one", "obese"]
    )
    assert row(rows, "rare", "true")["note"] == "no patients at this level"
    assert row(rows, "one")["note"] == "the same in every patient"
    assert row(rows, "obese", "true")["odds_ratio"] is not None


def test_a_factor_in_everyone_has_no_one_to_compare_with() -> None:
    rows = fit_logistic(PATIENTS.with_columns(common=pl.lit(True)), "d2t", ["common"])
    assert row(rows, "common", "true")["note"] == "no patients at the reference level"
    assert row(rows, "common", "true")["estimate"] is None


def test_no_complete_cases_name_the_factor_that_was_never_recorded() -> None:
    rows = fit_logistic(PATIENTS.with_columns(lost=pl.lit(None, pl.Boolean)), "d2t", ["obese", "lost"])
    assert set(rows["note"].drop_nulls()) == {"reference", "no complete cases: lost not recorded"}
    assert fit_logistic(PATIENTS.head(0), "d2t", ["age"])["estimate"].to_list() == [None, None]


SEPARATED = frame("""
    met   | perfect | other
    true  | true    | true
    true  | true    | false
    true  | true    | false
    false | false   | true
    false | false   | true
    false | false   | false
    false | false   | false
    false | false   | false
""")


def test_separated_data_print_no_odds_ratio_above_1000_without_the_word() -> None:
    """The audit repeated fifty times: the odds ratio passes 1,000, and says why."""
    rows = fit_logistic(pl.concat([SEPARATED] * 50), "met", ["perfect", "other"])
    assert row(rows, "perfect", "true")["odds_ratio"] > 1000
    wide = rows.filter((pl.col("odds_ratio") > 1000) | (pl.col("ci_high") > 1000))
    assert wide["note"].str.contains("separated").all()
    assert row(rows, "perfect", "true")["note"] == "separated"


def test_maximum_likelihood_is_not_fitted_to_separated_data() -> None:
    rows = fit_logistic(SEPARATED, "met", ["perfect", "other"], "logit")
    assert rows["estimate"].to_list() == [None] * 5
    assert row(rows, "other", "true")["note"] == "separated: maximum likelihood is infinite (perfect: true)"


def test_auto_is_firth_where_events_are_few_or_data_separated_else_maximum_likelihood() -> None:
    overlapping = SEPARATED.with_columns(met=pl.Series([True, False, True, True, False, True, False, False]))
    methods = {
        "few": fit_logistic(overlapping, "met", ["perfect"], "auto"),
        "enough": fit_logistic(pl.concat([overlapping] * 3), "met", ["perfect"], "auto"),
        "separated": fit_logistic(pl.concat([SEPARATED] * 10), "met", ["perfect"], "auto"),
    }
    assert {name: rows["method"][0] for name, rows in methods.items()} == {
        "few": "firth",
        "enough": "logit",
        "separated": "firth",
    }


def test_flic_gives_the_observed_risk_on_average() -> None:
    rows = fit_logistic(PATIENTS, "d2t", ["obese"], "flic").filter(pl.col("note").ne_missing("reference"))
    intercept, slope = rows["estimate"]
    risks = [1 / (1 + math.exp(-intercept - slope * obese)) for obese in [1] * 4 + [0] * 7]
    assert sum(risks) == pytest.approx(4)


def test_the_order_of_the_patients_changes_nothing_that_is_printed() -> None:
    there = fit_logistic(PATIENTS, "d2t", ["obese", "age"])
    back = fit_logistic(PATIENTS.reverse(), "d2t", ["obese", "age"])
    for name, kind in ROWS.items():
        if kind == pl.Float64:
            assert there[name].fill_null(0).to_list() == pytest.approx(
                back[name].fill_null(0).to_list(), rel=1e-7
            )
        else:
            assert there[name].to_list() == back[name].to_list(), name


def test_a_calendar_year_is_fitted_as_well_as_the_same_year_counted_from_2018() -> None:
    dated = PATIENTS.with_columns(year=2018 + pl.int_range(pl.len()) % 4, since=pl.int_range(pl.len()) % 4)
    year, since = (fit_logistic(dated, "d2t", [name, "obese"]) for name in ("year", "since"))
    for name in ("estimate", "std_error", "ci_low", "ci_high", "p_value"):
        assert row(year, "year")[name] == pytest.approx(row(since, "since")[name], rel=1e-6), name


def test_the_c_statistic_counts_ties_half() -> None:
    import numpy as np

    assert c_statistic(np.array([True, True, False, False]), np.array([2.0, 1.0, 1.0, 0.0])) == 3.5 / 4
    assert c_statistic(np.array([True]), np.array([2.0])) is None


@pytest.mark.parametrize(
    "values",
    [[True, False, None], [1, 0, None], [1.0, 0.0, float("nan")], ["met", "not_met", "not_assessable"]],
)
def test_the_outcome_is_read_three_valued_from_any_coding(values: list) -> None:
    assert read_outcome(pl.DataFrame({"y": values}), "y").to_list() == [True, False, None]


# ---- models as their YAML declares them


def test_the_shipped_models_can_be_read() -> None:
    univariable, risk_factors = load_model("univariable"), load_model("risk_factors")
    assert (univariable.kind, risk_factors.kind) == ("univariable", "multivariable")
    assert univariable.outcomes_among(["a", "b"]) == ["a", "b"]
    assert risk_factors.outcomes_among(["a", "b"]) == ["a"]
    assert [factor.name for factor in risk_factors.modelled] == [
        "seropositive_both",
        "obese",
        "fibromyalgia",
        "osteoarthritis",
    ]


def test_an_outcome_that_the_study_does_not_define_is_named() -> None:
    plan = ModelPlan(name="m", factors=["obese"], outcomes=["eular_2012"])
    with pytest.raises(StudyError, match="did you mean 'eular_2021'"):
        plan.outcomes_among(["eular_2021"])


def test_a_model_above_its_budget_says_exploratory_in_every_row_or_is_refused() -> None:
    exploratory = ModelPlan(name="m", factors=["obese", "age"], above_budget="report_as_exploratory")
    rows, facts = fit_models(PATIENTS, exploratory, "d2t")
    said = rows.filter(pl.col("note").ne_missing("reference"))["note"]
    assert said.str.contains("exploratory: 2 parameters above the budget of 0 (Riley)", literal=True).all()
    assert facts["parameter_budget"] == 0
    rows, _ = fit_models(PATIENTS, ModelPlan(name="m", factors=["obese", "age"]), "d2t")
    assert rows["estimate"].null_count() == rows["ci_high"].null_count() == rows.height
    assert row(rows, "age")["note"] == "not fitted: 2 parameters above the budget of 0 (Riley)"


def test_each_factor_alone_has_its_own_complete_cases_and_no_intercept() -> None:
    plan = ModelPlan(name="m", kind="univariable", factors=["obese", "age"])
    rows, facts = fit_models(PATIENTS, plan, "d2t", seed=7)
    assert rows["term"].to_list() == ["obese", "obese", "age"]
    assert rows["definition"].unique().to_list() == ["d2t"]
    assert rows["note"].to_list() == ["reference", None, None]
    assert (facts["n"], facts["n_events"], facts["n_parameters"], facts["seed"]) == (12, 4, 1, 7)
    assert facts["terms"]["obese"]["dropped_for_missing"] == {"d2t": 1, "obese": 1}
    assert facts["converged"] is True


def test_a_refused_factor_stands_in_the_table_with_its_reason() -> None:
    plan = ModelPlan(name="m", factors=["obese", "age"], above_budget="report_as_exploratory")
    rows, facts = fit_models(
        PATIENTS, plan, "d2t", refused={"age": "read by the definition", "sex": "not asked for"}
    )
    assert row(rows, "age")["note"] == "refused: read by the definition"
    assert row(rows, "age")["estimate"] is None
    assert facts["refused"] == {"age": "read by the definition"}
    assert facts["n_parameters"] == 1


def test_what_the_data_cannot_bear_is_a_note_and_stops_nothing() -> None:
    twice = ModelPlan(name="m", factors=["obese", "obese_too"])
    rows, facts = fit_models(PATIENTS.with_columns(obese_too="obese"), twice, "d2t")
    assert "obese_too: true = obese: true" in rows["note"][0]
    assert "collinear" in facts["problem"]
    unheard = ModelPlan(name="m", factors=[Factor(name="smoking", reference="snus")])
    rows, _ = fit_models(PATIENTS, unheard, "d2t")
    assert "no level 'snus'" in rows["note"][0]


def test_a_factor_that_the_analysis_set_lacks_stops_the_run_by_name() -> None:
    with pytest.raises(StudyError, match=r"model m: no factor 'obses'.*did you mean 'obese'"):
        fit_models(PATIENTS, ModelPlan(name="m", factors=["obses"]), "d2t")


def test_descriptive_factors_are_never_modelled() -> None:
    plan = ModelPlan(name="m", factors=["obese", Factor(name="age", role="descriptive")], kind="univariable")
    assert fit_models(PATIENTS, plan, "d2t")[0]["term"].unique().to_list() == ["obese"]
