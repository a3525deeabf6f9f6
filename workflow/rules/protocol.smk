"""
What was laid down before anybody looked? A frozen protocol stops the study, before the DAG is built, once it is changed.

needs   config/studies/<study>.yaml, its definitions, models, code lists and the settings that numbers depend on
gives   <private>/protocol.json    each of these files with its hash, and one hash of them all; kept, it freezes a study
"""

from d2tra.provenance import protocol, refuse_changed_protocol

CODELISTS = ("dmards", "mechanisms", "drug_words", "concepts", "availability")
SETTINGS = ("exposure", "scores", "risk_factors", "biomarkers", "quality", "nice")
PROTOCOL_FILES = [
    *(*DEFINITIONS, *MODELS.values(), *GRID_FILES, *SURVEY_FILES),
    *(*map(settings.codelist, CODELISTS), *map(settings.setting_path, SETTINGS)),
]

if STUDY.frozen_protocol:
    try:
        refuse_changed_protocol(STUDY.frozen_protocol, protocol(STUDY_FILE, PROTOCOL_FILES))
    except StudyError as mistake:
        raise SystemExit(f"\n{mistake}\n")


rule record_protocol:
    """Write down the protocol: each of its files with its hash. Kept, it can freeze the study (frozen_protocol)."""
    input:
        study=STUDY_FILE,
        files=PROTOCOL_FILES,
        code=code("record_protocol"),
    output:
        protocol="<private>/protocol.json",
    log:
        "<private>/logs/record_protocol/protocol.log",
    script:
        "../scripts/record_protocol.py"
