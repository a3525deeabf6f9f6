"""
What do clinicians think? An opinion survey beside the audit, asked apart from the default target: `snakemake survey`.

needs   config/surveys/<survey>.yaml and the responses it names; <private>/cohorts/{cohort}/prevalence.csv of every cohort
gives   <private>/cohorts/survey/tables/           the chapter's numbers before disclosure control
        <results>/{place}/{profile}/survey/        tables, figures, report, and a manifest of its own
"""


# The chapter stands where a cohort of its name would; no study has one (config.py).
ruleorder: describe_survey > describe


rule describe_survey:
    """Count the answers of the study's survey, beside how many patients meet the definitions that are favoured."""
    input:
        responses=SURVEY_RESPONSES,
        codebook=SURVEY_FILES,
        prevalence=expand("<private>/cohorts/{name}/prevalence.csv", name=COHORTS),
        definitions=DEFINITIONS,
        study=STUDY_FILE,
        code=code("describe_survey"),
    output:
        tables=directory(f"<private>/cohorts/{settings.SURVEY}/tables"),
    log:
        "<private>/logs/describe_survey/survey.log",
    params:
        synthetic=SYNTHETIC,
    script:
        "../scripts/describe_survey.py"


def survey_manifests(wildcards):
    if STUDY.survey is None:
        raise SystemExit(
            f"\nstudy {STUDY.name} has no survey. Name one: `survey: <name of config/surveys/>`.\n"
        )
    return chapter_manifests(settings.SURVEY)
