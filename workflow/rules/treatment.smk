"""
Which drugs, from when to when, and how did each end?

needs   <private>/sites/{site}/valid/
gives   <private>/sites/{site}/courses.parquet     one row per drug course, outcome as at the study's cut
        <private>/sites/{site}/sequence.parquet    one row per b/tsDMARD course, in the order of their start
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
        data_cut_date=DATA_CUT,
    script:
        "../scripts/trace_treatment.py"


rule order_treatments:
    """Put each patient's b/tsDMARD courses into their order; descriptive, never a recommendation."""
    input:
        valid="<private>/sites/{site}/valid",
        courses="<private>/sites/{site}/courses.parquet",
        cut="<private>/sites/{site}/data_cut.json",
        codelists=[settings.codelist(name) for name in ("dmards", "availability")],
        code=code("order_treatments"),
    output:
        sequence="<private>/sites/{site}/sequence.parquet",
    log:
        "<private>/logs/order_treatments/{site}.log",
    params:
        data_cut_date=DATA_CUT,
    script:
        "../scripts/order_treatments.py"
