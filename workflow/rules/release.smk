"""
What may leave the department, and what stays under internal/: read back, copied whole from the drafts, then sealed.

needs   <private>/drafts/{profile}/{cohort}/
gives   <results>/{place}/{profile}/{cohort}/      tables, figures, report.html, report.docx; place = release or internal
        <results>/{place}/{profile}/{chapter}/     the same of a chapter beside the cohorts, with a manifest of its own
        <results>/{place}/{profile}/manifest.json  every file with its hash, the protocol, the inputs, the software
        <private>/seals/{place}_{profile}.sha256   hash of the manifest
        <private>/ledger/{profile}.csv             every cell that was released under it, now and before
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


def chapter_manifests(chapter):
    return [
        f"results/{STUDY.name}/{place_of(profile)}/{profile}/{chapter}/manifest.json" for profile in PROFILES
    ]


def raw_of_chapter(wildcards):
    more = SURVEY_RESPONSES if wildcards.chapter == settings.SURVEY else []
    return [*SEALED_FILES, *more]


def manifests():
    return [f"results/{STUDY.name}/{place_of(profile)}/{profile}/manifest.json" for profile in PROFILES]


rule release:
    """Read the documents back, then move one cohort's finished drafts to where people look for them."""
    input:
        contents="<private>/drafts/{profile}/{cohort}/contents.json",
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
    """Write the manifest: what was released, from which protocol, inputs and software. Keep its cells in the ledger."""
    input:
        reports=expand("<results>/{{place}}/{{profile}}/{cohort}/report.html", cohort=COHORTS),
        documents=expand("<results>/{{place}}/{{profile}}/{name}", name=DOCUMENTS),
        shares=expand("<results>/{{place}}/{{profile}}/share/{site}.json", site=SITES),
        numbers=expand("<private>/drafts/{{profile}}/{cohort}/numbers", cohort=COHORTS),
        protocol="<private>/protocol.json",
        raw=SEALED_FILES,
        code=code("seal_release"),
    output:
        manifest="<results>/{place}/{profile}/manifest.json",
        seal="<private>/seals/{place}_{profile}.sha256",
    log:
        "<private>/logs/seal_release/{place}_{profile}.log",
    params:
        study=STUDY.name,
        ledger=ledger_of,
    script:
        "../scripts/seal_release.py"


rule seal_chapter:
    """Write a chapter's own manifest: it comes and goes without the cohorts' results. Keep its cells in the ledger."""
    input:
        report="<results>/{place}/{profile}/{chapter}/report.html",
        numbers=["<private>/drafts/{profile}/{chapter}/numbers"],
        protocol="<private>/protocol.json",
        raw=raw_of_chapter,
        code=code("seal_chapter"),
    output:
        manifest="<results>/{place}/{profile}/{chapter}/manifest.json",
        seal="<private>/seals/{place}_{profile}_{chapter}.sha256",
    log:
        "<private>/logs/seal_chapter/{place}_{profile}_{chapter}.log",
    params:
        study=STUDY.name,
        ledger=ledger_of,
    script:
        "../scripts/seal_chapter.py"
