"""
What goes with being difficult to treat, and how sure can one be? And every number that the tables will show.

needs   <private>/cohorts/{cohort}/analysis_set.parquet, flow.csv; config/models/<model>.yaml, definitions; config/published/
gives   <private>/cohorts/{cohort}/models/<model>.csv, <model>_fit.json
        <private>/cohorts/{cohort}/models/<model>_trace.csv, _density.csv, _imputation.svg   of models that impute
        <private>/cohorts/{cohort}/prevalence.csv, agreement.csv, reproduction.csv, readings.csv
        <private>/cohorts/{cohort}/tables/<table>.csv      numbers before disclosure control
"""

MODEL_FILES = [f"{name}{ending}" for name in STUDY.model_names for ending in (".csv", "_fit.json")]
PLANS = dict(zip(STUDY.model_names, MODELS.values()))
SITE_RESULTS = [
    "policies.parquet",
    "sequence.parquet",
    "evidence.parquet",
    "scores.parquet",
    "accounting.csv",
    "quality.csv",
]
TABLE_FILES = [
    *LABEL_FILES,
    *FACTOR_FILES,
    settings.setting_path("nice"),
    *([STUDY.published] if STUDY.published else []),
]
RESULT_FILES = ["prevalence", "agreement", "reproduction", "readings"]


rule fit_models:
    """Fit each declared model, saying before what the data cannot bear."""
    input:
        analysis_set="<private>/cohorts/{cohort}/analysis_set.parquet",
        plans=list(MODELS.values()),
        files=[*LABEL_FILES, *FACTOR_FILES],
        study=STUDY_FILE,
        code=code("fit_models"),
    output:
        models=expand("<private>/cohorts/{{cohort}}/models/{name}", name=MODEL_FILES),
    log:
        "<private>/logs/fit_models/{cohort}.log",
    script:
        "../scripts/fit_models.py"


def imputation_figures():
    """One for each cohort and each model whose plan for missing data is multiple imputation."""
    plans = {name: settings.load_yaml(path) for name, path in PLANS.items()}
    imputing = [name for name, plan in plans.items() if isinstance(plan.get("missing"), dict)]
    return expand("<private>/cohorts/{cohort}/models/{model}_imputation.svg", cohort=COHORTS, model=imputing)


def plan_of(wildcards):
    """The model's file."""
    return PLANS[wildcards.model]


rule diagnose_imputation:
    """Show whether the chains of an imputation mix, and its values beside those recorded."""
    input:
        analysis_set="<private>/cohorts/{cohort}/analysis_set.parquet",
        plan=plan_of,
        files=[*FACTOR_FILES, settings.setting_path("style")],
        study=STUDY_FILE,
        code=code("diagnose_imputation"),
    output:
        trace="<private>/cohorts/{cohort}/models/{model}_trace.csv",
        density="<private>/cohorts/{cohort}/models/{model}_density.csv",
        figure="<private>/cohorts/{cohort}/models/{model}_imputation.svg",
    log:
        "<private>/logs/diagnose_imputation/{cohort}_{model}.log",
    params:
        synthetic=SYNTHETIC,
    script:
        "../scripts/diagnose_imputation.py"


def up_to_this(*wanted):
    """Files of this cohort and of those that the study names before it: no cohort waits for a later one."""

    def files(wildcards):
        cohorts = COHORTS[: COHORTS.index(wildcards.cohort) + 1]
        return expand(f"results/{STUDY.name}/private/cohorts/{{name}}/{{file}}", name=cohorts, file=wanted)

    return files


rule describe:
    """Count, with intervals, everything that the tables and figures show."""
    input:
        flow="<private>/cohorts/{cohort}/flow.csv",
        analysis_sets=up_to_this("analysis_set.parquet"),
        models=up_to_this(*(f"models/{name}" for name in MODEL_FILES)),
        members=expand("<private>/cohorts/{name}/members.parquet", name=COHORTS),
        of_sites=[path for name in SITE_RESULTS for path in of_every_site(name)],
        files=TABLE_FILES,
        study=STUDY_FILE,
        code=code("describe"),
    output:
        tables=directory("<private>/cohorts/{cohort}/tables"),
        counts=expand("<private>/cohorts/{{cohort}}/{name}.csv", name=RESULT_FILES),
    log:
        "<private>/logs/describe/{cohort}.log",
    params:
        synthetic=SYNTHETIC,
    script:
        "../scripts/describe.py"
