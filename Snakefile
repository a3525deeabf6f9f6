"""
From a department's extract to tables, figures and a report: the chapters in reading order, then the targets.
"""


include: "workflow/rules/common.smk"
include: "workflow/rules/protocol.smk"
include: "workflow/rules/extract.smk"
include: "workflow/rules/treatment.smk"
include: "workflow/rules/activity.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/cohort.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/sensitivity.smk"
include: "workflow/rules/outputs.smk"
include: "workflow/rules/documents.smk"
include: "workflow/rules/share.smk"
include: "workflow/rules/release.smk"
include: "workflow/rules/validation.smk"
include: "workflow/rules/survey.smk"
include: "workflow/rules/notebooks.smk"


rule all:
    """Everything of the study, for every cohort and release profile."""
    default_target: True
    input:
        manifests=manifests(),
        quality=expand("<private>/sites/{site}/quality.{kind}", site=SITES, kind=["csv", "html"]),
        workbooks=expand("<private>/sites/{site}/quarantine.xlsx", site=SITES),
        anonymity=expand("<private>/sites/{site}/anonymity.csv", site=SITES),
        timelines=expand("<private>/sites/{site}/timelines", site=SITES),
        imputations=imputation_figures(),


rule audit:
    """Only the cohort named audit: the first consecutive patients."""
    input:
        reports=reports_of("audit"),


rule extension:
    """Only the cohort named extension: the remaining patients."""
    input:
        reports=reports_of("extension"),


rule figures:
    """Only the figures, of every cohort and profile."""
    input:
        drafts=expand("<private>/drafts/{profile}/{cohort}/figures", profile=PROFILES, cohort=COHORTS),


rule validation:
    """How far the models can be trusted: bootstrap, transport to other cohorts, sensitivity grid. Not part of all."""
    input:
        manifests=chapter_manifests(VALIDATION),
        grids=expand("<private>/cohorts/{cohort}/sensitivity.csv", cohort=GRID_COHORTS),


rule survey:
    """What clinicians answered in the study's opinion survey. Not part of all."""
    input:
        manifests=survey_manifests,


rule check:
    """Look at an extract before anything else: screen, harmonise, validate, quality, accounting, what is to mend."""
    input:
        accounting=expand("<private>/sites/{site}/accounting.csv", site=SITES),
        workbooks=expand("<private>/sites/{site}/quarantine.xlsx", site=SITES),
        anonymity=expand("<private>/sites/{site}/anonymity.csv", site=SITES),
        quality=expand("<private>/sites/{site}/quality.{kind}", site=SITES, kind=["csv", "html"]),


rule notebooks:
    """Four short notebooks, run on the study's results; pages for the department only. Not part of all."""
    input:
        pages=expand("<private>/notebooks/{notebook}.html", notebook=NOTEBOOKS),
