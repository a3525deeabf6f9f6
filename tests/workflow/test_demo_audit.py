"""The demo extract through the real pipeline: the audit comes out by computation, every fault ends as promised."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from d2tra.cohort import select_cohort
from d2tra.config import PROJECT, load_study
from d2tra.definitions import audit_counts, label_patients
from d2tra.extract.mapping import harmonise
from d2tra.extract.quality import check_quality
from d2tra.extract.screen import screen_extract
from d2tra.extract.site import load_site
from d2tra.extract.validate import Validated, validate_extract
from d2tra.models import fit_logistic
from d2tra.reproduction import load_published, reproduce
from d2tra.risk_factors import assemble_analysis_set
from d2tra.scores import score_visits
from d2tra.treatment import recognise_drugs, trace_courses
from d2tra.treatment.courses import overlapping_courses, stop_reasons_without_stop

DEMO = PROJECT / "data" / "demo"
TRUTH = json.loads((DEMO / "truth.json").read_text())
FACTORS = list(TRUTH["generating_model"]["odds_ratios"])


class Run(NamedTuple):
    """What the pipeline makes of one folder of raw files."""

    validated: Validated
    courses: pl.DataFrame
    scores: pl.DataFrame
    labels: pl.DataFrame
    evidence: pl.DataFrame
    analysis_sets: dict[str, pl.DataFrame]

    def audit(self) -> pl.DataFrame:
        return self.analysis_sets["audit"]

    def twelve(self) -> pl.DataFrame:
        return self.audit().filter(pl.col("eular_2021") == "met")


def run(folder: Path) -> Run:
    site = load_site("demo").model_copy(update={"source": str(folder)})
    study = load_study("audit_demo")
    validated = validate_extract(harmonise(site), site, recognise_drugs)
    valid = validated.tables
    courses = trace_courses(valid["treatments"], study.data_cut_date)
    scores = score_visits(valid["visits"], valid["labs"], valid["patients"])
    labels, evidence = label_patients(valid, courses, scores, study.definitions, study, True)
    counts = audit_counts(valid, courses, scores, study)
    at_site = [frame.with_columns(site=pl.lit("demo")) for frame in (valid["patients"], courses, labels)]
    tables = {**valid, "courses": courses, "scores": scores, "labels": labels, "audit_counts": counts}
    analysis_sets = {}
    for cohort in study.cohorts:
        members, _ = select_cohort(cohort, *at_site)
        analysis_sets[cohort.name] = assemble_analysis_set(members, [("demo", tables)], study)
    return Run(validated, courses, scores, labels, evidence, analysis_sets)


@pytest.fixture(scope="module")
def demo() -> Run:
    return run(DEMO)


def n_where(frame: pl.DataFrame, **wanted: Any) -> int:
    return frame.filter(*(pl.col(name) == value for name, value in wanted.items())).height


def test_all_722_patients_stay_valid_and_all_have_ra(demo: Run) -> None:
    patients = demo.validated.tables["patients"]
    assert sorted(patients["sequence"]) == list(range(1, 723))
    assert set(patients["disease"]) == {"RA"}


def test_every_row_is_accounted_for_and_few_are_set_aside(demo: Run) -> None:
    counts = demo.validated.accounting
    accounted = pl.col("n_valid") + pl.col("n_quarantined") + pl.col("n_duplicate")
    assert counts.filter(pl.col("n_read") != accounted).is_empty()
    assert counts.filter(pl.col("n_quarantined") - pl.col("n_orphaned") > 0.05 * pl.col("n_read")).is_empty()


def test_the_quarantine_holds_the_planted_faults_and_nothing_else(demo: Run) -> None:
    found: dict[tuple[str, int], set[str]] = {}
    for source, row, rule, severity in demo.validated.quarantine.select(
        "source", "source_row", "rule", "severity"
    ).iter_rows():
        found.setdefault((source, row), set()).add("orphan" if rule == "orphan" else severity)
    promised = {
        (f"{f['file']} [{f['sheet']}]" if f["sheet"] else f["file"], f["row"]): {f["becomes"]}
        for f in TRUTH["faults"]
        if f["becomes"] not in ("duplicate", "finding")
    }
    assert found == promised


def test_no_identifier_is_found_in_the_raw_files() -> None:
    screening = screen_extract(load_site("demo"))
    assert (screening.hits, screening.warnings) == ((), ())


def test_each_implausible_but_possible_plant_is_listed_for_a_person_to_look_at(demo: Run) -> None:
    valid = demo.validated.tables
    overlaps = overlapping_courses(demo.courses)
    unstopped = stop_reasons_without_stop(valid["treatments"])
    quality = check_quality(valid, demo.scores, load_site("demo"), overlaps, unstopped, score_visits)
    planted = {
        "carried_forward": 3,  # visits
        "start_long_before_diagnosis": 1,
        "start_before_licence": 1,
        "overlapping_courses": 1,
        "stop_reason_without_stop_date": 1,
    }
    found = dict(quality.filter(pl.col("check").is_in(list(planted))).select("check", "n").iter_rows())
    assert found == planted
    assert len(planted) == sum(f["becomes"] == "finding" for f in TRUTH["faults"])


def test_every_planted_duplicate_is_merged(demo: Run) -> None:
    assert demo.validated.accounting["n_duplicate"].sum() == sum(
        f["becomes"] == "duplicate" for f in TRUTH["faults"]
    )


@pytest.mark.parametrize("cohort", ["audit", "extension", "full"])
def test_the_labels_of_each_cohort_are_those_built(demo: Run, cohort: str) -> None:
    frame, expected = demo.analysis_sets[cohort], TRUTH["cohorts"][cohort]
    found = {status: n_where(frame, eular_2021=status) for status in ("met", "not_met", "not_assessable")}
    assert {"n": frame.height, **found} == expected


@pytest.mark.parametrize("status", ["met", "not_assessable"])
def test_the_label_of_every_single_patient_is_the_one_built(demo: Run, status: str) -> None:
    full = demo.analysis_sets["full"].filter(pl.col("eular_2021") == status)
    assert sorted(full["sequence"]) == TRUTH["sequences"][status]


def test_twelve_of_the_95_meet_the_definition_and_the_audits_own_reading_agrees(demo: Run) -> None:
    assert (demo.audit().height, demo.twelve().height) == (95, 12)
    by_audit = demo.audit().filter(pl.col("audit_95") == "met")
    assert sorted(by_audit["patient_id"]) == sorted(demo.twelve()["patient_id"])


def test_some_of_the_other_83_are_not_assessable(demo: Run) -> None:
    assert n_where(demo.audit(), eular_2021="not_assessable") == 4


def test_nine_of_the_twelve_are_positive_for_both_antibodies(demo: Run) -> None:
    assert n_where(demo.twelve(), seropositive_both=True) == 9


def test_eight_of_the_twelve_are_obese(demo: Run) -> None:
    assert n_where(demo.twelve(), obese=True) == 8


def test_five_of_the_twelve_have_fibromyalgia_and_osteoarthritis(demo: Run) -> None:
    assert n_where(demo.twelve(), fibromyalgia=True, osteoarthritis=True) == 5


def test_the_drugs_tried_by_severity_are_those_of_the_audit(demo: Run) -> None:
    tried = demo.twelve().group_by("severity", "n_bts_tried").len().sort("severity", "n_bts_tried").rows()
    assert tried == [
        ("high", 3, 2), ("high", 4, 1), ("moderate", 3, 4), ("moderate", 4, 4), ("moderate", 5, 1)
    ]  # fmt: skip


def test_all_twelve_had_two_csdmards_with_methotrexate_before_the_first_biologic(demo: Run) -> None:
    prepared = demo.twelve().filter(pl.col("n_csdmards_before_bts") >= 2, pl.col("methotrexate_before_bts"))
    assert prepared.height == 12


def test_each_of_the_twelve_has_one_ongoing_drug_among_those_tried(demo: Run) -> None:
    ongoing = demo.courses.filter(
        pl.col("kind").is_in(["bdmard", "tsdmard"]),
        pl.col("outcome") == "ongoing",
        pl.col("patient_id").is_in(demo.twelve()["patient_id"].implode()),
    )
    assert sorted(ongoing["patient_id"]) == sorted(demo.twelve()["patient_id"])


def test_the_bands_of_all_scores_agree_in_the_twelve(demo: Run) -> None:
    last = demo.twelve().join(
        demo.scores, left_on=["patient_id", "index_date"], right_on=["patient_id", "visit_date"]
    )
    bands = last.select("severity", "das28_esr_band", "das28_crp_band", "cdai_band", "sdai_band")
    assert bands.filter(pl.any_horizontal(pl.all() != pl.col("severity"))).is_empty()
    assert last.height == 12


def test_criterion_3_is_recorded_for_the_twelve(demo: Run) -> None:
    third = demo.evidence.filter(
        pl.col("definition") == "eular_2021",
        pl.col("criterion") == "3",
        pl.col("patient_id").is_in(demo.twelve()["patient_id"].implode()),
    )
    assert third["met"].to_list() == [True] * 12


def test_some_labels_hang_on_a_presumed_failure(demo: Run) -> None:
    assert n_where(demo.twelve(), eular_2021_hangs_on_presumed=True) == 1
    assert n_where(demo.analysis_sets["extension"], eular_2021_hangs_on_presumed=True) >= 1


def test_every_printed_statement_of_the_audit_is_reproduced(demo: Run) -> None:
    published = load_published(PROJECT / str(load_study("audit_demo").published))
    statements = reproduce(demo.audit(), published, "audit")
    assert statements.height == 12
    assert statements.filter(~pl.col("agrees")).is_empty()


@pytest.mark.parametrize("factor", FACTORS)
def test_a_factor_is_derived_as_built_or_not_known(demo: Run, factor: str) -> None:
    full = demo.analysis_sets["full"]
    built = pl.col("sequence").is_in(TRUTH["sequences"][factor])
    assert full.filter(pl.col(factor) != built).is_empty()
    assert full[factor].null_count() < 0.1 * 722


def test_some_serology_and_weights_are_missing(demo: Run) -> None:
    full = demo.analysis_sets["full"]
    assert all(full[name].null_count() > 0 for name in ("seropositive_both", "obese"))


def test_the_odds_ratios_of_the_627_lie_within_sampling_error_of_the_true_ones(demo: Run) -> None:
    rest = demo.analysis_sets["extension"].filter(pl.col("eular_2021") != "not_assessable")
    data = rest.select(*FACTORS, met=pl.col("eular_2021") == "met").drop_nulls()
    fitted = fit_logistic(data, "met", FACTORS, method="logit").filter(pl.col("term").is_in(FACTORS))
    intervals = fitted.drop_nulls("ci_low").select("term", "ci_low", "ci_high").rows()
    assert [term for term, *_ in intervals] == FACTORS
    for term, low, high in intervals:
        assert low < TRUTH["generating_model"]["odds_ratios"][term] < high


def _changed(folder: Path, file: str, alter: Callable[[list[str]], list[str]]) -> Run:
    shutil.copytree(DEMO, folder / "demo")
    path = folder / "demo" / file
    path.write_text("\n".join(alter(path.read_text().split("\n"))))
    return run(folder / "demo")


def test_one_changed_visit_takes_one_patient_out_of_the_twelve(demo: Run, tmp_path: Path) -> None:
    """No number of the audit is stored: the last visit of one of the twelve becomes one in remission."""
    patient, index = demo.twelve().select("patient_id", "index_date").row(0)
    begins = f"SYNTHETIC,{patient},{index:%d/%m/%Y},"

    def calm(lines: list[str]) -> list[str]:
        assert sum(line.startswith(begins) for line in lines) == 1
        return [f"{begins}0,0,5,5,5,5,0.0,,,,,N,N" if line.startswith(begins) else line for line in lines]

    changed = _changed(tmp_path, "synthetic_clinic_2020_2023.csv", calm)
    assert changed.twelve().height == 11
    assert patient not in changed.twelve()["patient_id"].to_list()


def test_one_deleted_code_changes_the_count_of_comorbidity(demo: Run, tmp_path: Path) -> None:
    both = demo.twelve().filter(pl.col("fibromyalgia"), pl.col("osteoarthritis"))["patient_id"][0]

    def delete(lines: list[str]) -> list[str]:
        return [line for line in lines if not (f",{both}," in line and "Fibromyalgia" in line)]

    changed = _changed(tmp_path, "synthetic_diagnoses.csv", delete)
    assert n_where(changed.twelve(), fibromyalgia=True, osteoarthritis=True) == 4
