"""eular_2021, its routine and its strict form once more, slowly and in plain Python, written from the specification alone
and sharing no code with the package. An extract is a dict of lists of rows, as `random_patients` draws them."""

from __future__ import annotations

import datetime as dt
import math
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cache

from reference_label_courses import DAY, DRUGS, INEFFICACY, INTOLERANCE, is_bts, outcome, trace

FACTORS = {"prednisolone": Fraction(1), "deflazacort": Fraction(5, 6), "methylprednisolone": Fraction(5, 4)}


def round4(value: float | Fraction | None) -> Decimal | None:
    if value is None:
        return None
    exact = (
        Decimal(value.numerator) / Decimal(value.denominator)
        if isinstance(value, Fraction)
        else Decimal(repr(value))
    )
    return exact.quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP)


# --- three-valued logic


def and3(*verdicts: bool | None) -> bool | None:
    return False if False in verdicts else None if None in verdicts else True


def or3(*verdicts: bool | None) -> bool | None:
    return True if True in verdicts else None if None in verdicts else False


def not3(verdict: bool | None) -> bool | None:
    return None if verdict is None else not verdict


# --- 2.3 and 2.4 scores


def borrowed(visit: dict, labs: list[dict], test: str, column: str) -> float | None:
    if visit[column] is not None:
        return visit[column]
    near = [
        lab
        for lab in labs
        if lab["test"] == test and abs((lab["sample_date"] - visit["visit_date"]).days) <= 14
    ]
    if not near:
        return None
    best = min(
        near, key=lambda lab: (abs((lab["sample_date"] - visit["visit_date"]).days), lab["sample_date"])
    )
    values = [lab["value"] for lab in near if lab["sample_date"] == best["sample_date"]]
    return sum(values) / len(values)


def score(visit: dict, labs: list[dict]) -> dict[str, float | None]:
    esr, crp = borrowed(visit, labs, "esr", "esr_mm_h"), borrowed(visit, labs, "crp", "crp_mg_l")
    tender, swollen = visit["tjc28"], visit["sjc28"]
    patient, physician = visit["patient_global_mm"], visit["physician_global_mm"]

    def all_known(*values: float | None) -> bool:
        return all(value is not None for value in values)

    found: dict[str, float | None] = dict.fromkeys(("das28_esr", "das28_crp", "cdai", "sdai"))
    found["esr"], found["crp"] = esr, crp
    if all_known(tender, swollen, patient):
        joints = 0.56 * math.sqrt(tender) + 0.28 * math.sqrt(swollen) + 0.014 * patient
        if esr is not None:
            found["das28_esr"] = joints + 0.70 * math.log(max(esr, 1))
        if crp is not None:
            found["das28_crp"] = joints + 0.36 * math.log(crp + 1) + 0.96
        if physician is not None:
            cdai = Fraction(tender) + swollen + Fraction(str(patient)) / 10 + Fraction(str(physician)) / 10
            found["cdai"] = float(cdai)
            if crp is not None:
                found["sdai"] = float(cdai + Fraction(str(crp)) / 10)
    return found


LOW_UP_TO = {"das28_esr": "3.2", "das28_crp": "3.2", "cdai": "10", "sdai": "11"}


def is_active(name: str, value: float) -> bool:
    return round4(value) > Decimal(LOW_UP_TO[name])


# --- 2.6 criteria


class Patient:
    def __init__(
        self,
        patient_id: str,
        extract: dict[str, list[dict]],
        policy: str,
        records_glucocorticoids: bool,
        definition: str = "eular_2021",
    ):
        def mine(table: str) -> list[dict]:
            return [row for row in extract[table] if row["patient_id"] == patient_id]

        self.contraindicated = mine("patients")[0]["csdmard_contraindicated"]
        self.visits = sorted(mine("visits"), key=lambda v: v["visit_date"])
        self.treatments, self.imaging = mine("treatments"), mine("imaging")
        self.scores = {v["visit_date"]: score(v, mine("labs")) for v in self.visits}
        self.courses = trace(self.treatments)
        self.optional = ["2c", "2d", "2e"] if definition == "eular_2021_routine" else ["2d"]
        self.counted, self.reasons_of_failure = {"failed_inefficacy"}, set(INEFFICACY)
        if definition != "eular_2021_strict":
            self.counted |= {"failed_intolerance", "presumed_failed"}
            self.reasons_of_failure |= INTOLERANCE
        for slow in ("dose_of", "bridge", "c2a"):
            setattr(self, slow, cache(getattr(self, slow)))
        self.policy, self.records_glucocorticoids = policy, records_glucocorticoids

    def failing(self, t: dt.date) -> tuple[list[dict], list[dict]]:
        failed, possible = [], []
        for course in self.courses:
            if not is_bts(course["molecule"]):
                continue
            found = outcome(course, self.courses, t)
            stopless = found == "ongoing" and course["stop"] is None
            if found in self.counted:
                failed.append(dict(course, outcome=found))
            elif found in ("unknown", "too_short", "presumed_failed") or (
                stopless and course["reason"] in self.reasons_of_failure
            ):
                possible.append(course)
        return failed, possible

    def c1m(self, t: dt.date) -> bool | None:
        failed, possible = self.failing(t)
        n = len({DRUGS[c["molecule"]][1] for c in failed})
        n_max = len({DRUGS[c["molecule"]][1] for c in failed + possible})
        return True if n >= 2 else None if n_max >= 2 else False

    def c1p(self, t: dt.date) -> bool | None:
        if self.contraindicated:
            return True
        there = [c for c in self.courses if c["start"] <= t]
        bts = [c["start"] for c in there if is_bts(c["molecule"])]
        cs = [c["start"] for c in there if DRUGS[c["molecule"]][0] == "csdmard"]
        return True if any(start <= min(bts) if bts else True for start in cs) else None

    def in_window(self, t: dt.date) -> list[dict]:
        return [v for v in self.visits if 0 <= (t - v["visit_date"]).days <= 365]

    def c2a(self, t: dt.date) -> bool | None:
        for visit in reversed(self.in_window(t)):
            v = visit["visit_date"]
            known = {n: x for n, x in self.scores[v].items() if n in LOW_UP_TO and x is not None}
            if known:
                if any(is_active(name, value) for name, value in known.items()):
                    return True
                masked = any(
                    is_bts(c["molecule"])
                    and DRUGS[c["molecule"]][2]
                    and outcome(c, self.courses, v) == "ongoing"
                    for c in self.courses
                )
                return None if masked and "cdai" not in known else False
        return None

    def c2b(self, t: dt.date) -> bool | None:
        signs = []
        for visit in reversed(self.in_window(t)):
            esr, crp = (self.scores[visit["visit_date"]][x] for x in ("esr", "crp"))
            if visit["sjc28"] is not None and (esr is not None or crp is not None):
                raised = (crp is not None and round4(crp) > 10) or (esr is not None and round4(esr) > 28)
                signs.append(visit["sjc28"] >= 1 and raised)
                break
        measures = ("power_doppler_grade", "osteitis", "synovitis")
        images = [
            i for i in self.imaging if i["measure"] in measures and 0 <= (t - i["imaging_date"]).days <= 365
        ]
        if images:
            last = max(i["imaging_date"] for i in images)
            signs.append(any(i["value"] >= 1 for i in images if i["imaging_date"] == last))
        return any(signs) if signs else None

    def dose_of(self, molecule: str, d: dt.date) -> tuple[bool, Fraction | None]:
        """Whether a row of the molecule covers the day, and the day's dose (None = unknown)."""
        rows = [
            r
            for r in self.treatments
            if r["drug"] == molecule
            and r["start_date"] <= d
            and (r["stop_date"] is None or d <= r["stop_date"])
        ]
        if any(r["daily_dose_mg"] is None for r in rows):
            return True, None
        return bool(rows), sum(
            (Fraction(str(r["daily_dose_mg"])) * FACTORS[molecule] for r in rows), Fraction(0)
        )

    def c2c(self, t: dt.date) -> bool | None:
        taken = {r["drug"] for r in self.treatments if r["drug"] in FACTORS}
        if not taken:
            return False if self.records_glucocorticoids else None
        days = []
        for back in range(91):
            d, known, all_known = t - back * DAY, Fraction(0), True
            for molecule in taken:
                for row in self.treatments:  # each row for itself: a known dose counts beside an unknown one
                    if row["drug"] == molecule and row["start_date"] <= d and (row["stop_date"] or d) >= d:
                        if row["daily_dose_mg"] is None:
                            all_known = False
                        else:
                            known += Fraction(str(row["daily_dose_mg"])) * FACTORS[molecule]
                bridge = self.bridge(molecule, d)
                if bridge == "unknown":
                    all_known = False
                elif bridge is not None:
                    known += bridge
            high = round4(known) >= Decimal("7.5")
            days.append(True if high else False if all_known else None)
        return and3(*days)

    def bridge(self, molecule: str, d: dt.date) -> Fraction | str | None:
        if self.dose_of(molecule, d)[0]:
            return None
        sides = []
        for step in (-1, 1):
            for n in range(1, 15):
                if self.dose_of(molecule, d + step * n * DAY)[0]:
                    sides.append((n, self.dose_of(molecule, d + step * n * DAY)[1]))
                    break
        if len(sides) < 2 or sides[0][0] + sides[1][0] - 1 > 14:
            return None
        doses = [dose for _, dose in sides]
        return "unknown" if None in doses else min(doses)

    def c2d(self, t: dt.date) -> bool | None:
        readings = [i for i in self.imaging if i["measure"] == "sharp_van_der_heijde"]
        rises = []
        for one in readings:
            for two in readings:
                apart = (two["imaging_date"] - one["imaging_date"]).days
                if 0 < apart <= 456 and 0 <= (t - two["imaging_date"]).days <= 365:
                    rise = Fraction(str(two["value"])) - Fraction(str(one["value"]))
                    rises.append(round4(rise * 365 / max(apart, 365)) >= 5)
        return any(rises) if rises else None

    def c2e(self, t: dt.date) -> bool | None:
        return and3(not3(self.c2a(t)), self.quality(t))

    def quality(self, t: dt.date) -> bool | None:
        limits = {"haq_di": 1, "pain_mm": 40, "fatigue_mm": 40}
        for visit in reversed(self.in_window(t)):
            known = [(visit[name], limit) for name, limit in limits.items() if visit[name] is not None]
            if known:
                return any(round4(float(value)) > limit for value, limit in known)
        return None

    def c3(self, t: dt.date) -> bool | None:
        for visit in reversed(self.in_window(t)):
            flags = [visit["problematic_to_patient"], visit["problematic_to_rheumatologist"]]
            if flags != [None, None]:
                return True in flags
        if self.policy == "global_above_50":
            for visit in reversed(self.in_window(t)):
                known = [
                    g for g in (visit["patient_global_mm"], visit["physician_global_mm"]) if g is not None
                ]
                if known:
                    return any(round4(float(g)) > 50 for g in known)
        return True if self.policy in ("assume_met", "ignore") else None

    def criteria(self, t: dt.date) -> dict[str, bool | None]:
        found = {
            name: getattr(self, f"c{name}")(t) for name in ("1m", "1p", "2a", "2b", "2c", "2d", "2e", "3")
        }
        found["1"] = and3(found["1m"], found["1p"])
        parts = [
            name
            for name in ("2a", "2b", "2c", "2d", "2e")
            if found[name] is not None or name not in self.optional
        ]
        found["2"] = or3(*(found[name] for name in parts)) if parts else None
        return found

    def verdict(self, t: dt.date) -> bool | None:
        found = self.criteria(t)
        return and3(found["1"], found["2"], found["3"])

    def label(self) -> dict:
        if not self.visits:
            return {
                "index_date": None,
                "status": "not_assessable",
                "first_met_date": None,
                "counts": (None,) * 3,
            }
        verdicts = {v["visit_date"]: self.verdict(v["visit_date"]) for v in self.visits}
        index = self.visits[-1]["visit_date"]
        failed, _ = self.failing(index)
        return {
            "index_date": index,
            "status": {True: "met", False: "not_met", None: "not_assessable"}[verdicts[index]],
            "first_met_date": min((d for d, met in verdicts.items() if met), default=None),
            "counts": (
                len({DRUGS[c["molecule"]][1] for c in failed}),
                len({c["molecule"] for c in failed}),
                sum(c["outcome"] == "presumed_failed" for c in failed),
            ),
        }
