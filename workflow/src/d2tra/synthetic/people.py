"""Who the 722 synthetic patients are: risk factors, the generating model of the label, and the label each is built to have.

Everything here is a fact about the demo extract, not about real patients, and is read by nothing but its tests.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

SEED = 20240424
CUT = dt.date(2023, 12, 31)
N_AUDIT, N_ALL = 95, 722
INTERCEPT = -2.75
ODDS_RATIOS = {"seropositive_both": 2.0, "obese": 2.0, "fibromyalgia": 3.0, "osteoarthritis": 1.5}
PREVALENCES = {  # and the other parameters from which the factors are drawn
    "female": 0.74,
    "rf_positive": 0.68,
    "anti_ccp_positive given rf_positive": 0.86,
    "anti_ccp_positive given rf_negative": 0.20,
    "fibromyalgia given female": 0.15,
    "fibromyalgia given male": 0.06,
    "osteoarthritis at age 60": 0.25,
    "osteoarthritis, rise of the log odds per year of age": 0.05,
    "bmi_kg_m2, median": 27.6,
    "bmi_kg_m2, standard deviation of its logarithm": 0.19,
}
SHARE_NOT_ASSESSABLE = 0.035
SHARE_WITHOUT_WEIGHT, SHARE_WITHOUT_RF, SHARE_WITHOUT_CCP = 0.05, 0.02, 0.04
Status = Literal["met", "not_met", "not_assessable"]

# The twelve of the first 95: activity at the last visit, b/tsDMARDs tried, RF, anti-CCP, obese, fibromyalgia, osteoarthritis
AUDIT_TWELVE = [
    ("high", 3, True, True, True, True, True),
    ("high", 3, True, True, True, False, True),
    ("high", 4, True, True, False, True, True),
    ("moderate", 3, True, True, True, True, True),
    ("moderate", 3, True, True, True, False, False),
    ("moderate", 3, True, False, False, False, False),
    ("moderate", 3, True, True, True, True, False),
    ("moderate", 4, False, True, True, True, True),
    ("moderate", 4, True, True, False, False, True),
    ("moderate", 4, True, True, True, True, False),
    ("moderate", 4, False, False, False, False, False),
    ("moderate", 5, True, True, True, True, True),
]
AUDIT_PRESUMED = 5  # the one of the twelve (counted from 0) whose second failure is presumed, not recorded
AUDIT_NOT_ASSESSABLE = ["unknown_second", "remote_last_year", "too_short_second", "no_csdmard_recorded"]


@dataclass
class Person:
    """One synthetic patient: constant facts, and the label that the records are built to give."""

    sequence: int
    patient_id: str
    female: bool
    age: int
    bmi: float
    rf: bool
    ccp: bool
    fibromyalgia: bool
    osteoarthritis: bool
    status: Status = "not_met"
    reason: str = ""  # why not_assessable; for the audit's twelve their activity
    n_tried: int = 0  # b/tsDMARDs tried, where the audit fixes them; 0 = as the history falls out
    presumed: bool = False  # one of the twelve whose label hangs on a presumed failure
    weight_known: bool = True
    rf_known: bool = True
    ccp_known: bool = True

    def factors(self) -> dict[str, bool]:
        """Returns the four factors of the generating model."""
        return {
            "seropositive_both": self.rf and self.ccp,
            "obese": self.bmi >= 30,
            "fibromyalgia": self.fibromyalgia,
            "osteoarthritis": self.osteoarthritis,
        }


def stream(seed: int, *keys: int) -> np.random.Generator:
    """Returns a random stream of its own for a patient and purpose, so that a change to one moves no other."""
    return np.random.default_rng([seed, *keys])


def risk_of_label(person: Person) -> float:
    """Returns the probability that the generating model gives the label `met`."""
    log_odds = INTERCEPT + sum(math.log(ODDS_RATIOS[name]) * has for name, has in person.factors().items())
    return 1 / (1 + math.exp(-log_odds))


def draw_people(seed: int) -> list[Person]:
    """Returns the 722 in order of sequence; the first 95 hold the audit's twelve, the rest follow the model."""
    names = stream(seed, 0).permutation(np.arange(1000, 9000))[:N_ALL]
    seats = sorted(stream(seed, 1).choice(np.arange(1, N_AUDIT + 1), size=16, replace=False).tolist())
    order = stream(seed, 2).permutation(16)
    seat_of = dict(zip(seats, order.tolist(), strict=True))
    people = []
    for sequence in range(1, N_ALL + 1):
        random = stream(seed, 3, sequence)
        person = _draw_person(random, sequence, f"P{names[sequence - 1]}")
        if sequence > N_AUDIT:
            person.status = "met" if random.random() < risk_of_label(person) else "not_met"
            if random.random() < SHARE_NOT_ASSESSABLE:
                person.status, person.reason = "not_assessable", str(random.choice(_REASONS))
        else:
            _seat_in_audit(random, person, seat_of.get(sequence))
        people.append(person)
    return people


_REASONS = [*AUDIT_NOT_ASSESSABLE, "unknown_second", "flags_unrecorded", "flags_unrecorded"]


def _draw_person(random: np.random.Generator, sequence: int, patient_id: str) -> Person:
    female = random.random() < PREVALENCES["female"]
    age = int(np.clip(random.normal(59, 13), 26, 86))
    bmi = 30.0
    while 29.4 < bmi < 30.6 or not 17.5 < bmi < 52:  # clear of 30, so that a rounded weight changes nothing
        median, spread = (
            PREVALENCES["bmi_kg_m2, median"],
            PREVALENCES["bmi_kg_m2, standard deviation of its logarithm"],
        )
        bmi = float(np.exp(random.normal(math.log(median), spread)))
    rf = random.random() < PREVALENCES["rf_positive"]
    ccp = random.random() < PREVALENCES[f"anti_ccp_positive given rf_{'positive' if rf else 'negative'}"]
    fibromyalgia = random.random() < PREVALENCES[f"fibromyalgia given {'female' if female else 'male'}"]
    at_60 = PREVALENCES["osteoarthritis at age 60"]
    rise = PREVALENCES["osteoarthritis, rise of the log odds per year of age"] * (age - 60)
    osteoarthritis = random.random() < 1 / (1 + math.exp(-(math.log(at_60 / (1 - at_60)) + rise)))
    known = random.random(3) >= [SHARE_WITHOUT_WEIGHT, SHARE_WITHOUT_RF, SHARE_WITHOUT_CCP]
    return Person(
        sequence=sequence,
        patient_id=patient_id,
        female=bool(female),
        age=age,
        bmi=bmi,
        rf=bool(rf),
        ccp=bool(ccp),
        fibromyalgia=bool(fibromyalgia),
        osteoarthritis=bool(osteoarthritis),
        weight_known=bool(known[0]),
        rf_known=bool(known[1]),
        ccp_known=bool(known[2]),
    )


def _seat_in_audit(random: np.random.Generator, person: Person, seat: int | None) -> None:
    """Makes one of the 95 one of the twelve (seats 0–11), not assessable (12–15), or not difficult to treat."""
    if seat is None or seat >= 12:
        while random.random() < risk_of_label(person):  # factors as the model has them among the unlabelled
            drawn = _draw_person(random, person.sequence, person.patient_id)
            person.__dict__.update(drawn.__dict__)
        if seat is not None:
            person.status, person.reason = "not_assessable", AUDIT_NOT_ASSESSABLE[seat - 12]
        return
    activity, n_tried, rf, ccp, obese, fibromyalgia, osteoarthritis = AUDIT_TWELVE[seat]
    person.status, person.reason, person.n_tried = "met", activity, n_tried
    person.presumed = seat == AUDIT_PRESUMED
    person.rf, person.ccp = rf, ccp
    person.fibromyalgia, person.osteoarthritis = fibromyalgia, osteoarthritis
    person.weight_known = person.rf_known = person.ccp_known = True
    while (person.bmi >= 30) != obese:
        person.bmi = _draw_person(random, person.sequence, person.patient_id).bmi
