"""The catalogue of data-quality checks: every family finds its planted fault and passes a clean extract."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from d2tra.config import PROJECT, setting
from d2tra.errors import StudyError
from d2tra.extract.catalogue import Check, Facts, filled_cells, load_catalogue, run_catalogue, same_patients
from d2tra.extract.catalogue.plan import KINDS
from d2tra.extract.quality import QUALITY
from d2tra.extract.schemas import COLUMNS, complete

CUT = dt.date(2020, 12, 31)
N = 65  # patients of the clean extract, two visits a year each
DAYS = [dt.date(year, month, 1) for year in (2017, 2018, 2019, 2020) for month in (1, 7)]
UNITS = {"esr": "mm/h", "crp": "mg/L", "rf": "IU/mL", "anti_ccp": "U/mL"}
FINDINGS = {"table": pl.String, "source": pl.String, "source_row": pl.Int64, "column": pl.String, "rule": pl.String, "severity": pl.String}  # fmt: skip
COUNTS = ("n_read", "n_valid", "n_quarantined", "n_duplicate", "n_orphaned")
CHECKS = {check.id: check for check in load_catalogue()}


def workday(day: dt.date) -> dt.date:
    return day + dt.timedelta(days=(0, 0, 0, 0, 0, 2, 1)[day.weekday()])


def varied(i: int, low: int, high: int) -> int:
    """A number that looks like chance, the same every time."""
    return low + (i * 7919 + i * i * 31) % (high - low + 1)


def clean() -> dict[str, pl.DataFrame]:
    """Returns an extract without a fault: every table, every column filled, nothing that repeats itself."""
    people: list[dict[str, Any]] = []
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in COLUMNS if table != "patients"}
    for i in range(N):
        name = {"patient_id": f"Q{i}"}
        born, seen = 1940 + varied(i, 0, 40), dt.date(2010, 1, 4) + dt.timedelta(days=37 * i)
        people.append(name | {"sequence": i + 1, "disease": "RA", "sex": ("female", "male")[varied(i, 0, 2) // 2],
            "birth_year": born, "ethnicity": ("white", "asian", "black")[i % 3], "imd_quintile": 1 + i % 5,
            "smoking_status": ("never", "former", "current")[i % 3], "symptom_onset_date": seen - dt.timedelta(days=200),
            "diagnosis_date": seen, "csdmard_contraindicated": i % 4 == 0, "last_contact_date": dt.date(2021, 2, 1) + dt.timedelta(days=i),
            "death_month": f"202{2 + i % 3}-01"})  # fmt: skip
        for k, day in enumerate(DAYS):
            j = 67 * k + i
            when = workday(day + dt.timedelta(days=27 * i // 10))
            rows["visits"].append(name | {"visit_date": when, "clinic": "AB"[i % 2]} | visit(j, i))
            for test, value in (
                ("esr", 12 + j % 40),
                ("crp", 3 + j % 37),
                ("rf", 20 + j % 90),
                ("anti_ccp", 9 + j % 80),
            ):
                rows["labs"].append(name | {"sample_date": when, "test": test, "value": str(value), "unit": UNITS[test], "upper_limit": 5.0 + j % 11})  # fmt: skip
            drug = ("methotrexate", "adalimumab", "prednisolone")[j % 3]
            rows["treatments"].append(name | {"drug": drug, "atc_code": "L04AX03", "start_date": when,
                "stop_date": workday(when + dt.timedelta(days=20)), "stop_reason": ("inefficacy", "adverse_event", "remission")[i % 3],
                "daily_dose_mg": 5.0 + j % 13, "adherence": ("adherent", "non_adherent")[i % 2]})  # fmt: skip
            rows["diagnoses"].append(name | {"recorded_date": when, "code_system": ("icd10", "snomed")[i % 2], "code": "M79.7", "term": "fibromyalgia"})  # fmt: skip
            rows["imaging"].append(name | {"imaging_date": when, "modality": ("xray", "mri")[i % 2], "measure": ("sharp_van_der_heijde", "osteitis")[i % 2], "value": 1.0 + j % 29, "joint": "wrist"})  # fmt: skip
            rows["biomarkers"].append(name | {"sample_date": when, "marker": "sicam1_cxcl13_ratio", "value": str(1 + j % 9), "unit": "ratio"})  # fmt: skip
    frames = {"patients": people, **rows}
    valid = {table: complete(pl.DataFrame(found), table) for table, found in frames.items()}
    kind = pl.when(drug="prednisolone").then(pl.lit("glucocorticoid")).otherwise(pl.lit("csdmard"))
    valid["treatments"] = valid["treatments"].with_columns(molecule="drug", kind=kind)
    return valid


def visit(j: int, i: int) -> dict[str, Any]:
    """Every column of a visit: j counts visits, i patients."""
    height = 155.0 + i % 29
    weight = height - 95 + j % 12
    own = {"weight_kg": weight, "height_cm": height, "bmi_kg_m2": round(weight / (height / 100) ** 2, 1), "tjc28": 1 + j % 19,
           "sjc28": 1 + j % 17, "tjc68": 20 + j % 29, "sjc66": 18 + j % 23, "haq_di": (1 + j % 22) / 8, "mdhaq_sum": 1 + j % 23,
           "esr_mm_h": 11.0 + j % 41, "crp_mg_l": 3.0 + j % 37, "recorded_das28": 2.0 + (j % 53) / 10, "recorded_das28_form": ("esr4", "crp4")[i % 2],
           "recorded_cdai": 4.0 + j % 43, "recorded_sdai": 5.0 + j % 47, "sf36_pcs": 21.0 + j % 37, "pasi": 1.0 + j % 31,
           "skin_bsa_percent": 1.0 + j % 59, "enthesitis_count": 1 + j % 11, "lei_count": 1 + j % 5, "tender_dactylitis": 1 + j % 13}  # fmt: skip
    marks = {f"{name}_mm": 11.0 + (j * step) % 71 for name, step in (("patient_global", 3), ("physician_global", 5), ("pain", 7), ("fatigue", 11))}  # fmt: skip
    items = {
        name: (j // 2) % 3 if COLUMNS["visits"][name].kind == "int" else (j + k) % 2 == 0
        for k, name in enumerate(c for c in COLUMNS["visits"] if c.startswith("haq_") and c != "haq_di")
    }
    flags = {"problematic_to_patient": j % 3 == 0, "problematic_to_rheumatologist": j % 4 == 0}
    return own | marks | items | flags


CLEAN = clean()


def facts(listed: list[tuple[str, str, str, int]] | None = None, aside: list[tuple[str, str, str]] | None = None, counts: dict[str, Any] | None = None, **changed: pl.DataFrame | None) -> Facts:  # fmt: skip
    """Returns the clean extract with tables changed (None: taken away), findings of quality.csv (table, column, check,
    n), set-aside cells (table, column, rule) and counts of the accounting."""
    valid = {table: rows for table, rows in {**CLEAN, **changed}.items() if rows is not None}
    quality = [(table, column, check, "note", n, "") for table, column, check, n in listed or []]
    quarantine = [(t, "extract.csv", 2 + n, c, rule, "cell") for n, (t, c, rule) in enumerate(aside or [])]
    accounting = [
        {
            "table": t,
            **dict.fromkeys(COUNTS, 0),
            "n_read": rows.height,
            "n_valid": rows.height,
            **(counts or {}),
        }
        for t, rows in valid.items()
    ]
    return Facts(
        valid, pl.DataFrame(quarantine, schema=FINDINGS, orient="row"), pl.DataFrame(accounting),
        pl.DataFrame(quality, schema=QUALITY, orient="row"), CUT, setting("quality")["checks"],
    )  # fmt: skip


def judged(given: Facts, *ids: str) -> dict[str, str]:
    checks = [CHECKS[name] for name in ids] if ids else list(CHECKS.values())
    return dict(run_catalogue(checks, given).select("check", "status").iter_rows())


@cache
def statuses_of_clean() -> dict[str, str]:
    return judged(facts())


def put(table: str, n: int | None = None, **columns: Any) -> dict[str, pl.DataFrame]:
    """Returns the clean table with expressions or values put into its first n rows (all)."""
    rows = CLEAN[table]
    first = pl.int_range(pl.len()) < (rows.height if n is None else n)
    return {table: rows.with_columns(pl.when(first).then(value).otherwise(name).cast(rows.schema[name]).alias(name) for name, value in columns.items())}  # fmt: skip


def test_the_canonical_schema_has_well_over_600_checks_each_with_its_own_id() -> None:
    assert len(CHECKS) >= 600
    assert len(load_catalogue()) == len(CHECKS)
    assert {check.family.category for check in CHECKS.values()} == {
        "conformance",
        "completeness",
        "plausibility",
    }


def test_a_clean_extract_passes_every_check_that_has_something_to_judge() -> None:
    found = statuses_of_clean()
    assert [check for check, status in found.items() if status in ("fail", "error")] == []
    assert Counter(found.values())["pass"] > 1000


def test_a_check_fails_above_its_threshold_and_passes_on_it() -> None:
    # sex: at most 20 % may be `unknown`; 13 of 65 are 20 %
    assert judged(facts(**put("patients", 13, sex=pl.lit("unknown"))), "unknown_words.patients.sex") == {"unknown_words.patients.sex": "pass"}  # fmt: skip
    assert judged(facts(**put("patients", 14, sex=pl.lit("unknown"))), "unknown_words.patients.sex") == {"unknown_words.patients.sex": "fail"}  # fmt: skip


def test_the_four_statuses_are_kept_apart() -> None:
    given = facts(
        imaging=None, visits=CLEAN["visits"].drop("pain_mm"), **put("patients", sex=pl.lit("unknown"))
    )
    found = run_catalogue([CHECKS[name] for name in (
        "unknown_words.patients.ethnicity", "unknown_words.patients.sex", "not_constant.imaging.value", "zeros.visits.pain_mm",
    )], given)  # fmt: skip
    assert found["status"].to_list() == ["pass", "fail", "not_applicable", "error"]
    assert found["note"].to_list()[2:3] == ["the extract has no such table"]
    assert "pain_mm" in found["note"].to_list()[3]
    assert found["share"].to_list() == [0.0, 100.0, None, None]


def test_a_check_without_anything_to_judge_neither_passes_nor_fails() -> None:
    empty = facts(**put("visits", pain_mm=None))
    mine = [name for name in CHECKS if name.endswith(".visits.pain_mm")]
    assert set(judged(empty, *mine).values()) == {"not_applicable"}


FEW = 30
IN_2020 = pl.col("visit_date").dt.year() == 2020
START = pl.col("start_date")
PLANTED: dict[str, Facts] = {
    "table_present.treatments": facts(treatments=None),
    "column_present.patients.sex": facts(**put("patients", sex=None)),
    **{
        f"{family}.{place}": facts(aside=[(*place.split("."), rule)] * FEW)  # type: ignore[list-item]
        for family, place, rule in (
            ("right_kind", "visits.tjc28", "not_a_whole_number"),
            ("readable_result", "labs.value", "no_result"),
            ("in_range", "visits.tjc28", "out_of_range"),
            ("result_in_range", "labs.value", "lab_out_of_range"),
            ("in_list", "treatments.stop_reason", "not_in_list"),
            ("in_pattern", "patients.patient_id", "broken_key"),
            ("required_filled", "visits.visit_date", "missing_key"),
            ("known_patient", "visits.patient_id", "unknown_patient"),
            ("unique_key", "visits.visit_date", "repeated_key"),
            ("by_the_cut", "visits.visit_date", "row_after_cut"),
            ("order_of_dates", "treatments.stop_date", "dates_out_of_order"),
            ("known_drug", "treatments.drug", "unknown_drug"),
            ("one_drug", "treatments.drug", "two_drugs"),
            ("known_unit", "labs.unit", "no_unit"),
        )
    },
    "rows_kept.visits": facts(counts={"n_quarantined": 20}),
    "orphaned_rows.labs": facts(counts={"n_orphaned": 20}),
    "no_repeated_rows.visits": facts(counts={"n_duplicate": 20}),
    **{
        f"{family}.{table}.{column}": facts(listed=[(table, column, check, 300)])
        for family, table, column, check in (
            ("recorded_score", "visits", "recorded_cdai", "recorded_cdai_differs"),
            ("possible_global", "visits", "recorded_das28", "recorded_das28_impossible_global"),
            ("filled", "visits", "pain_mm", "missing"),
            ("copied_global", "visits", "pain_mm", "global_equals_pain"),
            ("unit_of_global", "visits", "pain_mm", "global_looks_like_cm"),
            ("unit_of_crp", "visits", "crp_mg_l", "crp_looks_like_mg_dl"),
            ("carried_forward", "visits", "visit_date", "carried_forward"),
            ("drug_after_birth", "treatments", "start_date", "start_before_birth"),
            ("visit_before_death", "visits", "visit_date", "visit_after_death"),
            ("long_before_diagnosis", "treatments", "start_date", "start_long_before_diagnosis"),
            ("after_licence", "treatments", "start_date", "start_before_licence"),
            ("date_of_stop", "treatments", "stop_date", "stop_reason_without_stop_date"),
            ("form_of_recorded_das28", "visits", "recorded_das28_form", "recorded_das28_without_form"),
            ("esr_of_one", "labs", "value", "esr_below_1"),
            ("form_of_das", "visits", "recorded_das28", "recorded_das28_low"),
            ("coded_disease", "patients", "disease", "another_arthritis_coded"),
            ("seronegative_code", "diagnoses", "code", "seronegative_code"),
            ("one_bts_at_a_time", "treatments", "start_date", "overlapping_courses"),
        )
    },
    "criterion_3_recorded.visits": facts(
        listed=[("visits", "problematic_to_patient", "criterion_3_unrecorded", 400)]
    ),
    "bmi_as_computed.visits.bmi_kg_m2": facts(**put("visits", 20, bmi_kg_m2=pl.col("bmi_kg_m2") + 1.2)),
    "part_of.visits.tjc28": facts(**put("visits", 1, tjc28=pl.col("tjc68") + 1)),
    "reason_for_stop.treatments.stop_reason": facts(**put("treatments", 120, stop_reason=None)),
    "dose_of_glucocorticoid.treatments.daily_dose_mg": facts(**put("treatments", 150, daily_dose_mg=None)),
    "limit_of_serology.labs.upper_limit": facts(**put("labs", 800, upper_limit=None)),
    **{
        f"{family}.visits.pain_mm": facts(
            **put("visits", pain_mm=pl.when(which).then(None).otherwise("pain_mm"))
        )
        for family, which in (
            ("filled_each_year", pl.col("visit_date").dt.year() == 2019),
            (
                "filled_as_last_year",
                (pl.col("visit_date").dt.year() == 2019) & (pl.int_range(pl.len()) % 2 == 0),
            ),
            ("filled_in_each_clinic", pl.col("clinic") == "A"),
            ("filled_as_other_clinics", (pl.col("clinic") == "A") & (pl.int_range(pl.len()) % 12 < 9)),
            ("ever_filled", pl.col("patient_id").is_in([f"Q{i}" for i in range(14)])),
        )
    },
    "ever_tested.labs.value_rf": facts(
        labs=CLEAN["labs"].filter((pl.col("test") != "rf") | (pl.col("patient_id") > "Q3"))
    ),
    "ever_in.imaging": facts(imaging=CLEAN["imaging"].filter(pl.col("patient_id") > "Q2")),
    "plausible_low.visits.weight_kg": facts(**put("visits", 3, weight_kg=34.9)),
    "plausible_high.labs.value_crp": facts(**put("labs", 16, number=301.0)),
    "plausible_age.patients.birth_year": facts(**put("patients", 1, birth_year=1919)),
    "steps_of_haq.visits.haq_di": facts(**put("visits", 30, haq_di=1.3)),
    "rounded_to_ten.visits.pain_mm": facts(
        **put("visits", 400, pain_mm=(pl.col("pain_mm") / 10).round(0) * 10)
    ),
    "rounded_to_five.visits.weight_kg": facts(
        **put("visits", 400, weight_kg=(pl.col("weight_kg") / 5).round(0) * 5)
    ),
    "not_constant.patients.sex": facts(**put("patients", sex=pl.lit("female"))),
    "zeros.visits.sjc28": facts(**put("visits", 330, sjc28=0)),
    "at_the_limit.visits.tjc28": facts(**put("visits", 30, tjc28=28)),
    "outliers.visits.crp_mg_l": facts(**put("visits", 30, crp_mg_l=250.0)),
    "unknown_words.treatments.adherence": facts(**put("treatments", 120, adherence=pl.lit("unknown"))),
    "other_reason.treatments.stop_reason": facts(**put("treatments", 120, stop_reason=pl.lit("other"))),
    "censored.labs.value_crp": facts(**put("labs", 1100, is_censored=True)),
    "as_last_year.visits.weight_kg": facts(
        **put("visits", weight_kg=pl.when(IN_2020).then(pl.col("weight_kg") * 2.2).otherwise("weight_kg"))
    ),
    "as_other_clinics.visits.pain_mm": facts(
        **put("visits", pain_mm=pl.when(clinic="B").then(pl.col("pain_mm") + 67).otherwise("pain_mm"))
    ),
    "rows_each_month.visits": facts(
        visits=pl.concat([CLEAN["visits"]] * 2).filter(~pl.col("visit_date").dt.month().is_in([4, 10]))
    ),
    "weekend.visits.visit_date": facts(**put("visits", 30, visit_date=pl.lit(dt.date(2020, 3, 7)))),
    "first_of_month.visits.visit_date": facts(
        **put("visits", 120, visit_date=pl.col("visit_date").dt.truncate("1mo"))
    ),
    "middle_of_month.patients.diagnosis_date": facts(
        **put("patients", 20, diagnosis_date=pl.lit(dt.date(2015, 6, 15)))
    ),
    "first_of_january.patients.diagnosis_date": facts(
        **put("patients", 4, diagnosis_date=pl.lit(dt.date(2015, 1, 1)))
    ),
    "after_birth.patients.diagnosis_date": facts(
        **put("patients", 1, diagnosis_date=pl.lit(dt.date(1930, 1, 1)))
    ),
    "before_death.labs.sample_date": facts(**put("patients", 1, death_month=pl.lit("2019-01"))),
    "by_last_contact.visits.visit_date": facts(
        **put("patients", 1, last_contact_date=pl.lit(dt.date(2019, 1, 1)))
    ),
    "after_diagnosis.visits.visit_date": facts(
        **put("patients", 10, diagnosis_date=pl.lit(dt.date(2020, 1, 1)))
    ),
    "after_onset.visits.visit_date": facts(
        **put("patients", 10, symptom_onset_date=pl.lit(dt.date(2020, 1, 1)))
    ),
    "visits_with_labs.visits.visit_date": facts(
        **put("labs", sample_date=pl.col("sample_date").dt.offset_by("31d"))
    ),
    "labs_with_visit.labs.sample_date": facts(visits=CLEAN["visits"].head(150)),
    "treated_while_seen.treatments.start_date": facts(
        **put("treatments", start_date=START.dt.offset_by("-5y"))
    ),
    "visits_enough.visits": facts(
        visits=CLEAN["visits"].filter(
            (pl.col("patient_id") > "Q3") | (pl.col("visit_date") < dt.date(2017, 7, 1))
        )
    ),
    "rows_not_too_many.visits": facts(visits=pl.concat([CLEAN["visits"]] * 30)),
    "seen_regularly.visits.visit_date": facts(
        visits=CLEAN["visits"].filter(pl.col("visit_date").dt.year().is_in([2017, 2020]))
    ),
    "same_as_before.visits.pain_mm": facts(**put("visits", pain_mm=33.0)),
    "height_of_an_adult.visits.height_cm": facts(
        **put(
            "visits",
            height_cm=pl.col("height_cm") + 11 * (IN_2020 & pl.col("patient_id").is_in(["Q1", "Q2"])),
        )
    ),
    "weight_jumps.visits.weight_kg": facts(
        visits=CLEAN["visits"].with_columns(
            weight_kg=pl.when(pl.col("visit_date").dt.month() < 7)
            .then("weight_kg")
            .otherwise(pl.col("weight_kg") * 1.5),
            visit_date=pl.col("visit_date")
            - pl.when(pl.col("visit_date").dt.month() < 7)
            .then(pl.duration(days=0))
            .otherwise(pl.duration(days=60)),
        )
    ),
    "rows_each_year.visits": facts(
        visits=pl.concat(
            [
                CLEAN["visits"].filter(pl.col("visit_date").dt.year() != 2018),
                CLEAN["visits"].filter(pl.col("visit_date").dt.year() == 2018).head(20),
            ]
        )
    ),
    "visit_entered_twice.visits.visit_date": facts(
        visits=pl.concat(
            [
                CLEAN["visits"],
                CLEAN["visits"].head(5).with_columns(visit_date=pl.col("visit_date").dt.offset_by("7d")),
            ]
        )
    ),
    "same_patient.patients": facts(
        patients=pl.concat(
            [CLEAN["patients"], CLEAN["patients"].head(1).with_columns(patient_id=pl.lit("Z1"))]
        ),
        visits=pl.concat(
            [
                CLEAN["visits"],
                CLEAN["visits"].filter(patient_id="Q0").head(2).with_columns(patient_id=pl.lit("Z1")),
            ]
        ),
    ),
}


@pytest.mark.parametrize("check", PLANTED)
def test_a_planted_fault_is_found(check: str) -> None:
    assert judged(PLANTED[check], check) == {check: "fail"}
    assert statuses_of_clean()[check] == "pass"


def test_a_finding_of_quality_csv_is_not_counted_again() -> None:
    """esr_below_1 of labs: 104 of the 520 ESR results, whatever the values of the table say."""
    found = run_catalogue(
        [CHECKS["esr_of_one.labs.value"]], facts(listed=[("labs", "value", "esr_below_1", 104)])
    )
    assert found.select("n_rows", "n_failing", "share").rows() == [(520, 104, 20.0)]
    patients = facts(listed=[("diagnoses", "code", "seronegative_code", 13)])
    found = run_catalogue([CHECKS["seronegative_code.diagnoses.code"]], patients)
    assert found.select("n_rows", "counted", "share").rows() == [(N, "patients", 20.0)]


def test_every_kind_is_used_and_documented() -> None:
    said = (PROJECT / "docs" / "data-quality.md").read_text(encoding="utf-8")
    assert set(KINDS) == {check.family.kind for check in CHECKS.values()}
    assert [kind for kind in KINDS if f"`{kind}`" not in said] == []


def test_every_family_has_a_planted_fault() -> None:
    assert {check.family.name for check in CHECKS.values()} == {CHECKS[name].family.name for name in PLANTED}


def test_the_pairs_of_ids_of_one_person_are_listed_and_need_more_than_the_same_birthday() -> None:
    pairs = same_patients(list(CHECKS.values()), PLANTED["same_patient.patients"])
    assert pairs.select("patient_id", "other_patient_id", "n_same_drug_starts", "n_same_visit_dates").rows() == [("Q0", "Z1", 0, 2)]  # fmt: skip
    twin = pl.concat([CLEAN["patients"], CLEAN["patients"].head(1).with_columns(patient_id=pl.lit("Z1"))])
    assert same_patients(list(CHECKS.values()), facts(patients=twin)).is_empty()


def test_without_a_clinic_the_checks_of_clinics_are_not_applicable() -> None:
    of_clinics = [name for name, check in CHECKS.items() if check.family.subcategory == "per_clinic"]
    found = judged(facts(visits=CLEAN["visits"].drop("clinic")), *of_clinics)
    assert len(found) > 50
    assert set(found.values()) == {"not_applicable"}


def test_filled_cells_tell_of_each_year_and_clinic() -> None:
    found = filled_cells(facts(**put("visits", 7, pain_mm=None))).filter(table="visits", column="pain_mm")
    assert found.filter(by="year").select("group", "n", "n_filled").rows() == [("2017", 130, 128), ("2018", 130, 128), ("2019", 130, 128), ("2020", 130, 129)]  # fmt: skip
    assert found.filter(by="clinic")["group"].to_list() == ["A", "B"]


def test_rows_that_tell_of_no_clinic_are_counted_and_judged_with_none() -> None:
    some = facts(**put("visits", pain_mm=pl.when(clinic="B").then(None).otherwise("pain_mm"),
                       clinic=pl.when(clinic="A").then(pl.col("clinic"))))  # fmt: skip
    found = filled_cells(some).filter(table="visits", column="pain_mm", by="clinic")
    assert found.select("group", "n_filled").rows() == [("A", 264), ("no clinic", 0)]
    assert judged(some, "filled_in_each_clinic.visits.pain_mm") == {
        "filled_in_each_clinic.visits.pain_mm": "pass"
    }


def altered(folder: Path, monkeypatch: pytest.MonkeyPatch, **family: Any) -> list[Check]:
    """Returns the catalogue of one family, read from a config/ of its own."""
    stated = {"name": "odd", "category": "completeness", "subcategory": "overall", "says": "{column}", "kind": "censored",
              "threshold": 1, "severity": "note", "source": "choice", "columns": {"tables": ["visits"], "names": ["pain_mm"]}}  # fmt: skip
    (folder / "config").mkdir()
    text = {"catalogue": [{**stated, **family}]}
    (folder / "config" / "quality.yaml").write_text(json.dumps(text, default=str))
    monkeypatch.chdir(folder)
    return load_catalogue()


@pytest.mark.parametrize(
    ("family", "said"),
    [
        ({"kind": "censord"}, "no kind 'censord', did you mean 'censored'?"),
        ({"with": {"abov": 1}}, "unknown setting 'abov'"),
        ({"kind": "words"}, "the setting 'among' is missing"),
        (
            {"columns": None, "each": {"visits.pain_m": {}}},
            "table visits has no column 'pain_m', did you mean 'pain_mm'?",
        ),
        ({"columns": None, "each": {"visit.pain_mm": {}}}, "no table 'visit', did you mean 'visits'?"),
        ({"says": "{colum}"}, "`says` asks for 'colum'"),
        ({"thresholds": {"visits.pain": 2}}, "'visits.pain' is no place of this family"),
        ({"columns": {"names": ["pain"]}}, "no column is selected"),
        ({"treshold": 2}, "unknown key 'treshold', did you mean 'threshold'?"),
    ],
)
def test_a_slip_in_the_catalogue_is_said_with_what_was_probably_meant(
    family: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StudyError) as slip:
        altered(tmp_path, monkeypatch, **family)
    assert said in str(slip.value)
    assert "family odd" in str(slip.value)


def visits_of(**columns: list[Any]) -> Facts:
    """Returns the facts of visits of one patient, on days counted from 1 January 2019; other columns as given."""
    days = [dt.date(2019, 1, 1) + dt.timedelta(days=day) for day in columns.pop("day")]
    visits = pl.DataFrame({"patient_id": ["P"] * len(days), "visit_date": days, **columns}, strict=False)
    patients = pl.DataFrame({"patient_id": ["P"], "diagnosis_date": [dt.date(2020, 1, 1)], "death_month": ["2019-01"]})  # fmt: skip
    labs = pl.DataFrame({"patient_id": ["P"], "sample_date": [dt.date(2019, 1, 31)], "test": ["crp"], "value": ["5"], "unit": ["mg/L"]})  # fmt: skip
    valid = {"visits": complete(visits, "visits"), "patients": complete(patients, "patients"), "labs": complete(labs, "labs")}  # fmt: skip
    return Facts(valid, pl.DataFrame(schema=FINDINGS), pl.DataFrame(), pl.DataFrame(schema=QUALITY), CUT, setting("quality")["checks"])  # fmt: skip


FIVE = {name: [4, 4] for name in ("tjc28", "sjc28", "patient_global_mm", "physician_global_mm", "esr_mm_h")}
YEARS = [0] * 10 + [365] * 10


@pytest.mark.parametrize(
    ("kind", "column", "settings", "on_the_edge", "beyond"),
    [
        ("outside", "weight_kg", {"low": 35}, {"day": [0], "weight_kg": [35.0]}, {"day": [0], "weight_kg": [34.9]}),
        ("outside", "weight_kg", {"high": 180}, {"day": [0], "weight_kg": [180.0]}, {"day": [0], "weight_kg": [180.1]}),
        ("ranges_over", "height_cm", {"above": 10}, {"day": [0, 9], "height_cm": [150.0, 160.0]}, {"day": [0, 9], "height_cm": [150.0, 160.5]}),
        ("changes_over", "weight_kg", {"percent": 25, "days": 180}, {"day": [0, 180], "weight_kg": [60.0, 75.0]}, {"day": [0, 180], "weight_kg": [60.0, 75.1]}),
        ("changes_over", "weight_kg", {"percent": 25, "days": 180}, {"day": [0, 181], "weight_kg": [60.0, 90.0]}, {"day": [0, 180], "weight_kg": [60.0, 90.0]}),
        ("repeated_within", "visit_date", {"days": 7}, {"day": [0, 8], **FIVE}, {"day": [0, 7], **FIVE}),
        ("gaps_over", "visit_date", {"days": 730}, {"day": [0, 730]}, {"day": [0, 731]}),
        ("too_few_rows", "", {"at_least": 2}, {"day": [0, 9]}, {"day": [0]}),
        ("too_many_rows", "", {"per_year": 2}, {"day": [0, 9]}, {"day": [0, 9, 18]}),
        ("no_row_near", "visit_date", {"other": "labs", "days": 30}, {"day": [0, 60]}, {"day": [0, 61]}),
        ("before_date", "visit_date", {"other": "diagnosis_date", "years": 1}, {"day": [0]}, {"day": [-1]}),
        ("after_date", "visit_date", {"other": "death_month"}, {"day": [30]}, {"day": [31]}),
        ("empty_in", "pain_mm", {"by": "year", "above": 80, "rows_at_least": 10}, {"day": YEARS, "pain_mm": [1.0] * 12 + [None] * 8}, {"day": YEARS, "pain_mm": [1.0] * 11 + [None] * 9}),
        ("empty_shift", "pain_mm", {"by": "year", "above": 30, "rows_at_least": 10}, {"day": YEARS, "pain_mm": [1.0] * 9 + [None] * 5 + [1.0] * 6}, {"day": YEARS, "pain_mm": [1.0] * 9 + [None] * 6 + [1.0] * 5}),
        ("median_shift", "pain_mm", {"by": "year", "iqrs": 1, "values_at_least": 3}, {"day": [0, 1, 2, 365, 366, 367], "pain_mm": [1, 2, 3, 2, 3, 4]}, {"day": [0, 1, 2, 365, 366, 367], "pain_mm": [1, 2, 3, 2.1, 3.1, 4.1]}),
        ("rows_shift", "", {"times": 2.5, "rows_at_least": 5}, {"day": [0, *[365, 367], *[731] * 5, 1100]}, {"day": [0, *[365, 367], *[731] * 6, 1100]}),
        ("off_steps", "haq_di", {"step": 0.125}, {"day": [0], "haq_di": [1.375]}, {"day": [0], "haq_di": [1.37]}),
        ("bmi_differs", "bmi_kg_m2", {"above": 1}, {"day": [0], "weight_kg": [100.0], "height_cm": [200.0], "bmi_kg_m2": [26.0]}, {"day": [0], "weight_kg": [100.0], "height_cm": [200.0], "bmi_kg_m2": [26.1]}),
    ],
)  # fmt: skip
def test_what_lies_on_an_edge_is_still_plausible(
    kind: str, column: str, settings: dict[str, Any], on_the_edge: dict[str, Any], beyond: dict[str, Any]
) -> None:
    assert KINDS[kind](visits_of(**on_the_edge), "visits", column, **settings).n_failing == 0
    assert KINDS[kind](visits_of(**beyond), "visits", column, **settings).n_failing > 0
