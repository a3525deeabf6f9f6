"""
What may other centres know, so that all can be pooled? Aggregates after disclosure control, one file per site.

needs   <private>/cohorts/{cohort}/analysis_set.parquet, models/; <private>/protocol.json, config/models/<model>.yaml, config/release.yaml
gives   <private>/drafts/{profile}/share/{site}.json
        <results>/{place}/{profile}/share/{site}.json    pooled with: d2tra pool (docs/across-centres.md)
"""


rule share:
    """Fit each model to each site alone; keep what the profile lets out."""
    input:
        analysis_sets=expand("<private>/cohorts/{name}/analysis_set.parquet", name=COHORTS),
        models=expand("<private>/cohorts/{name}/models/{file}", name=COHORTS, file=MODEL_FILES),
        files=[*MODELS.values(), *LABEL_FILES, *FACTOR_FILES, settings.setting_path("release")],
        study=STUDY_FILE,
        protocol="<private>/protocol.json",
        code=code("share"),
    output:
        shares=expand("<private>/drafts/{profile}/share/{site}.json", profile=PROFILES, site=SITES),
    log:
        "<private>/logs/share/share.log",
    params:
        synthetic=[name for name, site in SITES.items() if site.synthetic],
    script:
        "../scripts/share.py"


rule release_share:
    """Move a site's aggregates to where people look for what may leave."""
    input:
        share="<private>/drafts/{profile}/share/{site}.json",
        code=code("release_share"),
    output:
        share="<results>/{place}/{profile}/share/{site}.json",
    log:
        "<private>/logs/release_share/{place}_{profile}_{site}.log",
    script:
        "../scripts/release_share.py"
