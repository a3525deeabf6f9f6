"""
From a department's extract to tables, figures and a report: the chapters in reading order, then the targets.
"""


include: "workflow/rules/common.smk"
include: "workflow/rules/extract.smk"
include: "workflow/rules/treatment.smk"
include: "workflow/rules/activity.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/cohort.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/outputs.smk"
include: "workflow/rules/release.smk"


rule all:
    """Everything of the study, for every cohort and release profile."""
    default_target: True
    input:
        manifests=manifests(),
        quality=expand("<private>/sites/{site}/quality.csv", site=SITES),
        timelines=expand("<private>/sites/{site}/timelines", site=SITES),


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


rule check:
    """Look at an extract before anything else: screen, harmonise, validate, quality, accounting."""
    input:
        accounting=expand("<private>/sites/{site}/accounting.csv", site=SITES),
        quality=expand("<private>/sites/{site}/quality.csv", site=SITES),
