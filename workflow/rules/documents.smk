"""
What goes to the conference and the journal: the documents of the whole study, from the released numbers alone.

needs   <private>/drafts/{profile}/{cohort}/numbers/, figures/ of every cohort; config/conferences.yaml, config/checklists/
gives   <private>/drafts/{profile}/documents/
        <results>/{place}/{profile}/    slides.pptx, poster.pptx, methods.md, data_dictionary.csv, checklist_record.csv
        <results>/{place}/{profile}/{cohort}/abstract.md
"""

DOCUMENTS = ["slides.pptx", "poster.pptx", "methods.md", "data_dictionary.csv", "checklist_record.csv"]
DOCUMENTS += [f"{name}/abstract.md" for name in COHORTS]


rule write_documents:
    """Fill slides, poster, abstracts, methods, dictionary and checklist; the number gate reads them back."""
    input:
        numbers=expand("<private>/drafts/{{profile}}/{cohort}/numbers", cohort=COHORTS),
        figures=expand("<private>/drafts/{{profile}}/{cohort}/figures", cohort=COHORTS),
        files=[*DEFINITIONS, *FACTOR_FILES, *MODELS.values(), settings.setting_path("conferences")],
        checklist=settings.config_file("checklists/strobe_record.csv"),
        study=STUDY_FILE,
        code=code("write_documents"),
    output:
        documents=directory("<private>/drafts/{profile}/documents"),
    log:
        "<private>/logs/write_documents/{profile}.log",
    params:
        synthetic=SYNTHETIC,
        sites=[site.title or name for name, site in SITES.items()],
    script:
        "../scripts/write_documents.py"


rule release_documents:
    """Move the study's documents to where people look for them."""
    input:
        documents="<private>/drafts/{profile}/documents",
        code=code("release_documents"),
    output:
        documents=expand("<results>/{{place}}/{{profile}}/{name}", name=DOCUMENTS),
    log:
        "<private>/logs/release_documents/{place}_{profile}.log",
    params:
        names=DOCUMENTS,
    script:
        "../scripts/release_documents.py"
