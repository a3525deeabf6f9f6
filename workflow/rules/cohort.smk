"""
Who belongs to the cohort, and what is known of each member?

needs   every site's valid/, courses.parquet, labels.parquet, audit_counts.parquet, verdicts.parquet; config/risk_factors.yaml
gives   <private>/cohorts/{cohort}/members.parquet         one row per member
        <private>/cohorts/{cohort}/flow.csv                one row per selection step
        <private>/cohorts/{cohort}/analysis_set.parquet    one row per member: outcomes and risk factors
"""


def of_every_site(name):
    return expand(f"<private>/sites/{{site}}/{name}", site=SITES)


rule select_cohort:
    """Walk the selection criteria in their order, counting who leaves at each."""
    input:
        valid=of_every_site("valid"),
        courses=of_every_site("courses.parquet"),
        labels=of_every_site("labels.parquet"),
        study=STUDY_FILE,
        code=code("select_cohort"),
    output:
        members="<private>/cohorts/{cohort}/members.parquet",
        flow="<private>/cohorts/{cohort}/flow.csv",
    log:
        "<private>/logs/select_cohort/{cohort}.log",
    script:
        "../scripts/select_cohort.py"


rule assemble_analysis_set:
    """Give each member its outcomes and its risk factors at baseline."""
    input:
        members="<private>/cohorts/{cohort}/members.parquet",
        valid=of_every_site("valid"),
        courses=of_every_site("courses.parquet"),
        scores=of_every_site("scores.parquet"),
        labels=of_every_site("labels.parquet"),
        counts=of_every_site("audit_counts.parquet"),
        verdicts=of_every_site("verdicts.parquet"),
        factors=FACTOR_FILES,
        concepts=settings.codelist("concepts"),
        study=STUDY_FILE,
        code=code("assemble_analysis_set"),
    output:
        analysis_set="<private>/cohorts/{cohort}/analysis_set.parquet",
    log:
        "<private>/logs/assemble_analysis_set/{cohort}.log",
    script:
        "../scripts/assemble_analysis_set.py"
