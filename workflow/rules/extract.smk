"""
Can the extract be trusted? Nothing else is written before the identifier screen has passed.

needs   the site's raw files, config/sites/<site>.yaml
gives   <private>/sites/{site}/screen.json
        <private>/sites/{site}/harmonised/         canonical tables, still text
        <private>/sites/{site}/valid/<table>.parquet
        <private>/sites/{site}/quarantine.csv      every value or row set aside, and how to mend it
        <private>/sites/{site}/accounting.csv      rows read = valid + quarantined + duplicate
        <private>/sites/{site}/data_cut.json       the last day of which the extract tells
"""


def mapping_of(wildcards):
    return SITES[wildcards.site].path


def raw_files_of(wildcards):
    return RAW_FILES[wildcards.site]


rule screen_extract:
    """Stop if the extract holds identifiers of patients."""
    input:
        raw=raw_files_of,
        mapping=mapping_of,
        code=code("screen_extract"),
    output:
        screen="<private>/sites/{site}/screen.json",
    log:
        "<private>/logs/screen_extract/{site}.log",
    script:
        "../scripts/screen_extract.py"


rule harmonise_extract:
    """Turn the site's own columns, words, dates and units into the canonical tables."""
    input:
        raw=raw_files_of,
        mapping=mapping_of,
        screen="<private>/sites/{site}/screen.json",
        rules=settings.setting_path("quality"),
        code=code("harmonise_extract"),
    output:
        tables=directory("<private>/sites/{site}/harmonised"),
    log:
        "<private>/logs/harmonise_extract/{site}.log",
    script:
        "../scripts/harmonise_extract.py"


rule validate_extract:
    """Set aside what cannot be right, with a reason, and account for every row."""
    input:
        tables="<private>/sites/{site}/harmonised",
        mapping=mapping_of,
        codelists=DRUG_CODELISTS,
        rules=[settings.setting_path(name) for name in ("quality", "biomarkers")],
        code=code("validate_extract"),
    output:
        valid=directory("<private>/sites/{site}/valid"),
        quarantine="<private>/sites/{site}/quarantine.csv",
        accounting="<private>/sites/{site}/accounting.csv",
        cut="<private>/sites/{site}/data_cut.json",
    log:
        "<private>/logs/validate_extract/{site}.log",
    script:
        "../scripts/validate_extract.py"
