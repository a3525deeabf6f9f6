"""The demo survey: what 180 invented clinicians answered, as a form exports it."""

from __future__ import annotations

import numpy as np

from d2tra.synthetic.people import stream
from d2tra.synthetic.records import Row

N_CLINICIANS = 180
STREAM = 900_000  # beyond the patients' own
SETTINGS = {"teaching hospital": 0.5, "district hospital": 0.38, "community": 0.08, "": 0.04}
YEARS = {"under 5": 0.3, "5 to 15": 0.42, "over 15": 0.28}
USES_TERM = {"yes": 0.62, "no": 0.24, "unsure": 0.1, "": 0.04}
BEST = {
    "EULAR 2021": 0.4,
    "Two mechanisms and objective inflammation": 0.22,
    "Third class": 0.16,
    "All classes": 0.08,
    "none of them": 0.05,
    "prefer not to say": 0.04,
    "": 0.05,
}
FEATURES = {
    "Feature: failed drugs": 0.86,
    "Feature: active disease": 0.72,
    "Feature: glucocorticoid": 0.64,
    "Feature: fatigue": 0.37,
    "Feature: quality of life": 0.48,
}
STEPS = {"another mechanism": 0.7, "imaging": 0.45, "pain service": 0.3, "psychology": 0.12}
CONFIDENCE = {"1": 0.08, "2": 0.2, "3": 0.34, "4": 0.28, "5": 0.1}
REMARKS = (
    "no time in clinic", "funding of a fourth drug", "pain without inflammation", "adherence is hard to judge",
    "too little time, and the funding", "access to ultrasound",
)  # fmt: skip


def draw_survey(seed: int) -> list[Row]:
    """Returns one row per clinician. A tenth broke off half-way; only who uses the term was asked for the next step."""
    return [_answers(number, stream(seed, STREAM, number)) for number in range(1, N_CLINICIANS + 1)]


def _answers(number: int, random: np.random.Generator) -> Row:
    uses_term = _one(USES_TERM, random)
    ticks = _several(FEATURES, random)
    row: Row = {
        "Data": "SYNTHETIC",
        "Respondent": f"R{number:03d}",
        "Setting": _one(SETTINGS, random),
        "Years as a specialist": _one(YEARS, random),
        "Uses the term": uses_term,
        "Best definition": _one(BEST, random),
        **{name: "x" if name in ticks else "" for name in FEATURES},
        "Next step": "; ".join(_several(STEPS, random)) if uses_term == "yes" else "",
        "Confidence": _one(CONFIDENCE, random),
        "What is in the way": str(random.choice(REMARKS)) if random.random() < 0.55 else "",
    }
    if random.random() < 0.1:
        row |= dict.fromkeys((*FEATURES, "Next step", "Confidence", "What is in the way"), "")
    return row


def _one(shares: dict[str, float], random: np.random.Generator) -> str:
    return str(random.choice(list(shares), p=list(shares.values())))


def _several(shares: dict[str, float], random: np.random.Generator) -> list[str]:
    return [name for name, share in shares.items() if random.random() < share]
