"""
Would other choices have led to other answers? One grid over definition, failure rules, criterion 3, baseline and missing data.

needs   <private>/sites/{site}/valid/, scores.parquet, policies.parquet; config/failure_rules/<rules>.yaml
        <private>/cohorts/{cohort}/members.parquet
gives   <private>/sites/{site}/relabelled.parquet              the status under each failure rules and criterion-3 policy
        <private>/cohorts/{cohort}/sensitivity.csv             one row per combination of choices, factor and level
        <private>/cohorts/{cohort}/sensitivity/                the same as a table, before disclosure control
"""

KNOWN_OF_A_SITE = ["courses", "scores", "labels", "audit_counts"]


rule relabel_patients:
    """Judge every patient again, by each of the other rules of when a drug has failed."""
    input:
        valid="<private>/sites/{site}/valid",
        cut="<private>/sites/{site}/data_cut.json",
        scores="<private>/sites/{site}/scores.parquet",
        policies="<private>/sites/{site}/policies.parquet",
        rules=[settings.setting_path("exposure"), *GRID_FILES],
        files=LABEL_FILES,
        mapping=mapping_of,
        study=STUDY_FILE,
        code=code("relabel_patients"),
    output:
        relabelled="<private>/sites/{site}/relabelled.parquet",
    log:
        "<private>/logs/relabel_patients/{site}.log",
    script:
        "../scripts/relabel_patients.py"


rule fit_sensitivity_grid:
    """Count and fit the cohort under every combination of choices."""
    input:
        members="<private>/cohorts/{cohort}/members.parquet",
        valid=of_every_site("valid"),
        known=expand("<private>/sites/{site}/{name}.parquet", site=SITES, name=KNOWN_OF_A_SITE),
        relabelled=of_every_site("relabelled.parquet"),
        files=[*LABEL_FILES, *FACTOR_FILES, *GRID_FILES],
        study=STUDY_FILE,
        code=code("fit_sensitivity_grid"),
    output:
        grid="<private>/cohorts/{cohort}/sensitivity.csv",
        tables=directory("<private>/cohorts/{cohort}/sensitivity"),
    log:
        "<private>/logs/fit_sensitivity_grid/{cohort}.log",
    params:
        synthetic=SYNTHETIC,
    script:
        "../scripts/fit_sensitivity_grid.py"
