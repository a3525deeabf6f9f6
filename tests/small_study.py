"""A small study for tests of the whole workflow: 40 invented patients in canonical tables, the same on every call.

By number modulo 4: 0 meets the definition, 1 is well on the first biologic, 2 has failed one drug, 3 is as 0 but nobody
recorded criterion 3 (not assessable). Patient ON_THE_EDGE is active only by the swollen joints of the last visit.
Planted: a PsA patient, a patient under age, one without a biologic, a repeated row, a broken cell, a visit without a
date, a diagnosis of a patient who is nowhere.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from d2tra import io
from watched_writes import can_watch, watched

ROOT = Path(__file__).parents[1]
N_PATIENTS = 40
ID_PREFIX = "SMALLPT"  # nothing that leaves the department may hold it
ON_THE_EDGE = 16
COHORTS = ("audit", "extension", "full")
PROFILE_PLACES = {"local_audit": "internal/local_audit", "opensafely": "release/opensafely"}
DEFINITIONS = ("eular_2021", "eular_2021_strict", "audit_95")
FIRST_VISIT, DAYS_BETWEEN = dt.date(2022, 9, 1), 160  # three visits; patient n a day after patient n - 1
STUDY = """\
title: A small study for tests
sites: [small_site.yaml]
data_cut_date: 2023-12-31
cohorts:
  - {name: audit,     disease: RA, sequence: [1, 20]}
  - {name: extension, disease: RA, sequence: [21, 40]}
  - {name: full,      disease: RA}
definitions: [eular_2021, eular_2021_strict, config/definitions/audit_95.yaml]   # by name and by path
models: [config/models/small_model.yaml, small_risks]
figures: [patient_flow, prevalence, criteria_overlap, odds_ratios, calibration, decision_curve, comparability, specification_curve]
published: published.yaml
release: [local_audit, opensafely]
baseline: index
validation: {resamples: 20}
sensitivity: {model: small_risks, definitions: [audit_95], failure_rules: [recorded_failures], baselines: [first_bts]}
seed: 7
"""
MODEL = """\
kind: univariable
outcomes: all
method: auto
missing: complete_case
factors:
  - {name: fibromyalgia}
  - {name: obese}
  - {name: smoking_status, reference: never}
"""
RISKS = """\
kind: multivariable
method: firth
above_budget: report_as_exploratory
factors:
  - {name: fibromyalgia, expected_odds_ratio: {value: 3.91, source: Luciano 2025}}
  - {name: obese}
"""
OTHER_WORLD = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1"}
SITE = "format: canonical\nsource: extract\n"
Rows = list[dict[str, object]]


def write_small_study(folder: Path) -> Path:
    """Writes extract/, published.yaml, config/{definitions,models}/, small_site.yaml and small.yaml; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in extract().items():
        write_table(folder / "extract" / f"{table}.csv", rows)
    (folder / "small_site.yaml").write_text(SITE, encoding="utf-8")
    (folder / "small.yaml").write_text(STUDY, encoding="utf-8")
    (folder / "config" / "models").mkdir(parents=True, exist_ok=True)
    (folder / "config" / "models" / "small_model.yaml").write_text(MODEL, encoding="utf-8")
    (folder / "config" / "models" / "small_risks.yaml").write_text(RISKS, encoding="utf-8")
    shutil.copy(ROOT / "config" / "published" / "audit_2024.yaml", folder / "published.yaml")
    shutil.copytree(ROOT / "config" / "definitions", folder / "config" / "definitions", dirs_exist_ok=True)
    return folder


def extract() -> dict[str, Rows]:
    """Returns the rows of each canonical table."""
    numbers = range(1, N_PATIENTS + 1)
    tables: dict[str, Rows] = {
        "patients": [_patient(number) for number in numbers],
        "visits": [visit for number in numbers for visit in _visits(number)],
        "treatments": [course for number in numbers for course in _courses(number)],
        "labs": [result for number in numbers for result in _labs(number)],
        "diagnoses": [diagnosis for number in numbers for diagnosis in _diagnoses(number)],
    }
    tables["visits"] += [tables["visits"][0], {**tables["visits"][1], "visit_date": ""}]
    tables["visits"][4] = {**tables["visits"][4], "tjc28": 99}
    tables["diagnoses"].append({**tables["diagnoses"][0], "patient_id": f"{ID_PREFIX}99"})
    return tables


def read_table(path: Path) -> Rows:
    """Returns the rows of one csv, every cell as text."""
    with path.open(newline="", encoding="utf-8") as handle:
        return [dict(row) for row in csv.DictReader(handle)]


def write_table(path: Path, rows: Rows) -> None:
    """Writes rows as csv; the columns are those of the first row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def patient_id(number: int) -> str:
    return f"{ID_PREFIX}{number:02}"


def visit_date(number: int, order: int) -> dt.date:
    """Returns the day of a patient's visit; `order` 0, 1, 2."""
    return FIRST_VISIT + dt.timedelta(number + order * DAYS_BETWEEN)


def _patient(number: int) -> dict[str, object]:
    return {
        "patient_id": patient_id(number),
        "sequence": number,
        "disease": "PsA" if number == 10 else "RA",
        "sex": "male" if number % 3 == 0 else "female",
        "birth_year": 2010 if number == 18 else 1940 + number,
        "smoking_status": ("never", "former", "current", "")[number // 2 % 4],
        "diagnosis_date": "2012-03-01",
    }


def _visits(number: int) -> Rows:
    """Three visits; the last one decides: active in 0, 2 and 3 modulo 4 (in 3 and 4 modulo 8 moderately), else well."""
    is_active, is_moderate = number % 4 != 1, number % 8 in (3, 4)
    visits: Rows = []
    for order in range(3):
        active = is_active or order == 0
        problem = "" if number % 4 == 3 else str(active).lower()
        visits.append(
            {
                "patient_id": patient_id(number),
                "visit_date": visit_date(number, order).isoformat(),
                "tjc28": (2 if is_moderate else 6 + number % 5) + order if active else 0,
                "sjc28": (1 if is_moderate else 4 + number % 4) + order if active else 0,
                "patient_global_mm": (30 if is_moderate else 55) + number % 20 if active else 5,
                "physician_global_mm": 45 + number % 10 if active else 4,
                "pain_mm": 50 + number % 25 if active else 6,
                "fatigue_mm": 45 + number % 30 if active else 10,
                "haq_di": 1.25 if active else 0.125,
                "esr_mm_h": (15 if is_moderate else 30) + number % 15 if active else 6,
                "crp_mg_l": "" if order == 1 else (14 + number % 9 if active else 2),
                "weight_kg": 60 + 2 * number % 50,
                "height_cm": 160 + number % 12,
                "problematic_to_patient": problem,
                "problematic_to_rheumatologist": problem,
            }
        )
    if (
        number == ON_THE_EDGE
    ):  # DAS28-ESR 3.28, above 3.2; without the swollen joints 2.72; nothing else is active
        visits[-1] |= {"tjc28": 1, "sjc28": 4, "patient_global_mm": 30, "physician_global_mm": 20}
        visits[-1] |= {"esr_mm_h": 12, "crp_mg_l": 3, "haq_di": 0.5, "pain_mm": 20, "fatigue_mm": 20}
    return visits


def _courses(number: int) -> Rows:
    """Methotrexate, then as many biologics as the patient's kind has had."""

    def course(drug: str, start: str, stop: str = "", reason: str = "") -> dict[str, object]:
        return {
            "patient_id": patient_id(number),
            "drug": drug,
            "start_date": start,
            "stop_date": stop,
            "stop_reason": reason,
        }

    courses = [
        course("methotrexate", "2012-04-01", "2014-04-01", "inefficacy"),
        course("sulfasalazine", "2014-04-02", "2015-01-10", "inefficacy"),
    ]
    if number == 14:
        return courses
    if number % 4 == 1:
        return [*courses, course("adalimumab", "2015-02-01")]
    courses.append(course("adalimumab", "2015-02-01", "2017-02-01", "secondary_inefficacy"))
    if number % 4 == 2:
        return [*courses, course("rituximab", "2017-03-01")]
    reason = "adverse_event" if number % 8 == 0 else "inefficacy"
    return [
        *courses,
        course("rituximab", "2017-03-01", "2019-03-01", reason),
        course("abatacept", "2019-04-01"),
    ]


def _labs(number: int) -> Rows:
    def result(test: str, date: str, value: str, unit: str, limit: str) -> dict[str, object]:
        return {
            "patient_id": patient_id(number),
            "sample_date": date,
            "test": test,
            "value": value,
            "unit": unit,
            "upper_limit": limit,
        }

    serology = [
        result("rf", "2012-03-02", "positive" if number % 3 else "negative", "", ""),
        result("anti_ccp", "2012-03-02", "120" if number % 2 else "<3", "U/mL", "7"),
    ]
    return [
        *(serology if number % 7 else []),
        result("crp", str(visit_date(number, 1) - dt.timedelta(2)), f"{10 + number}", "mg/L", "5"),
    ]


def _diagnoses(number: int) -> Rows:
    def diagnosis(code: str, term: str) -> dict[str, object]:
        return {
            "patient_id": patient_id(number),
            "recorded_date": "2016-01-05",
            "code_system": "icd10",
            "code": code,
            "term": term,
        }

    fibromyalgia = [diagnosis("M79.7", "Fibromyalgia")] if number % 3 == 0 else []
    return [
        *fibromyalgia,
        *([diagnosis("M15.0", "Primary generalised osteoarthritis")] if number % 5 < 2 else []),
    ]


class Run(NamedTuple):
    """One call of Snakemake: where it worked, how it ended, and what stood on screen."""

    folder: Path
    returncode: int
    screen: str

    @property
    def project(self) -> Path:
        """The copy of the project that built it, so that nothing done to the project meanwhile is felt."""
        return self.folder.with_name(f"{self.folder.name}_project")

    @property
    def results(self) -> Path:
        return self.folder / "results" / "small"

    @property
    def site(self) -> Path:
        return self.results / "private" / "sites" / "small_site"

    def cohort(self, name: str) -> Path:
        return self.results / "private" / "cohorts" / name

    def reasons(self) -> dict[str, str]:
        """Returns rule → why its jobs ran (or would run), as Snakemake says it."""
        found: dict[str, str] = {}
        for rule, block in re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", self.screen, re.MULTILINE):
            found[rule] = found.get(rule, "") + "".join(
                re.findall(r"^    reason: (.*\n)", block, re.MULTILINE)
            )
        return found


def snakemake_call(
    project: Path, folder: Path, *asked: str, study: str = "small.yaml", cores: int = 2
) -> tuple[list[str], dict[str, str]]:
    """Returns the command and the environment that call Snakemake with the Snakefile and the package of `project`."""
    command = [sys.executable, "-m", "snakemake", *asked, "--cores", str(cores)]
    command += ["--snakefile", str(project / "Snakefile"), "--directory", str(folder)]
    command += ["--config", f"study={study}"]
    return command, {**os.environ, "PYTHONPATH": str(project / "workflow" / "src")}


def run_workflow(
    folder: Path,
    *targets: str,
    study: str = "small.yaml",
    cores: int = 2,
    project: Path = ROOT,
    dry: bool = False,
    through: Sequence[str] = (),
    **environment: str,
) -> Run:
    """Calls Snakemake with the Snakefile and the package of `project`, in `folder`; `through` another command, in an
    environment of which some is different."""
    asked = [*targets, *(["--dry-run"] if dry else [])]
    command, usual = snakemake_call(project, folder, *asked, study=study, cores=cores)
    done = subprocess.run(
        [*through, *command],
        env={**usual, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return Run(folder, done.returncode, done.stdout)


def without_network() -> list[str]:
    """Returns the command that runs another one in a namespace without any network; empty where none can be made."""
    for command in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        if shutil.which("unshare") and not subprocess.run([*command, "true"], capture_output=True).returncode:
            return command
    return []


def copy_project(folder: Path) -> Path:
    """Copies what Snakemake needs of the project (Snakefile, workflow/, config/, notebooks/) into `folder`; returns it."""
    for part in ("workflow", "config", "notebooks"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "Snakefile", folder)
    return folder


def once(folder: Path, make: Callable[[Path], Run]) -> Run:
    """Returns the run that `make` did in `folder`; of several pytest workers one does it and the others wait for it."""
    claim, done = folder.with_suffix(".claim"), folder.with_suffix(".json")
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        while not done.exists():
            time.sleep(0.2)
        return Run(folder, *json.loads(done.read_text(encoding="utf-8")))
    ended = Run(folder, -1, "the build of the small study was broken off")
    try:
        ended = make(folder)
    finally:
        io.write_json([ended.returncode, ended.screen], done)
    return ended


def built(run: Run) -> Run:
    """Returns the run; one that ended in an error fails the test with the end of what stood on screen."""
    if run.returncode:
        pytest.fail(f"Snakemake ended with {run.returncode}:\n{run.screen[-3000:]}", pytrace=False)
    return run


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the temporary folder that all pytest workers of this session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def build_small_study(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Returns the finished small study, built once per session with --cores 2. Do not change it: `copy_of` it.

    Beside its folder stands what was written in place while it was built (`written_in_place`).
    """

    def make(folder: Path) -> Run:
        project = copy_project(Run(folder, 0, "").project)
        write_small_study(folder)
        if not can_watch():
            return run_workflow(folder, project=project)
        with watched(folder / "results") as in_place:
            run = run_workflow(folder, project=project)
        io.write_json(in_place, written_in_place(run))
        return run

    return built(once(shared_folder(tmp_path_factory) / "small", make))


def written_in_place(study: Run) -> Path:
    """Returns the .json that lists what of the results was written under its final name."""
    return study.folder.with_name(f"{study.folder.name}_in_place.json")


def copy_of(study: Run, folder: Path) -> Path:
    """Returns a copy of a built study that Snakemake takes for the original: times and its own records go along."""
    return shutil.copytree(study.folder, folder)
