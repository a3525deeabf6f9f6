"""
What goes with being difficult to treat, and how sure can one be? And every number that the tables will show.

needs   <private>/cohorts/{cohort}/analysis_set.parquet, flow.csv; config/models/<model>.yaml; config/published/
gives   <private>/cohorts/{cohort}/models/<model>.csv, <model>_fit.json
        <private>/cohorts/{cohort}/prevalence.csv, agreement.csv, reproduction.csv, readings.csv
        <private>/cohorts/{cohort}/tables/<table>.csv      numbers before disclosure control
"""

RESULT_FILES = ["prevalence", "agreement", "reproduction", "readings"]


rule fit_models:
    """Fit each declared model, saying before what the data cannot bear."""
    input:
        analysis_set="<private>/cohorts/{cohort}/analysis_set.parquet",
        plans=list(MODELS.values()),
        code=code("fit_models"),
    output:
        models=directory("<private>/cohorts/{cohort}/models"),
    log:
        "<private>/logs/fit_models/{cohort}.log",
    params:
        models=list(MODELS.values()),
        definitions=STUDY.definitions,
        seed=STUDY.seed,
    script:
        "../scripts/fit_models.py"


rule describe:
    """Count, with intervals, everything that the tables and figures show."""
    input:
        own=expand("<private>/cohorts/{{cohort}}/{name}", name=["analysis_set.parquet", "flow.csv", "models"]),
        members=expand("<private>/cohorts/{name}/members.parquet", name=COHORTS),
        policies=of_every_site("policies.parquet"),
        sequences=of_every_site("sequence.parquet"),
        files=[*LABEL_FILES, *FACTOR_FILES, *([STUDY.published] if STUDY.published else [])],
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
