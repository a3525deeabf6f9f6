"""
From numbers to released numbers, and from those alone to tables, figures and the report.

needs   <private>/cohorts/{cohort}/tables/, config/release.yaml
gives   <private>/drafts/{profile}/{cohort}/numbers/       released cells, one csv per table
        <private>/drafts/{profile}/{cohort}/tables/        each as csv, html, docx, xlsx, tex
        <private>/drafts/{profile}/{cohort}/figures/       svg, pdf, png and the cells behind each
        <private>/drafts/{profile}/{cohort}/report.html    one self-contained file; report.docx, to be edited
"""


rule disclose:
    """Suppress and round what the profile does not let out."""
    input:
        tables="<private>/cohorts/{cohort}/tables",
        profiles=settings.setting_path("release"),
        code=code("disclose"),
    output:
        numbers=directory("<private>/drafts/{profile}/{cohort}/numbers"),
    log:
        "<private>/logs/disclose/{profile}_{cohort}.log",
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
    log:
        "<private>/logs/write_reports/{profile}_{cohort}.log",
    params:
        synthetic=SYNTHETIC,
        without_treatments=[name for name, site in SITES.items() if site.has_no("treatments")],
    script:
        "../scripts/write_reports.py"
