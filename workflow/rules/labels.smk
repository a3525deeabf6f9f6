"""
Who is difficult to treat, by each definition, and why? And what is odd about the data?

needs   <private>/sites/{site}/valid/, courses.parquet, scores.parquet, config/definitions/<definition>.yaml
gives   <private>/sites/{site}/labels.parquet      one row per patient and definition
        <private>/sites/{site}/evidence.parquet    one row per patient, definition and criterion
        <private>/sites/{site}/policies.parquet    the verdict under each criterion-3 policy
        <private>/sites/{site}/verdicts.parquet    the verdict under the primary definition at every visit
        <private>/sites/{site}/audit_counts.parquet    severity and number of drugs tried
        <private>/sites/{site}/timelines/          a page per patient who meets the primary definition: never released
        <private>/sites/{site}/quality.csv         data-quality findings
        <private>/sites/{site}/quality.html        every check of the catalogue on one page; quality_checks.csv,
                                                   same_patient.csv, expectations.csv hold its numbers
"""

JUDGED = ["labels", "evidence", "policies", "verdicts", "audit_counts"]
TOLD = ["quarantine", "accounting", "quality"]
EXPECTED_OF = ["courses", "scores", "labels", "audit_counts"]
QUALITY_LISTS = ["quality_checks", "same_patient", "expectations"]
CATALOGUE_FILES = [settings.setting_path("quality"), settings.setting_path("style")]
CATALOGUE_FILES += [settings.expectations_path(STUDY)]


rule label_patients:
    """Judge every patient by every definition at every visit, with the deciding records."""
    input:
        valid="<private>/sites/{site}/valid",
        courses="<private>/sites/{site}/courses.parquet",
        scores="<private>/sites/{site}/scores.parquet",
        units="<private>/sites/{site}/units.csv",
        files=LABEL_FILES,
        mapping=mapping_of,
        code=code("label_patients"),
    output:
        judged=expand("<private>/sites/{{site}}/{name}.parquet", name=JUDGED),
    log:
        "<private>/logs/label_patients/{site}.log",
    params:
        study=LABELLING,
    script:
        "../scripts/label_patients.py"


rule draw_timelines:
    """Draw the history of every patient who meets the primary definition; it never leaves private/."""
    input:
        courses="<private>/sites/{site}/courses.parquet",
        sequence="<private>/sites/{site}/sequence.parquet",
        scores="<private>/sites/{site}/scores.parquet",
        labelled=expand("<private>/sites/{{site}}/{name}.parquet", name=["labels", "evidence"]),
        cut="<private>/sites/{site}/data_cut.json",
        files=[*DEFINITIONS, *(settings.setting_path(name) for name in ("scores", "style"))],
        code=code("draw_timelines"),
    output:
        timelines=directory("<private>/sites/{site}/timelines"),
    log:
        "<private>/logs/draw_timelines/{site}.log",
    params:
        definition=STUDY.definitions[0],
        data_cut_date=DATA_CUT,
        synthetic=SYNTHETIC,
    script:
        "../scripts/draw_timelines.py"


rule check_quality:
    """List what is implausible, incomplete or contradictory in the valid tables."""
    input:
        valid="<private>/sites/{site}/valid",
        courses="<private>/sites/{site}/courses.parquet",
        scores="<private>/sites/{site}/scores.parquet",
        cut="<private>/sites/{site}/data_cut.json",
        units="<private>/sites/{site}/units.csv",
        checks=settings.setting_path("quality"),
        mapping=mapping_of,
        code=code("check_quality"),
    output:
        quality="<private>/sites/{site}/quality.csv",
    log:
        "<private>/logs/check_quality/{site}.log",
    params:
        data_cut_date=DATA_CUT,
    script:
        "../scripts/check_quality.py"


rule catalogue_quality:
    """Run every check of the catalogue, and compare the extract with what others found."""
    input:
        valid="<private>/sites/{site}/valid",
        told=expand("<private>/sites/{{site}}/{name}.csv", name=TOLD),
        judged=expand("<private>/sites/{{site}}/{name}.parquet", name=EXPECTED_OF),
        cut="<private>/sites/{site}/data_cut.json",
        study=STUDY_FILE,
        files=[*CATALOGUE_FILES, *FACTOR_FILES, *LABEL_FILES],
        mapping=mapping_of,
        code=code("catalogue_quality"),
    output:
        lists=expand("<private>/sites/{{site}}/{name}.csv", name=QUALITY_LISTS),
        page="<private>/sites/{site}/quality.html",
    log:
        "<private>/logs/catalogue_quality/{site}.log",
    params:
        data_cut_date=DATA_CUT,
    script:
        "../scripts/catalogue_quality.py"
