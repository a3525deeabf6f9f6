"""
Which drugs, from when to when, and how did each end?

needs   <private>/sites/{site}/valid/
gives   <private>/sites/{site}/courses.parquet     one row per drug course, outcome as at the study's cut
"""


rule trace_treatment:
    """Merge prescription records into drug courses and judge how each ended."""
    input:
        valid="<private>/sites/{site}/valid",
        cut="<private>/sites/{site}/data_cut.json",
        rules=settings.setting_path("exposure"),
        codelists=DRUG_CODELISTS,
        code=code("trace_treatment"),
    output:
        courses="<private>/sites/{site}/courses.parquet",
    log:
        "<private>/logs/trace_treatment/{site}.log",
    params:
        data_cut_date=STUDY.data_cut_date and str(STUDY.data_cut_date),
    script:
        "../scripts/trace_treatment.py"
