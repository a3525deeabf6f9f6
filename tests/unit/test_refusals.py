"""Which factors must not be modelled against a definition: planted leakages are refused, clean models are not."""

import polars as pl
import pytest
from random_patients import random_extract

from d2tra.config import PROJECT, Study
from d2tra.definitions import load_definition
from d2tra.definitions.criteria import AtLeastKOf, Criterion
from d2tra.definitions.evidence import judge_leaves, leaves_of
from d2tra.definitions.facts import Choices
from d2tra.definitions.gathering import gather_facts
from d2tra.definitions.leaf import Leaf
from d2tra.models.plan import Factor as ModelFactor
from d2tra.models.plan import ModelPlan, fit_every_outcome, fit_models, load_model
from d2tra.refusals import refuse_by_definition, refuse_factors
from d2tra.risk_factor_plan import READS, Factor, Origin, load_plan
from d2tra.scores import score_visits
from d2tra.scores.visits import components_of
from d2tra.treatment import trace_courses
from tables import frame

PLAN = load_plan()
SHIPPED = sorted(path.stem for path in (PROJECT / "config" / "definitions").glob("*.yaml"))
OF_RA = [name for name in SHIPPED if load_definition(name).disease == "RA"]
BASELINES = ["index", "first_bts", "diagnosis"]


def refused(factor, definition, baseline="index", study=None, plan=PLAN):
    """The reason why a factor is refused against a definition; None where it is not."""
    return refuse_factors([factor], plan, load_definition(definition), baseline, study).get(factor)


def plan_with(name, origin, **changes):
    """The plan with one factor more."""
    section = {
        "name": name,
        "title": name,
        "role": "candidate",
        "coding": "number",
        "unit": "mm",
        "source": "test",
    }
    factor = Factor.model_validate({**section, "from": origin, **changes})
    return PLAN.model_copy(update={"factors": {**PLAN.factors, name: factor}})


# --- planted leakages


@pytest.mark.parametrize(("factor", "definition", "baseline", "says"), [
    ("n_mechanisms_tried", "eular_2021", "index", "criterion 1m (two or more mechanisms of action failed), reads bDMARDs"),
    ("first_mechanism", "eular_2021", "first_bts", "on every date up to the index date"),
    ("n_bts_tried", "eular_2021", "index", "criterion 1m"),
    ("n_products_tried", "bsrbr_third_drug", "index", "criterion 1 (third bDMARD started, of any class)"),
    ("n_dmards_tried", "first_2022", "diagnosis", "criterion 1"),
    ("two_csdmards_with_methotrexate", "eular_2021", "index", "csDMARDs given"),
    ("das28_esr", "eular_2021", "index", "criterion 2a (at least moderate disease activity), reads esr_mm_h"),
    ("cdai_band", "d2t_objective", "index", "criterion 2b (objective signs of active disease), reads sjc28 in the 365"),
    ("cdai", "becede_2019", "first_bts", "criterion 2 (low disease activity never reached)"),
    ("tjc_minus_sjc", "audit_95", "index", "criterion 2 (moderate or high disease activity)"),
    ("patient_global_mm", "strata_fit_2", "index", "patient_global_mm"),
    ("das28_crp", "strata_fit_5", "first_bts", "criterion 5 (step 4 reached within 10 years"),
    ("haq_di", "eular_2021", "index", "criterion 2e"),
    ("glucocorticoid", "eular_2021", "index", "criterion 2c (glucocorticoid not tapered below 7.5 mg/day)"),
    ("fibromyalgia", "pseudo_refractory", "index", "criterion 5a (fibromyalgia), reads the diagnosis fibromyalgia"),
    ("fibromyalgia", "refractory_non_inflammatory", "index", "stands for fibromyalgia"),
    ("fibromyalgia_or_osteoarthritis", "refractory_non_inflammatory", "first_bts", "stands for fibromyalgia"),
    ("osteoarthritis", "refractory_confirmed", "first_bts", "the diagnosis osteoarthritis"),
    ("adherence", "refractory_confirmed", "index", "criterion 4 (adherence confirmed)"),
    ("disease_duration_years", "strata_fit_6", "index", "reads diagnosis_date"),
    ("first_bts_year", "strata_fit_1", "index", "when bDMARDs were begun"),
    ("treatment_delay_months", "becede_2019", "index", "when csDMARDs were begun"),
    ("severity", "eular_2021", "index", "criterion 2a"),
    ("severity", "bsrbr_third_class", "first_bts", "after baseline (the first b/tsDMARD)"),
    ("n_bts_tried", "eular_2021", "diagnosis", "after baseline (the diagnosis)"),
    ("n_csdmards_before_bts", "bsrbr_third_class", "diagnosis", "after baseline"),
    ("two_csdmards", "bsrbr_third_class", "diagnosis", "made of n_csdmards_before_bts"),
    ("das28_esr_at_index", "eular_2021", "first_bts", "dated at the index date"),
    ("eular_2021", "eular_2021", "index", "an outcome"),
    ("eular_2021_hangs_on_presumed", "audit_95", "index", "an outcome"),
    ("first_met_date", "eular_2021", "index", "an outcome"),
    ("n_failed_mechanisms", "eular_2021", "index", "an outcome"),
    ("index_date", "eular_2021", "index", "no risk factor"),
    ("sequence", "eular_2021", "first_bts", "no risk factor"),
])  # fmt: skip
def test_a_planted_leakage_is_refused_with_the_criterion_and_its_dates(factor, definition, baseline, says):
    reason = refused(factor, definition, baseline)
    assert reason is not None
    assert says in reason


def test_pain_is_refused_where_the_quality_of_life_is_judged_by_it():
    plan = plan_with("pain", {"nearest": {"table": "visits", "column": "pain_mm", "within_days": 30}})
    assert "criterion 2e" in refused("pain", "eular_2021", plan=plan)
    assert refused("pain", "eular_2021", "first_bts", plan=plan) is None
    assert refused("pain", "d2t_objective", plan=plan) is None


def test_a_factor_made_of_a_refused_one_is_refused_through_any_number_of_steps():
    plan = plan_with("high", {"limit": {"of": "das28_crp", "above": 5.1}}, coding="yes_no", unit=None)
    above = {"any_of": ["high", "seropositive_any"]}
    plan = plan.model_copy(
        update={"factors": {**plan.factors, "either": Factor.model_validate(
            {"name": "either", "title": "e", "role": "candidate", "coding": "yes_no", "source": "t", "from": above}
        )}}
    )  # fmt: skip
    assert "criterion 2a" in refused("either", "eular_2021", plan=plan)


def test_the_label_of_another_definition_of_the_study_is_an_outcome_too():
    study = Study(name="s", title="t", sites=["a"], cohorts=[{"name": "all"}], seed=1,
                  definitions=["eular_2021", "somewhere/own_definition.yaml"])  # fmt: skip
    assert "an outcome" in refused("own_definition", "eular_2021", study=study)


def test_the_globals_are_read_by_criterion_3_only_where_the_study_lets_them_stand_in():
    assert refused("patient_global_mm", "d2t_objective") is None
    reason = refused(
        "patient_global_mm", "d2t_objective", study={"if_criterion_3_unrecorded": "global_above_50"}
    )
    assert "criterion 3" in reason


def test_severity_reads_the_scores_of_the_study():
    plan = plan_with("physician", {"nearest": {"table": "visits", "column": "tjc68", "within_days": 30}})
    assert refused("physician", "audit_95", plan=plan) is None
    assert "criterion 2" in refused("physician", "audit_95", study={"severity_score": ["cdapsa"]}, plan=plan)


# --- clean models


CIRCULAR = {  # of the four factors of the demo's models
    "pseudo_refractory": {"fibromyalgia"},
    "refractory_confirmed": {"fibromyalgia", "osteoarthritis"},
    "refractory_non_inflammatory": {"fibromyalgia"},
}


@pytest.mark.parametrize("baseline", BASELINES)
def test_the_demo_s_factors_are_refused_only_against_definitions_that_read_them(baseline):
    four = [factor.name for factor in load_model("risk_factors").modelled]
    found = {name: set(refuse_factors(four, PLAN, load_definition(name), baseline)) for name in OF_RA}
    assert {name: factors for name, factors in found.items() if factors} == CIRCULAR


@pytest.mark.parametrize("baseline", BASELINES)
def test_a_model_of_who_the_patients_are_is_clean_against_every_definition_of_ra(baseline):
    clean = ["sex", "age_at_baseline", "ethnicity", "imd_quintile", "smoking_status", "rf_positive", "anti_ccp_high_titre",
             "bmi_kg_m2", "obese_by_ethnicity", "ild", "diabetes", "cardiovascular_disease", "osteoporosis"]  # fmt: skip
    for name in OF_RA:
        assert refuse_factors(clean, PLAN, load_definition(name), baseline) == {}, name


@pytest.mark.parametrize(
    "factor", ["das28_esr", "cdai", "haq_di", "patient_global_mm", "tjc_minus_sjc", "glucocorticoid"]
)
def test_what_is_judged_in_the_year_before_the_index_date_may_be_modelled_as_it_was_at_an_earlier_baseline(
    factor,
):
    assert refused(factor, "eular_2021", "index") is not None
    assert refused(factor, "eular_2021", "first_bts") is None
    assert refused(factor, "eular_2021", "diagnosis") is None


def test_when_drugs_were_begun_may_be_modelled_where_no_criterion_asks_how_long_ago_that_was():
    for factor in ("first_bts_year", "first_bts_from_july_2021", "treatment_delay_months"):
        assert refused(factor, "eular_2021") is None
        assert refused(factor, "bsrbr_third_class", "first_bts") is None


def test_csdmards_before_the_first_biologic_are_known_at_that_baseline():
    assert refused("n_csdmards_before_bts", "bsrbr_third_class", "first_bts") is None


def test_a_name_that_is_nowhere_is_left_to_the_model_that_does_not_find_it():
    assert refuse_factors(["fibromialgia"], PLAN, load_definition("pseudo_refractory"), "index") == {}


# --- what criteria and factors declare


def test_every_criterion_of_the_vocabulary_says_what_it_reads():
    fields = {name: field.annotation for name, field in Criterion.model_fields.items()}
    kinds = {
        part for kind in fields.values() for part in getattr(kind, "__args__", ()) if isinstance(part, type)
    }
    vocabulary = {kind for kind in kinds if issubclass(kind, Leaf)}
    assert len(vocabulary) == len(fields) - len(
        {"id", "title", "same_as", "all_of", "any_of", "none_of", "at_least_k_of"}
    )
    assert AtLeastKOf in kinds
    for kind in vocabulary:
        assert not getattr(kind.reads, "__isabstractmethod__", False), kind


def test_a_criterion_that_does_not_say_what_it_reads_cannot_be_made():
    silent = type("Silent", (Leaf,), {name: lambda *_: None for name in ("judge", "explain", "in_words")})
    with pytest.raises(TypeError, match="reads"):
        silent()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_criterion_of_a_shipped_definition_reads_something(name):
    for leaf in leaves_of([load_definition(name)]):
        assert leaf.reads(Choices()), leaf


def test_every_way_of_a_factor_reads_something_or_is_made_of_other_factors():
    assert set(Origin.model_fields) - set(READS) == {"limit", "bands", "first_known", "all_of", "any_of"}
    for name in PLAN.factors:
        assert PLAN.reads_of(name), name


@pytest.mark.parametrize(
    "definition", ["eular_2021", "audit_95", "becede_2019", "strata_fit_5", "pseudo_refractory"]
)
def test_nothing_that_a_criterion_does_not_read_changes_its_verdict(definition):
    """Every column of visits that no read names is emptied: the verdicts must stay."""
    rows = random_extract(11, 25)
    extract = {table: pl.DataFrame(records, infer_schema_length=None) for table, records in rows.items()}
    labs = extract["labs"].with_columns(pl.col("value").cast(pl.String))
    courses = trace_courses(extract["treatments"], extract["visits"]["visit_date"].max())
    measured = [name for name in extract["visits"].columns if name not in ("patient_id", "visit_date")]

    def judged(leaf, emptied):
        visits = extract["visits"].with_columns(
            pl.lit(None, dtype=extract["visits"].schema[name]).alias(name) for name in emptied
        )
        tests = [name for name in ("esr", "crp") if not any(e.startswith(f"{name}_") for e in emptied)]
        kept = labs.filter(pl.col("test").is_in(tests))
        scores = score_visits(visits, kept, extract["patients"])
        facts = gather_facts({**extract, "visits": visits}, courses, scores, Choices())
        return judge_leaves(facts, facts.index_dates, [leaf])[leaf.key]

    for leaf in leaves_of([load_definition(definition)]):
        sources = {read.source for read in leaf.reads(Choices())}
        others = [name for name in measured if f"visits.{name}" not in sources]
        assert judged(leaf, others).equals(judged(leaf, [])), leaf


@pytest.mark.parametrize(("column", "components"), [
    ("das28_esr", ("esr_mm_h", "patient_global_mm", "sjc28", "tjc28")),
    ("das28_crp_band", ("crp_mg_l", "patient_global_mm", "sjc28", "tjc28")),
    ("cdai", ("patient_global_mm", "physician_global_mm", "sjc28", "tjc28")),
    ("mda", ("enthesitis_count", "haq_di", "pain_mm", "pasi", "patient_global_mm", "sjc66", "skin_bsa_percent", "tjc68")),
    ("subjective_only", ("crp_mg_l", "esr_mm_h", "patient_global_mm", "sjc28", "tjc28")),
    ("haq_di_used", ("haq_di",)),
    ("pain_mm", ("pain_mm",)),
])  # fmt: skip
def test_a_score_is_read_as_its_components(column, components):
    assert components_of(column) == components


# --- in the fit


PATIENTS = frame("""
    eular_2021 | smoker  | obese | age
    met        | never   | true  | 60
    met        | former  | false | 64
    not_met    | never   | false | 50
    not_met    | former  | true  | 70
    not_met    | never   | false | 41
    not_met    | former  | false | 55
    not_met    | current | true  | 62
    not_met    | current | false | 44
    met        | never   | true  | 47
    met        | former  | true  | 58
""")


def model(kind, method, *names):
    factors = [{"name": n, "reference": "never"} if n == "smoker" else {"name": n} for n in names]
    return ModelPlan(
        name="m", kind=kind, method=method, factors=factors, above_budget="report_as_exploratory"
    )


@pytest.mark.parametrize("kind", ["univariable", "multivariable"])
def test_a_factor_with_an_empty_cell_is_refused_in_an_unpenalised_model_by_term_and_level(kind):
    rows, facts = fit_models(PATIENTS, model(kind, "logit", "smoker", "obese"), "eular_2021")
    assert "empty cell against the outcome (smoker: current)" in facts["refused"]["smoker"]
    note = rows.filter(term="smoker")["note"].item()
    assert note.startswith("refused: an empty cell")
    assert rows.filter(term="obese", level="true")["odds_ratio"].item() == pytest.approx(6)  # 3 × 4 / (1 × 2)


@pytest.mark.parametrize("method", ["firth", "auto", "flic"])
def test_an_empty_cell_is_no_obstacle_to_a_penalised_model(method):
    rows, facts = fit_models(PATIENTS, model("univariable", method, "smoker"), "eular_2021")
    assert facts["refused"] == {}
    assert rows.filter(level="current")["odds_ratio"].item() is not None


def test_an_outcome_that_nobody_has_is_not_laid_to_a_factor_s_charge():
    nobody = PATIENTS.with_columns(eular_2021=pl.lit("not_met"))
    rows, facts = fit_models(nobody, model("univariable", "logit", "smoker"), "eular_2021")
    assert facts["refused"] == {}
    assert "no patient has the outcome" in rows["note"].drop_nulls().to_list()[-1]


def test_a_reference_that_is_no_level_is_said_by_the_fit():
    plan = ModelPlan(
        name="m", kind="univariable", method="logit", factors=[ModelFactor(name="smoker", reference="ever")]
    )
    rows, facts = fit_models(PATIENTS, plan, "eular_2021")
    assert facts["refused"] == {}
    assert "no level 'ever'" in rows["note"].item()


def test_what_is_refused_stands_in_the_rows_of_its_own_outcome_alone():
    data = PATIENTS.with_columns(pseudo_refractory="eular_2021", fibromyalgia="obese")
    study = Study(name="s", title="t", sites=["a"], cohorts=[{"name": "all"}], seed=1, baseline="index",
                  definitions=["eular_2021", "pseudo_refractory"])  # fmt: skip
    plan = ModelPlan(name="m", kind="univariable", outcomes="all", factors=["fibromyalgia", "obese"])
    refused_here = refuse_by_definition(["fibromyalgia", "obese"], study)
    rows, facts = fit_every_outcome(data, plan, study.definition_names, refused=refused_here)
    assert list(facts["pseudo_refractory"]["refused"]) == ["fibromyalgia"]
    assert facts["eular_2021"]["refused"] == {}
    notes = rows.filter(term="fibromyalgia", definition="pseudo_refractory")["note"].to_list()
    assert len(notes) == 1
    assert notes[0].startswith("refused: pseudo_refractory, criterion 5a")
