"""
From numbers to released numbers, and from those alone to tables, figures and the report.

needs   <private>/cohorts/{cohort}/tables/, members.parquet, config/release.yaml; <private>/ledger/{profile}.csv if there
gives   <private>/drafts/{profile}/{cohort}/numbers/       released cells, one csv per table
        <private>/drafts/{profile}/{cohort}/held_back.csv  what was held back, and why
        <private>/drafts/{profile}/{cohort}/tables/        each as csv, html, docx, xlsx, tex
        <private>/drafts/{profile}/{cohort}/figures/       svg, pdf, png (tiff on request) and the cells behind each
        <private>/drafts/{profile}/{cohort}/report.html    one self-contained file; report.docx, to be edited
        <private>/drafts/{profile}/{cohort}/contents.json  what both may say
"""


def shown_before(folder):
    """A folder of each cohort that is disclosed before this one: those that the study names before it; before a chapter
    beside them, all."""

    def folders(wildcards):
        before = COHORTS[: COHORTS.index(wildcards.cohort)] if wildcards.cohort in COHORTS else COHORTS
        place = folder.format(profile=wildcards.profile)
        return expand(f"results/{STUDY.name}/private/{place}", cohort=before)

    return folders


def shown_after(wildcards):
    """The numbers of the cohorts that are disclosed after this one: of interest once they have been released before."""
    after = COHORTS[COHORTS.index(wildcards.cohort) + 1 :] if wildcards.cohort in COHORTS else []
    return [f"results/{STUDY.name}/private/cohorts/{name}/tables" for name in after]


# Ledger and later cohorts are no input: what a release leaves there must not make the same release out of date.
rule disclose:
    """Suppress and round what the profile does not let out, and what could be subtracted from what was shown before."""
    input:
        tables="<private>/cohorts/{cohort}/tables",
        members=expand("<private>/cohorts/{name}/members.parquet", name=COHORTS),
        earlier=shown_before("cohorts/{{cohort}}/tables"),
        shown=shown_before("drafts/{profile}/{{cohort}}/numbers"),
        profiles=settings.setting_path("release"),
        code=code("disclose"),
    output:
        numbers=directory("<private>/drafts/{profile}/{cohort}/numbers"),
        held_back="<private>/drafts/{profile}/{cohort}/held_back.csv",
    log:
        "<private>/logs/disclose/{profile}_{cohort}.log",
    params:
        ledger=ledger_of,
        later=shown_after,
    script:
        "../scripts/disclose.py"


rule tabulate:
    """Lay out the released numbers as tables."""
    input:
        numbers="<private>/drafts/{profile}/{cohort}/numbers",
        profiles=settings.setting_path("release"),
        code=code("tabulate"),
    output:
        tables=directory("<private>/drafts/{profile}/{cohort}/tables"),
    log:
        "<private>/logs/tabulate/{profile}_{cohort}.log",
    params:
        synthetic=SYNTHETIC,
    script:
        "../scripts/tabulate.py"


rule draw:
    """Draw the figures from the released numbers."""
    input:
        numbers="<private>/drafts/{profile}/{cohort}/numbers",
        style=settings.setting_path("style"),
        code=code("draw"),
    output:
        figures=directory("<private>/drafts/{profile}/{cohort}/figures"),
    log:
        "<private>/logs/draw/{profile}_{cohort}.log",
    params:
        figures=STUDY.figures,
        size=STUDY.figure_size,
        tiff=STUDY.figure_tiff,
        synthetic=SYNTHETIC,
    script:
        "../scripts/draw.py"


rule write_reports:
    """Put tables, figures and the definitions in words into one page and one Word document."""
    input:
        numbers="<private>/drafts/{profile}/{cohort}/numbers",
        figures="<private>/drafts/{profile}/{cohort}/figures",
        files=DEFINITIONS,
        study=STUDY_FILE,
        code=code("write_reports"),
    output:
        report="<private>/drafts/{profile}/{cohort}/report.html",
        document="<private>/drafts/{profile}/{cohort}/report.docx",
        contents="<private>/drafts/{profile}/{cohort}/contents.json",
    log:
        "<private>/logs/write_reports/{profile}_{cohort}.log",
    params:
        synthetic=SYNTHETIC,
        without_treatments=WITHOUT_TREATMENTS,
    script:
        "../scripts/write_reports.py"
