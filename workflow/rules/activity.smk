"""
How active is the disease at each visit?

needs   <private>/sites/{site}/valid/
gives   <private>/sites/{site}/scores.parquet      one row per visit, one column per score and band
"""


rule score_activity:
    """Give every visit its composite scores and activity bands."""
    input:
        valid="<private>/sites/{site}/valid",
        scores=settings.setting_path("scores"),
        code=code("score_activity"),
    output:
        scores="<private>/sites/{site}/scores.parquet",
    log:
        "<private>/logs/score_activity/{site}.log",
    params:
        data_cut_date=DATA_CUT,
    script:
        "../scripts/score_activity.py"
