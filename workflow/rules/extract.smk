"""
Can the extract be trusted? Nothing else is written before the identifier screen has passed.

needs   the site's raw files, config/sites/<site>.yaml
gives   <private>/sites/{site}/fetched/            of a database or an OMOP CDM only: its rows as parquet files
        <private>/sites/{site}/screen.json
        <private>/sites/{site}/harmonised/         canonical tables, still text
        <private>/sites/{site}/valid/<table>.parquet
        <private>/sites/{site}/quarantine.csv      every value or row set aside, and how to mend it
        <private>/sites/{site}/accounting.csv      rows read = valid + quarantined + duplicate; and by source
        <private>/sites/{site}/quarantine.xlsx     the department's own sheets, what is to mend marked
        <private>/sites/{site}/anonymity.csv       how many patients are alike in what others may know
        <private>/sites/{site}/units.csv           whose unit was judged, and what it looks like
        <private>/sites/{site}/data_cut.json       the last day of which the extract tells
"""


def mapping_of(wildcards):
    return SITES[wildcards.site].path


def raw_files_of(wildcards):
    return RAW_FILES[wildcards.site]


def fetched_of(wildcards):
    """The folder that fetch_extract makes of a database or an OMOP CDM; nothing for a site of files."""
    return f"{FETCHED[wildcards.site]}/fetched" if wildcards.site in FETCHED else []


rule fetch_extract:
    """Stream a database, or an OMOP CDM, to parquet files of text; they are screened before they are kept."""
    input:
        raw=raw_files_of,
        mapping=mapping_of,
        codelists=[*DRUG_CODELISTS, *(settings.codelist(name) for name in ("concepts", "omop"))],
        code=code("fetch_extract"),
    output:
        fetched=directory("<private>/sites/{site}/fetched"),
        record="<private>/sites/{site}/fetched_{site}.json",
    log:
        "<private>/logs/fetch_extract/{site}.log",
    script:
        "../scripts/fetch_extract.py"


rule screen_extract:
    """Stop if the extract holds identifiers of patients."""
    input:
        raw=raw_files_of,
        fetched=fetched_of,
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
        fetched=fetched_of,
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
        fetched=fetched_of,
        mapping=mapping_of,
        screen="<private>/sites/{site}/screen.json",
        codelists=DRUG_CODELISTS,
        rules=[settings.setting_path(name) for name in ("quality", "biomarkers")],
        code=code("validate_extract"),
    output:
        valid=directory("<private>/sites/{site}/valid"),
        quarantine="<private>/sites/{site}/quarantine.csv",
        accounting="<private>/sites/{site}/accounting.csv",
        by_source="<private>/sites/{site}/accounting_by_source.csv",
        cut="<private>/sites/{site}/data_cut.json",
    log:
        "<private>/logs/validate_extract/{site}.log",
    script:
        "../scripts/validate_extract.py"


rule judge_units:
    """Stop if the values of a column look as if they were in another unit than the one declared."""
    input:
        tables="<private>/sites/{site}/harmonised",
        valid="<private>/sites/{site}/valid",
        fetched=fetched_of,
        mapping=mapping_of,
        files=[*DRUG_CODELISTS, *LABEL_FILES, settings.setting_path("quality")],
        code=code("judge_units"),
    output:
        units="<private>/sites/{site}/units.csv",
    log:
        "<private>/logs/judge_units/{site}.log",
    params:
        study=LABELLING,
    script:
        "../scripts/judge_units.py"


rule give_back_rows:
    """Give the department its own sheets back, with what is to mend marked."""
    input:
        raw=raw_files_of,
        fetched=fetched_of,
        mapping=mapping_of,
        screen="<private>/sites/{site}/screen.json",
        tables="<private>/sites/{site}/harmonised",
        quarantine="<private>/sites/{site}/quarantine.csv",
        by_source="<private>/sites/{site}/accounting_by_source.csv",
        rules=settings.setting_path("quality"),
        code=code("give_back_rows"),
    output:
        workbook="<private>/sites/{site}/quarantine.xlsx",
    log:
        "<private>/logs/give_back_rows/{site}.log",
    script:
        "../scripts/give_back_rows.py"


rule check_anonymity:
    """Count how many patients are alike in what others may know of them."""
    input:
        valid="<private>/sites/{site}/valid",
        cut="<private>/sites/{site}/data_cut.json",
        plan=settings.setting_path("anonymity"),
        code=code("check_anonymity"),
    output:
        anonymity="<private>/sites/{site}/anonymity.csv",
    log:
        "<private>/logs/check_anonymity/{site}.log",
    script:
        "../scripts/check_anonymity.py"
