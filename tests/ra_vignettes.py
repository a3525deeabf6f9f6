"""Patients with rheumatoid arthritis, many in one call (see psa_vignettes: each is judged on 2022-01-01)."""

from psa_vignettes import JUDGED_ON, extract_of, judge_all, patient, reasons_of

__all__ = [
    "ACTIVE",
    "D2T",
    "JUDGED_ON",
    "TWO_FAILED",
    "extract_of",
    "judge_all",
    "patient",
    "ra",
    "reasons_of",
    "statuses",
]

TWO_FAILED = (
    "methotrexate 2015-01-01 - -",
    "adalimumab 2016-01-01 2017-01-01 inefficacy",
    "abatacept 2018-01-01 2019-01-01 adverse_event",
)
ACTIVE = {"tjc28": 8, "sjc28": 6, "patient_global_mm": 60.0, "physician_global_mm": 60.0}  # CDAI 26
D2T = ACTIVE | {"problematic_to_patient": True}


def ra(*drugs, joint=None, adherence=None, diagnosis_date=None, **given):
    """A patient with rheumatoid arthritis. `joint` of every image, `adherence` of every b/tsDMARD record."""
    one = patient(*drugs, disease="RA", **given)
    one["patients"][0]["diagnosis_date"] = diagnosis_date
    for image in one["imaging"]:
        image["joint"] = joint
    for row in one["treatments"]:
        row["adherence"] = None if row["drug"] in ("methotrexate", "sulfasalazine") else adherence
    return one


def statuses(definition, cases, **asked):
    """Name → status of every patient of `cases` (name → patient, …)."""
    verdicts = judge_all(definition, {name: case[0] for name, case in cases.items()}, **asked)
    return {name: found["status"] for name, found in verdicts.items()}
