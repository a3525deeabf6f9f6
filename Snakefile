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


rule all:
    """Everything of the study, for every cohort and release profile."""
    default_target: True
    input:
        manifests=manifests(),
        quality=expand("<private>/sites/{site}/quality.csv", site=SITES),
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
        manifests=validation_manifests(),
        grids=expand("<private>/cohorts/{cohort}/sensitivity.csv", cohort=GRID_COHORTS),


rule check:
    """Look at an extract before anything else: screen, harmonise, validate, quality, accounting."""
    input:
        accounting=expand("<private>/sites/{site}/accounting.csv", site=SITES),
        quality=expand("<private>/sites/{site}/quality.csv", site=SITES),
