"""The whole workflow on a small study: everything promised is there, it reruns what it must, and it comes out the same."""

import datetime as dt
import json
import re
import socket
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from d2tra import io
from d2tra.changes.command import say_changes
from d2tra.dry_run import in_words, read_jobs, read_rules
from d2tra.extract.schemas import COLUMNS
from d2tra.provenance import modules_behind
from small_study import (
    COHORTS,
    DEFINITIONS,
    ID_PREFIX,
    ON_THE_EDGE,
    OTHER_WORLD,
    PROFILE_PLACES,
    ROOT,
    SITE,
    Run,
    built,
    copy_of,
    copy_project,
    extract,
    once,
    patient_id,
    read_table,
    run_workflow,
    shared_folder,
    visit_date,
    without_network,
    write_small_study,
    write_table,
    written_in_place,
)
from watched_writes import can_watch

pytestmark = pytest.mark.slow

SCORES = (
    "das28_esr",
    "das28_crp",
    "das28_esr_3v",
    "das28_crp_3v",
    "cdai",
    "sdai",
    "boolean_2011",
    "boolean_2022",
)
SITE_FILES = {
    "quarantine.csv": "table source source_row column rule severity value message",
    "accounting.csv": "table n_read n_valid n_quarantined n_duplicate n_orphaned n_cells_set_aside n_cells_fixed",
    "courses.parquet": "patient_id molecule kind mechanism start_date stop_date stop_reason outcome failure_type n_records",
    "scores.parquet": " ".join(
        ["patient_id visit_date", *SCORES, "das28_esr_band das28_crp_band cdai_band sdai_band"]
    ),
    "quality.csv": "table column check severity n message",
    "quality_checks.csv": "check table column category subcategory description threshold n_rows n_failing share status note",
    "expectations.csv": "expectation n n_known found ci_low ci_high expected_low expected_high verdict",
    "labels.parquet": "patient_id definition index_date status first_met_date n_failed_mechanisms n_failed_drugs "
    "n_failures_presumed",
    "evidence.parquet": "patient_id definition criterion met reason",
}
COHORT_FILES = {
    "flow.csv": "step reason n_before n_excluded n_after",
    "analysis_set.parquet": " ".join(
        ["site patient_id baseline_date index_date severity n_bts_tried", *DEFINITIONS, "obese fibromyalgia"]
    ),
    "prevalence.csv": "definition criterion_3_policy n n_met n_not_met n_not_assessable percent ci_low ci_high "
    "lower_bound upper_bound percent_complete_case",
    "models/small_model.csv": "definition term level reference n n_events method estimate std_error odds_ratio ci_low "
    "ci_high p_value note",
    "reproduction.csv": "statement published implied_numerator numerator denominator computed agrees note",
    "readings.csv": "statement reading numerator denominator computed",
}
PLACES = tuple(PROFILE_PLACES.values())
PACKED = {".docx", ".xlsx", ".pptx"}
LEAVING = {".csv", ".html", ".tex", ".md", ".svg", ".pdf", ".png", ".json", *PACKED}
COMPARED = {*LEAVING, ".parquet"}
AGAIN = (
    "check",
    "results/small/private/sites/small_site/timelines",
    "results/small/release/opensafely/manifest.json",
)


@pytest.fixture(scope="session")
def again(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small study in another folder, inside a copy of the project, with --cores 1, in another time zone, locale and
    order of hashes, and without a network where the system can take it away; of its profiles the released one."""

    def make(folder: Path) -> Run:
        write_small_study(copy_project(folder))
        return run_workflow(folder, *AGAIN, cores=1, project=folder, through=without_network(), **OTHER_WORLD)

    return built(once(shared_folder(tmp_path_factory) / "again", make))


def files_of(folder: Path, kinds: set[str]) -> list[Path]:
    """Every file of the kinds, logs and Snakemake's own left out, as paths within `folder`."""
    found = (
        path.relative_to(folder) for path in folder.rglob("*") if path.suffix in kinds and path.is_file()
    )
    return sorted(path for path in found if not {"logs", ".snakemake"} & set(path.parts))


def columns_of(path: Path) -> list[str]:
    return io.read(path).columns


def test_the_study_is_built_without_an_error_and_without_a_traceback(small: Run) -> None:
    assert small.returncode == 0
    assert "Traceback" not in small.screen


@pytest.mark.parametrize("file", SITE_FILES)
def test_every_promised_file_of_a_site_has_its_columns(small: Run, file: str) -> None:
    assert set(SITE_FILES[file].split()) <= set(columns_of(small.site / file))


@pytest.mark.parametrize("table", ["patients", "visits", "treatments", "labs", "diagnoses"])
def test_every_valid_table_has_all_canonical_columns_and_its_source_row(small: Run, table: str) -> None:
    assert {*COLUMNS[table], "source_row"} <= set(columns_of(small.site / "valid" / f"{table}.parquet"))


def test_a_table_that_the_site_does_not_have_is_not_made_up(small: Run) -> None:
    assert not (small.site / "valid" / "imaging.parquet").exists()


def test_the_screen_leaves_its_verdict(small: Run) -> None:
    screen = json.loads((small.site / "screen.json").read_text())
    assert (screen["site"], screen["warnings"]) == ("small_site", [])
    assert {column["decision"] for column in screen["columns"]} == {"pass"}
    assert {column["file"] for column in screen["columns"]} == {f"{table}.csv" for table in extract()}
    assert ID_PREFIX not in json.dumps(screen)


@pytest.mark.parametrize("cohort", COHORTS)
@pytest.mark.parametrize("file", COHORT_FILES)
def test_every_promised_file_of_a_cohort_has_its_columns(small: Run, cohort: str, file: str) -> None:
    assert set(COHORT_FILES[file].split()) <= set(columns_of(small.cohort(cohort) / file))


@pytest.mark.parametrize("cohort", COHORTS)
def test_a_fit_says_on_how_many_it_stands(small: Run, cohort: str) -> None:
    fits = json.loads((small.cohort(cohort) / "models" / "small_model_fit.json").read_text())
    assert sorted(fits) == sorted(DEFINITIONS)
    for facts in fits.values():
        assert {"n", "n_events", "n_parameters", "events_per_parameter", "converged", "c_statistic"} <= set(
            facts
        )
        assert facts["seed"] == 7


@pytest.mark.parametrize("cohort", COHORTS)
@pytest.mark.parametrize("place", PLACES)
def test_each_profile_gives_tables_figures_and_a_report_of_each_cohort(
    small: Run, place: str, cohort: str
) -> None:
    folder = small.results / place / cohort
    tables = {path.stem for path in (small.cohort(cohort) / "tables").glob("*.csv")}
    assert {"table_1", "prevalence", "selection_flow", "odds_ratios"} <= tables
    made = {path.name for path in (folder / "tables").iterdir() if not path.name.startswith(".")}
    assert {f"{table}.{kind}" for table in tables for kind in ("csv", "html")} <= made
    figures = {path.stem for path in (folder / "figures").glob("*.svg")}
    assert {"patient_flow", "prevalence", "odds_ratios"} <= figures
    assert all(
        (folder / "figures" / f"{name}.{kind}").stat().st_size
        for name in figures
        for kind in ("pdf", "png", "csv")
    )
    assert (folder / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("place", PLACES)
def test_the_manifest_names_every_file_beside_it(small: Run, place: str) -> None:
    manifest = json.loads((small.results / place / "manifest.json").read_text())
    there = {path.as_posix() for path in files_of(small.results / place, LEAVING)} - {"manifest.json"}
    assert set(manifest["files"]) == there
    assert set(manifest["raw_sha256"]) == {path.name for path in (small.folder / "extract").iterdir()}


def test_what_is_patient_level_can_be_opened_by_its_owner_only(small: Run) -> None:
    assert stat.S_IMODE((small.results / "private").stat().st_mode) == 0o700


def test_logs_stand_under_private_only(small: Run) -> None:
    logs = list(small.results.rglob("*.log"))
    assert {path.relative_to(small.results).parts[:2] for path in logs} == {("private", "logs")}
    assert {path.parent.name for path in logs} >= {"screen_extract", "label_patients", "draw", "seal_release"}
    assert all(" rows read, " in path.read_text(encoding="utf-8").splitlines()[-1] for path in logs)


@pytest.mark.parametrize("place", PLACES)
def test_nothing_that_is_handed_on_holds_a_patient_a_path_of_the_machine_or_a_log(
    small: Run, place: str
) -> None:
    secrets = [ID_PREFIX, str(small.folder), str(small.folder.parent), str(ROOT), str(Path.home()) + "/"]
    for path in (small.results / place).rglob("*"):
        assert path.suffix in LEAVING or path.is_dir() or path.name == ".snakemake_timestamp", path.name
        for part in contents_of(path):
            found = [secret for secret in secrets if secret.encode() in part]
            assert not found, f"{path.name} holds {found}"


@pytest.mark.parametrize("place", PLACES)
def test_no_file_tells_who_made_it_or_when(small: Run, place: str) -> None:
    files = [
        path
        for path in (small.results / place).rglob("*")
        if path.suffix in {*PACKED, ".pdf", ".png", ".svg"}
    ]
    assert {path.suffix for path in files} == {*PACKED, ".pdf", ".png", ".svg"}
    today = dt.datetime.now(dt.UTC)
    days = [
        f"{today + dt.timedelta(n):{form}}"
        for n in (-1, 0, 1)
        for form in ("%Y-%m-%d", "D:%Y%m%d", "%d %b %Y")
    ]
    for path in files:
        for part in contents_of(path):
            assert not [day for day in days if day.encode() in part], f"{path} tells a day"
            makers = re.findall(rb"<(?:dc:creator|cp:lastModifiedBy|Company|Manager)>([^<]+)<", part)
            assert set(makers) <= {b"d2tra"}, f"{path} tells who made it: {makers}"
            assert not re.search(rb"/(?:Author|CreationDate|ModDate)\b|tIME|<dc:date>", part), path
        if path.suffix in PACKED:
            with zipfile.ZipFile(path) as archive:
                assert {part.date_time for part in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}, path


def contents_of(path: Path) -> list[bytes]:
    """The bytes of a file; of an office file those of each part."""
    if path.suffix in PACKED:
        with zipfile.ZipFile(path) as archive:
            return [archive.read(name) for name in archive.namelist()]
    return [path.read_bytes()] if path.is_file() else []


@pytest.mark.parametrize(("place", "is_marked"), [(PLACES[0], True), (PLACES[1], False)])
def test_pages_that_stay_inside_say_so_on_each_of_them(small: Run, place: str, is_marked: bool) -> None:
    pages = [path.read_text(encoding="utf-8") for path in (small.results / place).rglob("*.html")]
    assert pages
    assert {"internal: not for release" in page.casefold() for page in pages} == {is_marked}


def test_a_report_is_one_file_that_needs_no_network(small: Run) -> None:
    for path in small.results.rglob("report.html"):
        page = path.read_text(encoding="utf-8")
        assert not re.findall(
            r"""(?:src|href)\s*=\s*["']?(?:https?:|//|[^"'#\s>]+\.(?:css|js|png|svg))""", page
        )
        assert not re.findall(r"url\(\s*['\"]?https?:|@import|<script[^>]+src", page)


@pytest.mark.skipif(not can_watch(), reason="no inotify here")
def test_nothing_was_ever_written_under_its_final_name(small: Run) -> None:
    assert io.read_json(written_in_place(small)) == []


def test_a_second_run_has_nothing_to_do(small: Run) -> None:
    second = run_workflow(small.folder, project=small.project, dry=True)
    assert second.returncode == 0
    assert "Nothing to be done" in second.screen


def test_the_same_comes_out_elsewhere_with_another_number_of_cores_time_zone_locale_and_order_of_hashes(
    small: Run, again: Run
) -> None:
    made, both = (
        [path for path in files_of(run.results, COMPARED) if "local_audit" not in path.parts]
        for run in (again, small)
    )
    assert {path.suffix for path in made} == COMPARED
    assert made == both
    assert [
        str(path)
        for path in made
        if (again.results / path).read_bytes() != (small.results / path).read_bytes()
    ] == []


@pytest.mark.skipif(not without_network(), reason="unshare --net is not allowed here")
def test_the_second_build_reached_no_network(again: Run) -> None:
    """It was built (fixture `again`) where not even this machine itself answers."""
    assert again.returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 5)"
        asked = [[*through, sys.executable, "-c", code] for through in ([], without_network())]
        outside, inside = (subprocess.run(command, capture_output=True, check=False) for command in asked)
    assert outside.returncode == 0
    assert b"unreachable" in inside.stderr


def test_a_changed_swollen_joint_count_moves_the_label_and_all_that_follows(
    small: Run, tmp_path: Path
) -> None:
    """Patient ON_THE_EDGE is active by the swollen joints of the last visit alone."""
    folder = copy_of(small, tmp_path / "copy")
    visits = read_table(folder / "extract" / "visits.csv")
    patient, last = patient_id(ON_THE_EDGE), str(visit_date(ON_THE_EDGE, 2))
    (edited,) = [row for row in visits if (row["patient_id"], row["visit_date"]) == (patient, last)]
    edited["sjc28"] = 0
    write_table(folder / "extract" / "visits.csv", visits)

    report = "results/small/internal/local_audit/audit/report.html"
    changed = run_workflow(folder, report, project=small.project)
    assert built(changed)
    before, after = (io.read(run.site / "scores.parquet") for run in (small, changed))
    moved = after.join(before, on=after.columns, how="anti", nulls_equal=True)
    assert moved.select("patient_id", pl.col("visit_date").cast(pl.String)).rows() == [(patient, last)]
    before, after = (io.read(run.site / "labels.parquet") for run in (small, changed))
    moved = after.join(before, on=after.columns, how="anti", nulls_equal=True)
    assert set(moved["patient_id"]) == {patient}
    assert before.filter(patient_id=patient, definition="eular_2021")["status"].item() == "met"
    assert after.filter(patient_id=patient, definition="eular_2021")["status"].item() != "met"
    said = say_changes(small.results, changed.results)
    assert "  eular_2021: 1 met → not assessable" in said.splitlines()
    assert "The new results may be half made" in said
    assert ID_PREFIX not in said
    assert (folder / report).read_bytes() != (small.folder / report).read_bytes()
    rest = run_workflow(folder, project=small.project, dry=True).reasons()
    assert {"assemble_analysis_set", "describe", "draw", "release", "seal_release"} <= set(rest)
    assert not {"screen_extract", "validate_extract", "score_activity", "label_patients"} & set(rest)


def test_an_edited_definition_judges_anew_and_scores_nothing_anew(small: Run, tmp_path: Path) -> None:
    folder = copy_of(small, tmp_path / "copy")
    with (folder / "config" / "definitions" / "eular_2021_strict.yaml").open("a", encoding="utf-8") as handle:
        handle.write("# read again\n")
    edited = run_workflow(folder, project=small.project, dry=True)
    reruns = edited.reasons()
    said = in_words(read_jobs(edited.screen), read_rules(small.project / "Snakefile"))
    assert "      why: changed: config/definitions/eular_2021_strict.yaml" in said.splitlines()
    assert {"judge_units", "label_patients", "assemble_analysis_set", "describe", "release"} <= set(reruns)
    assert not {
        "screen_extract",
        "harmonise_extract",
        "validate_extract",
        "trace_treatment",
        "score_activity",
    } & set(reruns)


def test_an_edited_model_fits_anew_and_labels_nothing_anew(small: Run, tmp_path: Path) -> None:
    folder = copy_of(small, tmp_path / "copy")
    with (folder / "config" / "models" / "small_model.yaml").open("a", encoding="utf-8") as handle:
        handle.write("# read again\n")
    reruns = run_workflow(folder, project=small.project, dry=True).reasons()
    assert "small_model.yaml" in reruns["fit_models"]
    assert not {"label_patients", "score_activity", "select_cohort", "assemble_analysis_set"} & set(reruns)


def test_an_edited_style_redraws_the_figures_and_what_contains_them(again: Run, tmp_path: Path) -> None:
    folder = copy_of(again, tmp_path / "copy")
    with (folder / "config" / "style.yaml").open("a", encoding="utf-8") as handle:
        handle.write("# read again\n")
    reruns = run_workflow(folder, *AGAIN, "--rerun-triggers=mtime", project=folder, dry=True).reasons()
    drawn = {rule for rule, why in reruns.items() if "style.yaml" in why}
    assert {"draw", "draw_timelines"} <= drawn <= {"draw", "draw_timelines", "catalogue_quality"}
    contain_them = {
        "write_reports",
        "write_documents",
        "release",
        "release_documents",
        "seal_release",
        "check",
    }
    assert set(reruns) - drawn <= contain_them


@pytest.mark.parametrize(
    ("module", "users"),
    [
        ("figures/forest.py", {"draw"}),
        ("scores/das28.py", {"score_activity", "check_quality"}),
        ("treatment/courses.py", {"trace_treatment", "check_quality"}),
    ],
)
def test_an_edited_module_reruns_the_rules_that_use_it_and_what_follows_from_them(
    again: Run, tmp_path: Path, module: str, users: set[str]
) -> None:
    folder = copy_of(again, tmp_path / "copy")
    with (folder / "workflow" / "src" / "d2tra" / module).open("a", encoding="utf-8") as handle:
        handle.write("# read again\n")
    # The copy's modules stand at other paths than those in Snakemake's records: only their times tell.
    reruns = run_workflow(folder, *AGAIN, "--rerun-triggers=mtime", project=folder, dry=True).reasons()
    scripts = {rule: again.folder / "workflow" / "scripts" / f"{rule}.py" for rule in again.reasons()}
    using = {
        rule
        for rule, script in scripts.items()
        if script.exists() and any(path.endswith(f"/d2tra/{module}") for path in modules_behind(script))
    }
    assert users <= using <= set(reruns)
    for rule in set(reruns) - using:
        assert "Input files updated by another job" in reruns[rule]
        assert "Updated input files" not in reruns[rule]
    if module == "figures/forest.py":
        assert set(reruns) - using <= {
            *("write_reports", "write_documents"),
            *("release", "release_documents", "seal_release", "check"),
        }


NHS_NUMBER = "943 476 5919"  # the example number of the NHS data dictionary
E_MAIL = "someone@example.org"


def test_an_extract_with_an_nhs_number_stops_the_run_and_leaves_no_trace(small: Run, tmp_path: Path) -> None:
    folder = copy_of(small, tmp_path / "copy")
    diagnoses = read_table(folder / "extract" / "diagnoses.csv")
    diagnoses[3]["term"] = NHS_NUMBER
    patients = read_table(folder / "extract" / "patients.csv")
    patients = [{**row, "contact": E_MAIL if number == 5 else ""} for number, row in enumerate(patients)]
    write_table(folder / "extract" / "diagnoses.csv", diagnoses)
    write_table(folder / "extract" / "patients.csv", patients)

    stopped = run_workflow(folder, project=small.project)
    assert stopped.returncode != 0
    for word in ("diagnoses.csv", "'term'", "NHS number", "patients.csv", "'contact'", "e-mail", "1 cell"):
        assert word in stopped.screen
    assert "Traceback" not in stopped.screen
    for path in files_of(folder / "results", COMPARED):
        assert (folder / "results" / path).read_bytes() == (small.folder / "results" / path).read_bytes(), (
            path
        )
    assert not (stopped.site / "screen.json").exists()
    log = (stopped.results / "private/logs/screen_extract/small_site.log").read_text(encoding="utf-8")
    assert "diagnoses.csv" in log
    for path in [
        path for where in ("results", ".snakemake") for path in (folder / where).rglob("*") if path.is_file()
    ]:
        content = path.read_bytes()
        for value in (NHS_NUMBER, NHS_NUMBER.replace(" ", ""), E_MAIL):
            assert value.encode() not in content, path
    assert not [value for value in (NHS_NUMBER, E_MAIL) if value in stopped.screen]


def rename_column(folder: Path) -> None:
    path = folder / "extract" / "visits.csv"
    path.write_text(path.read_text().replace("sjc28", "sjc_28", 1))


def replace_in(file: str, old: str, new: str) -> Callable[[Path], None]:
    def replace(folder: Path) -> None:
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1))

    return replace


def remove(file: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).unlink()


def nothing(_: Path) -> None:
    """The fault is in the command."""


MAPPED = """\
source: extract
tables:
  patients: {file: patients.csv}
  visits: {file: visits.csv}
  treatments: {file: treatments.csv}
"""
MISTAKES: dict[str, tuple[Callable[[Path], None], dict[str, str], tuple[str, ...]]] = {
    "an unknown column": (rename_column, {}, ("visits", "'sjc_28'", "sjc28")),
    "a required table that is not there": (remove("extract/treatments.csv"), {}, ("treatments",)),
    "an unknown study": (nothing, {"study": "audit_demmo"}, ("audit_demmo", "audit_demo")),
    "an unknown key in the study": (
        replace_in("small.yaml", "definitions:", "definitons:"),
        {},
        ("small.yaml", "'definitons'", "'definitions'"),
    ),
    "an unknown key in the mapping": (
        replace_in("small_site.yaml", "source:", "sourc:"),
        {},
        ("small_site.yaml", "'sourc'", "'source'"),
    ),
    "a raw file that is not there": (
        replace_in("small_site.yaml", SITE, MAPPED.replace("patients.csv", "patient.csv")),
        {},
        ("small_site.yaml", "patient.csv", "'patients.csv'"),
    ),
    "an unknown definition": (
        replace_in("small.yaml", "eular_2021,", "eular_2012,"),
        {},
        ("eular_2012", "'eular_2021'"),
    ),
    "a target whose cohort the study does not have": (
        replace_in("small.yaml", "name: audit,", "name: first,"),
        {"target": "audit"},
        ("'audit'", "first", "extension", "full"),
    ),
    "a published file that is not there": (remove("published.yaml"), {}, ("published.yaml",)),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_said_in_a_short_paragraph_that_names_what_would_be_right(
    tmp_path: Path, mistake: str
) -> None:
    make, asked, words = MISTAKES[mistake]
    write_small_study(tmp_path)
    make(tmp_path)
    said = run_workflow(
        tmp_path, *filter(None, [asked.get("target")]), study=asked.get("study", "small.yaml")
    )
    assert said.returncode != 0
    assert "Traceback" not in said.screen
    assert "fault of the program" not in said.screen
    paragraphs = [text for text in said.screen.split("\n\n") if all(word in text for word in words)]
    assert paragraphs, said.screen[-3000:]
    assert min(len(text.splitlines()) for text in paragraphs) <= 5
    assert not list(tmp_path.rglob("*.parquet"))
