"""The sensitivity grid: which combinations, what the other failure rules change, and what each combination then finds."""

import polars as pl
import pytest
import yaml

from d2tra.config import Sensitivity, Study
from d2tra.definitions import load_definition, status_by_policy
from d2tra.disclosure import disclose, load_profile
from d2tra.errors import StudyError
from d2tra.models import fit_models
from d2tra.risk_factor_plan import load_plan
from d2tra.scores import score_visits
from d2tra.sensitivity import CHOICES, fit_grid, plan_grid, relabel
from d2tra.sensitivity_plan import PRIMARY, grid_cohorts, grid_files
from d2tra.tables.cells import formatted
from d2tra.tables.prevalence import count_prevalence
from d2tra.tables.sensitivity import count_grid, sensitivity
from d2tra.treatment import trace_courses
from d2tra.treatment.rules import load_failure_rules
from ra_vignettes import D2T, JUDGED_ON, extract_of, ra

MODEL = {"title": "Two", "kind": "multivariable", "method": "firth", "above_budget": "report_as_exploratory",
         "factors": [{"name": "fibromyalgia"}, {"name": "obese"}]}  # fmt: skip
MTX, FIRST = "methotrexate 2015-01-01 - -", "adalimumab 2016-01-01 2017-01-01 inefficacy"
DEFINITIONS = ["eular_2021", "d2t_objective", "pseudo_refractory"]
IMPUTED = {"multiple_imputation": {"m": 2, "iterations": 2}}


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "two.yaml"
    path.write_text(yaml.safe_dump(MODEL), encoding="utf-8")
    return path.as_posix()


def study_of(model_file, **grid):
    return Study(
        name="s", title="t", sites=["north"], cohorts=[{"name": "audit"}, {"name": "full"}], definitions=DEFINITIONS, baseline="index",
        seed=7, sensitivity=Sensitivity(model=model_file, **grid),
    )  # fmt: skip


# Which combinations


def test_the_primary_analysis_is_the_first_combination_whatever_is_listed(model_file):
    study = study_of(model_file, definitions=["d2t_objective"], failure_rules=["recorded_failures"],
                     baselines=["first_bts"], criterion_3=["ignore"], missing=[IMPUTED])  # fmt: skip
    grid = plan_grid(study)
    assert grid.specifications()[0] == ("eular_2021", "primary", "unknown", "index", "complete cases")
    assert len(grid.specifications()) == len(set(grid.specifications())) == 2**5
    assert list(grid.missing) == ["complete cases", "multiple imputation, m = 2"]


def test_a_choice_listed_twice_or_that_is_the_primary_one_counts_once(model_file):
    study = study_of(model_file, definitions=["eular_2021"], failure_rules=["primary"], baselines=["index", "index"],
                     criterion_3=["unknown"], missing=["complete_case"])  # fmt: skip
    assert plan_grid(study).specifications() == [
        ("eular_2021", "primary", "unknown", "index", "complete cases")
    ]


def test_a_study_without_the_key_has_no_grid():
    study = Study(
        name="s", title="t", sites=["a"], cohorts=[{"name": "c"}], definitions=["eular_2021"], seed=1
    )
    assert plan_grid(study) is None
    assert grid_cohorts(study) == grid_files(study) == []
    with pytest.raises(StudyError, match="declares no grid"):
        count_grid(study, "c", pl.DataFrame(), {}, pl.DataFrame(), False)


def test_the_grid_is_made_for_every_cohort_or_for_those_named(model_file):
    assert grid_cohorts(study_of(model_file)) == ["audit", "full"]
    assert grid_cohorts(study_of(model_file, cohorts=["full"])) == ["full"]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"definitions": ["d2t_objectiv"]}, "sensitivity.definitions.*did you mean 'd2t_objective'"),
        ({"cohorts": ["ful"]}, "sensitivity.cohorts.*did you mean 'full'"),
        ({"failure_rules": ["recorded_failure"]}, "failure_rules.*did you mean 'recorded_failures'"),
        ({"model": "risk_factor"}, "did you mean 'risk_factors'"),
    ],
)
def test_a_choice_that_does_not_exist_is_named_with_the_nearest_before_anything_runs(
    model_file, grid, message
):
    study = study_of(model_file)
    with pytest.raises(StudyError, match=message):
        grid_files(study.model_copy(update={"sensitivity": study.sensitivity.model_copy(update=grid)}))


def test_a_plan_for_missing_data_is_one_that_a_model_can_have(model_file):
    with pytest.raises(StudyError, match="complete_case, or multiple_imputation"):
        plan_grid(study_of(model_file, missing=["complete"]))


def test_the_grid_depends_on_its_model_and_on_the_other_failure_rules(model_file):
    files = grid_files(
        study_of(model_file, failure_rules=["primary", "recorded_failures", "recorded_failures"])
    )
    assert files[0] == model_file
    assert [file.rpartition("/")[2] for file in files[1:]] == ["recorded_failures.yaml"]


def test_failure_rules_name_their_file_and_the_nearest_key(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("title: t\nsource: choice\nchanges: {min_exposure_day: 0}\n", encoding="utf-8")
    with pytest.raises(StudyError, match=r"mine\.yaml.*did you mean 'min_exposure_days'"):
        load_failure_rules(path.as_posix())


# What other failure rules change: the second drug decides

SECOND = {
    "after 83 days": "abatacept 2018-01-01 2018-03-25 inefficacy",
    "after 84 days": "abatacept 2018-01-01 2018-03-26 inefficacy",
    "after 182 days": "abatacept 2018-01-01 2018-07-02 inefficacy",
    "after 183 days": "abatacept 2018-01-01 2018-07-03 inefficacy",
    "adverse event after a day": "abatacept 2018-01-01 2018-01-02 adverse_event",
    "no reason, another follows": "abatacept 2018-01-01 2019-01-01 -",
}
THIRD = "tocilizumab 2019-02-01 - -"
EXPECTED = {  # under the primary rules, then under those of RULES
    "after 83 days": ("not_assessable", "not_assessable", "met", "not_assessable"),
    "after 84 days": ("met", "met", "met", "not_assessable"),
    "after 182 days": ("met", "met", "met", "not_assessable"),
    "after 183 days": ("met", "met", "met", "met"),
    "adverse event after a day": ("met", "met", "met", "met"),
    "no reason, another follows": ("met", "not_assessable", "met", "met"),
}
RULES = ["recorded_failures", "no_minimum_exposure", "six_months_exposure"]


def relabelled(model_file, without=()):
    study = study_of(model_file, failure_rules=RULES)
    extract = extract_of({name: ra(MTX, FIRST, drug, THIRD, **D2T) for name, drug in SECOND.items()}, without)
    scores = score_visits(extract["visits"], None, extract["patients"])
    courses = None if "treatments" in without else trace_courses(extract["treatments"], JUDGED_ON)
    policies = status_by_policy(extract, courses, scores, ["eular_2021"], study)
    return relabel(policies, extract, scores, JUDGED_ON, plan_grid(study), study), policies


def test_each_set_of_failure_rules_gives_its_own_labels_on_the_edge(model_file):
    found, _ = relabelled(model_file)
    judged = found.filter(pl.col("criterion_3_policy") == "unknown")
    by_patient = {
        name: dict(rows.select("failure_rules", "status").rows())
        for (name,), rows in judged.partition_by("patient_id", as_dict=True).items()
    }
    assert {
        name: tuple(by_patient[name][rules] for rules in (PRIMARY, *RULES)) for name in SECOND
    } == EXPECTED


def test_the_primary_rules_keep_the_labels_that_the_study_has(model_file):
    found, policies = relabelled(model_file)
    assert found.filter(pl.col("failure_rules") == PRIMARY).drop("failure_rules").equals(policies)


def test_without_treatments_nothing_is_known_under_any_rules(model_file):
    found, _ = relabelled(model_file, without=["treatments"])
    assert set(found["status"]) == {"not_assessable"}
    assert set(found["failure_rules"]) == {PRIMARY, *RULES}


# What each combination finds

N = 60


def analysis_set(shift=0):
    """Sixty patients; fibromyalgia in every third, obesity in every fourth, each unknown in one of them."""
    numbers = range(N)
    return pl.DataFrame(
        {
            "site": "north",
            "patient_id": [f"P{n:02}" for n in numbers],
            "fibromyalgia": [None if n == 3 else (n + shift) % 3 == 0 for n in numbers],
            "obese": [None if n == 4 else n % 4 == 0 for n in numbers],
        }
    )


def statuses(definitions=DEFINITIONS):
    """Met in every fifth, and in one patient with fibromyalgia of two; more under `ignore`; fewer under other rules."""
    rows = []
    for definition in definitions:
        for rules in (PRIMARY, "recorded_failures"):
            for policy in ("unknown", "ignore"):
                for n in range(N):
                    met = n % 5 == 0 or n % 6 == 0 or (policy == "ignore" and n % 7 == 0)
                    met = met and not (rules == "recorded_failures" and n % 10 == 0)
                    unknown = policy == "unknown" and n % 7 == 1
                    status = "not_assessable" if unknown else "met" if met else "not_met"
                    rows.append(("north", f"P{n:02}", rules, definition, policy, status))
    columns = ["site", "patient_id", "failure_rules", "definition", "criterion_3_policy", "status"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def grid_of(model_file, **grid):
    study = study_of(model_file, **grid)
    planned = plan_grid(study)
    definitions = {name: load_definition(name) for name in planned.definitions}
    sets = {"index": analysis_set(), "first_bts": analysis_set(shift=1)}
    return planned, definitions, fit_grid(planned, statuses(), sets, study, definitions, load_plan())


FULL = {"definitions": DEFINITIONS[1:], "failure_rules": ["recorded_failures"], "baselines": ["first_bts"],
        "criterion_3": ["ignore"]}  # fmt: skip


@pytest.fixture(scope="module")
def full(model_file):
    return grid_of(model_file, **FULL)


def test_every_combination_stands_in_the_grid_once_in_its_order_and_one_is_primary(full):
    grid, _, found = full
    combinations = found.select("specification", "is_primary", *CHOICES).unique(maintain_order=True)
    assert combinations.select(CHOICES).rows() == grid.specifications()
    assert combinations["specification"].to_list() == list(range(1, 25))
    assert combinations.filter("is_primary")["specification"].to_list() == [1]


def test_the_primary_line_is_the_model_and_the_prevalence_of_the_study(full):
    grid, _, found = full
    primary = statuses().filter(failure_rules=PRIMARY, definition="eular_2021", criterion_3_policy="unknown")
    judged = analysis_set().join(
        primary.select("site", "patient_id", eular_2021="status"), on=["site", "patient_id"]
    )
    rows, _ = fit_models(judged, grid.missing["complete cases"], "eular_2021", seed=7)
    fitted = rows.filter(
        pl.col("odds_ratio").is_not_null(),
        pl.col("term") != "(Intercept)",
        (pl.col("note") != "reference").fill_null(True),
    )
    first = found.filter("is_primary")
    assert first["odds_ratio"].to_list() == fitted["odds_ratio"].to_list()
    assert first["ci_high"].to_list() == fitted["ci_high"].to_list()
    counted = (
        count_prevalence(judged, primary, ["eular_2021"])
        .filter(criterion_3_policy="unknown")
        .row(0, named=True)
    )
    line = first.row(0, named=True)
    for own, usual in (("n_met", "n_met"), ("n", "n"), ("percent", "percent"), ("percent_ci_low", "ci_low"),
                       ("percent_ci_high", "ci_high"), ("upper_bound", "upper_bound")):  # fmt: skip
        assert line[own] == pytest.approx(counted[usual], rel=1e-12)


def test_each_choice_moves_the_numbers_that_hang_on_it_and_no_other(full):
    _, _, found = full
    lines = {
        tuple(row[name] for name in CHOICES): row
        for row in found.filter(term="fibromyalgia").iter_rows(named=True)
    }
    primary = lines["eular_2021", PRIMARY, "unknown", "index", "complete cases"]
    at_start = lines["eular_2021", PRIMARY, "unknown", "first_bts", "complete cases"]
    dropped = lines["eular_2021", PRIMARY, "ignore", "index", "complete cases"]
    recorded = lines["eular_2021", "recorded_failures", "unknown", "index", "complete cases"]
    assert at_start["n_met"] == primary["n_met"]
    assert at_start["odds_ratio"] != primary["odds_ratio"]
    assert dropped["n_not_assessable"] == 0 < primary["n_not_assessable"]
    assert recorded["n_met"] < primary["n_met"]
    assert recorded["n"] == primary["n"] == N


def test_a_refused_factor_stands_with_its_reason_and_the_others_are_fitted(full):
    _, _, found = full
    refused = found.filter(pl.col("definition") == "pseudo_refractory")
    assert refused.filter(term="fibromyalgia")["note"].str.starts_with("refused: pseudo_refractory").all()
    assert refused.filter(term="fibromyalgia")["odds_ratio"].null_count() == 8
    assert refused.filter(term="obese")["odds_ratio"].null_count() == 0


def test_a_definition_that_nobody_was_judged_by_has_no_prevalence_and_says_why_nothing_is_fitted(
    model_file, full
):
    study = study_of(model_file, **FULL)
    grid, definitions, _ = full
    sets = {"index": analysis_set(), "first_bts": analysis_set()}
    found = fit_grid(grid, statuses(["eular_2021"]), sets, study, definitions, load_plan())
    nobody = found.filter(definition="d2t_objective")
    assert nobody["n"].unique().to_list() == [0]
    assert nobody["percent"].null_count() == nobody.height
    assert nobody["note"].null_count() == 0


def test_missing_values_are_imputed_where_the_plan_says_so(model_file):
    _, _, found = grid_of(model_file, missing=[IMPUTED])
    complete, imputed = (
        found.filter(missing=name) for name in ("complete cases", "multiple imputation, m = 2")
    )
    assert complete["odds_ratio"].to_list() != imputed["odds_ratio"].to_list()
    assert imputed["note"].str.contains("imputed").all()
    assert not complete["note"].str.contains("imputed").any()


def test_the_grid_is_the_same_every_time(model_file, full):
    assert grid_of(model_file, **FULL)[2].equals(full[2])


# The table


def lines_of(full, profile="local_audit"):
    grid, definitions, found = full
    table = sensitivity(found, grid, load_plan(), definitions, "audit", True)
    texts = formatted(disclose(table.cells, load_profile(profile)))
    return table, {line["row"]: line for line in texts.iter_rows(named=True)}


def test_the_table_has_one_line_per_combination_and_marks_the_primary_one(full):
    _, lines = lines_of(full)
    assert list(lines)[:2] == ["1, primary analysis", "2"]
    assert len(lines) == 24
    assert [lines["2"][name] for name in ("Definition", "Failure rules", "Criterion 3, unrecorded", "Baseline", "Missing data")] == [
        "eular_2021", "primary", "unknown", "first_bts", "complete cases"]  # fmt: skip


def test_a_refusal_is_a_word_in_the_line_and_a_sentence_below(full):
    table, lines = lines_of(full)
    refused = [line for line in lines.values() if line["Definition"] == "pseudo_refractory"]
    assert {line["Odds ratio: Fibromyalgia"] for line in refused} == {"refused"}
    said = [note for note in table.footnotes if note.startswith("Refused under")]
    assert len(said) == 1
    assert "pseudo_refractory (index), pseudo_refractory (first_bts): fibromyalgia" in said[0]


def test_the_table_says_that_the_model_is_exploratory_once_and_that_the_data_are_synthetic(full):
    table, lines = lines_of(full)
    assert lines["1, primary analysis"]["Note"] == "exploratory"
    assert "Synthetic data: no patient behind any number." in table.footnotes
    assert any("Compare the outcome d2t_objective" in note for note in table.footnotes)


def test_small_counts_hold_back_the_estimates_that_would_give_them_away(full):
    table, lines = lines_of(full, "opensafely")
    small = table.cells.filter(pl.col("kind") == "estimate", pl.col("smallest").is_between(1, 7))
    assert small.height
    for cell in small.iter_rows(named=True):
        assert lines[cell["row"]][cell["column"]] == "[suppressed]"
