"""Random patients whose values sit on the edges of eular_2021: an extract as a dict of lists of rows."""

from __future__ import annotations

import datetime as dt
import random

from reference_label_courses import DAY, DRUGS, is_bts


def random_extract(seed: int, n_patients: int) -> dict[str, list[dict]]:
    draw = random.Random(seed)
    start, quiet = dt.date(2020, 1, 1), False

    def some(values: list, known: float = 0.8) -> object:
        return values[0] if quiet else draw.choice(values) if draw.random() < known else None

    extract: dict[str, list[dict]] = {t: [] for t in ("patients", "visits", "labs", "treatments", "imaging")}
    for number in range(n_patients):
        patient = f"P{number:04d}"
        quiet = draw.random() < 0.15  # a patient who is well, with everything known
        sparse = draw.choice([0.35, 0.7, 0.95, 1])
        extract["patients"].append(
            {"patient_id": patient, "disease": "RA", "csdmard_contraindicated": some([True, False], 0.3)}
        )
        days = [0]
        for _ in range(draw.choice([0, 1, 2, 4, 6])):
            days.append(days[-1] + draw.choice([30, 91, 180, 364, 365, 366]))
        visit_days = [] if draw.random() < 0.03 else days
        for day in visit_days:
            extract["visits"].append(
                {
                    "patient_id": patient,
                    "visit_date": start + day * DAY,
                    "tjc28": some([0, 1, 2, 3, 8], sparse),
                    "sjc28": some([0, 1, 2, 6], sparse),
                    "patient_global_mm": some([10.0, 30.0, 50.0, 50.1, 70.0], sparse),
                    "physician_global_mm": some([10.0, 20.0, 50.0, 50.1], sparse),
                    "pain_mm": some([10.0, 40.0, 40.00004, 40.1], sparse / 2),
                    "fatigue_mm": some([10.0, 40.0, 60.0], sparse / 2),
                    "haq_di": some([0.5, 1.0, 1.125], sparse / 2),
                    "esr_mm_h": some([0.0, 5.0, 28.0, 28.1, 44.0], sparse),
                    "crp_mg_l": some([1.0, 10.0, 10.1, 25.0], sparse),
                    "problematic_to_patient": some([True, False], sparse / 2),
                    "problematic_to_rheumatologist": some([True, True, False], sparse / 2),
                }
            )
            for test in ("esr", "crp"):
                for _ in range(draw.choice([0, 0, 1, 2])):
                    extract["labs"].append(
                        {
                            "patient_id": patient,
                            "sample_date": start + (day + draw.choice([-15, -14, -3, 0, 3, 14, 15])) * DAY,
                            "test": test,
                            "value": draw.choice([4.0, 10.0, 12.0, 28.0, 30.0]),
                        }
                    )
        for measure, values in (
            ("power_doppler_grade", [0, 0, 1, 2]),
            ("osteitis", [0, 1]),
            ("synovitis", [0, 1]),
            ("sharp_van_der_heijde", [10.0, 14.0, 15.0, 15.1, 16.2]),
        ):
            for _ in range(draw.choice([0, 0, 1, 4])):
                extract["imaging"].append(
                    {
                        "patient_id": patient,
                        "imaging_date": start
                        + (draw.choice(days[-2:]) + draw.choice([-456, -365, -1, 0, 0, 91])) * DAY,
                        "modality": {"p": "ultrasound", "o": "mri", "s": "mri"}[measure[0]]
                        if measure != "sharp_van_der_heijde"
                        else "xray",
                        "measure": measure,
                        "value": draw.choice(values),
                    }
                )
        extract["treatments"] += _random_drugs(draw, patient, start, days)
    for rows in extract.values():
        draw.shuffle(rows)
    for table in extract:
        extract[table] = [dict(row, source_row=n + 2) for n, row in enumerate(extract[table])]
    seen = set()
    extract["labs"] = [  # exact duplicates are merged before anything else
        lab
        for lab in extract["labs"]
        if (key := (lab["patient_id"], lab["sample_date"], lab["test"], lab["value"])) not in seen
        and not seen.add(key)
    ]
    return extract


def _random_drugs(draw: random.Random, patient: str, start: dt.date, days: list[int]) -> list[dict]:
    reasons = [
        None,
        "unknown",
        "primary_inefficacy",
        "secondary_inefficacy",
        "inefficacy",
        "adverse_event",
        "intolerance",
    ]
    rows = []

    def add(drug: str, first: int, last: int | None, reason: str | None, dose: float | None = None) -> None:
        rows.append(
            {
                "patient_id": patient,
                "drug": drug,
                "start_date": start + first * DAY,
                "stop_date": None if last is None else start + last * DAY,
                "stop_reason": reason,
                "daily_dose_mg": dose,
            }
        )

    for drug in ("methotrexate", "sulfasalazine"):
        if draw.random() < 0.6:
            add(
                drug,
                draw.choice([-900, -800, -400]),
                draw.choice([None, -300, 10]),
                draw.choice([None, "inefficacy"]),
            )
    day = draw.choice([-800, -400])
    for _ in range(draw.choice([0, 1, 2, 3, 4])):
        drug = draw.choice([name for name in DRUGS if is_bts(name)])
        length = draw.choice([60, 83, 84, 183, 184, 300, 365])
        stop = None if draw.random() < 0.15 else day + length
        reason = (
            draw.choice([*reasons, "remission", "other"]) if stop is not None or draw.random() < 0.3 else None
        )
        add(drug, day, stop, reason)
        day += length + draw.choice([-31, -30, -10, 0, 1, 60, 90, 91, 180, 181])
    if draw.random() < 0.6:
        first = draw.choice([-100, days[-1] - 120, days[-1] - 91, days[-1] - 90, days[-1] - 89])
        for _ in range(draw.choice([1, 2, 5, 8])):
            last = draw.choice([None, first + 27, first + 27, first + 60])
            drug = draw.choice(["prednisolone"] * 4 + ["deflazacort", "methylprednisolone"])
            add(drug, first, last, None, draw.choice([None, 6.0, 7.49994, 7.49995, 7.5, 9.0, 10.0, 10.0]))
            first = (last if last is not None else first) + draw.choice([-20, 1, 2, 14, 15, 15, 16])
    return rows
