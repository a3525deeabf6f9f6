"""
How far can the models be trusted, here and elsewhere? Asked apart from the default target: `snakemake validation`.

needs   <private>/cohorts/{cohort}/analysis_set.parquet, models/, sensitivity/ of every cohort
gives   <private>/cohorts/{cohort}/models/<model>_validation.json    bootstrap optimism, transport to the other cohorts
        <private>/cohorts/validation/tables/                        the chapter's numbers before disclosure control
        <results>/{place}/{profile}/validation/                     tables, figures, report, and a manifest of its own
"""

VALIDATION = settings.VALIDATION
VALIDATIONS = [f"{name}_validation.json" for name in STUDY.model_names]


# The chapter stands where a cohort of its name would; no study has one (config.py).
ruleorder: describe_validation > describe


rule validate_models:
    """Repeat the whole modelling in bootstrap resamples, and apply the model, unchanged, to the other cohorts."""
    input:
        analysis_sets=expand("<private>/cohorts/{name}/analysis_set.parquet", name=COHORTS),
        models=expand("<private>/cohorts/{{cohort}}/models/{name}", name=MODEL_FILES),
        plans=list(MODELS.values()),
        files=FACTOR_FILES,
        study=STUDY_FILE,
        code=code("validate_models"),
    output:
        validations=expand("<private>/cohorts/{{cohort}}/models/{name}", name=VALIDATIONS),
    log:
        "<private>/logs/validate_models/{cohort}.log",
    script:
        "../scripts/validate_models.py"


rule describe_validation:
    """Gather what the cohorts' models, their comparison and the sensitivity grid have to show."""
    input:
        analysis_sets=expand("<private>/cohorts/{name}/analysis_set.parquet", name=COHORTS),
        validations=expand("<private>/cohorts/{name}/models/{file}", name=COHORTS, file=VALIDATIONS),
        further=expand("<private>/cohorts/{name}/sensitivity", name=GRID_COHORTS),
        files=[*DEFINITIONS, *FACTOR_FILES, *MODELS.values()],
        study=STUDY_FILE,
        code=code("describe_validation"),
    output:
        tables=directory(f"<private>/cohorts/{VALIDATION}/tables"),
    log:
        "<private>/logs/describe_validation/validation.log",
    params:
        synthetic=SYNTHETIC,
    script:
        "../scripts/describe_validation.py"
