"""
What may leave the department, and what stays under internal/: copied whole from the drafts, then sealed.

needs   <private>/drafts/{profile}/{cohort}/
gives   <results>/{place}/{profile}/{cohort}/      tables, figures, report.html, report.docx; place = release or internal
        <results>/{place}/{profile}/manifest.json  every file with its hash, the protocol, the inputs, the software
"""


def place_of(profile):
    return "release" if PROFILES[profile].may_leave else "internal"


def reports_of(cohort):
    """Every profile's report of one cohort; an error that names the study's cohorts where it has none such."""

    def reports(wildcards):
        try:
            name = STUDY.cohort(cohort).name
        except StudyError as mistake:
            raise SystemExit(f"\n{mistake}\n")
        return [
            f"results/{STUDY.name}/{place_of(profile)}/{profile}/{name}/report.html" for profile in PROFILES
        ]

    return reports


def manifests():
    return [f"results/{STUDY.name}/{place_of(profile)}/{profile}/manifest.json" for profile in PROFILES]


rule release:
    """Move one cohort's finished drafts to where people look for them."""
    input:
        tables="<private>/drafts/{profile}/{cohort}/tables",
        figures="<private>/drafts/{profile}/{cohort}/figures",
        report="<private>/drafts/{profile}/{cohort}/report.html",
        document="<private>/drafts/{profile}/{cohort}/report.docx",
        code=code("release"),
    output:
        tables=directory("<results>/{place}/{profile}/{cohort}/tables"),
        figures=directory("<results>/{place}/{profile}/{cohort}/figures"),
        report="<results>/{place}/{profile}/{cohort}/report.html",
        document="<results>/{place}/{profile}/{cohort}/report.docx",
    log:
        "<private>/logs/release/{place}_{profile}_{cohort}.log",
    script:
        "../scripts/release.py"


rule seal_release:
    """Write the manifest: what was released, from which protocol, inputs and software."""
    input:
        reports=expand("<results>/{{place}}/{{profile}}/{cohort}/report.html", cohort=COHORTS),
        documents=expand("<results>/{{place}}/{{profile}}/{name}", name=DOCUMENTS),
        shares=expand("<results>/{{place}}/{{profile}}/share/{site}.json", site=SITES),
        protocol="<private>/protocol.json",
        raw=[path for paths in RAW_FILES.values() for path in paths],
        code=code("seal_release"),
    output:
        manifest="<results>/{place}/{profile}/manifest.json",
    log:
        "<private>/logs/seal_release/{place}_{profile}.log",
    params:
        study=STUDY.name,
    script:
        "../scripts/seal_release.py"
