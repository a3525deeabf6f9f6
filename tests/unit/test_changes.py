"""What changed between two results: counts on screen, patients only in private files, each change with its record."""

import datetime as dt
import json
import os

import polars as pl
import pytest

from d2tra import cli, io
from d2tra.changes import command
from d2tra.changes.estimates import pair_estimates
from d2tra.changes.labels import EVIDENCE, LABEL, NOTES, count_transitions, explain_changes, pair_labels
from d2tra.tables.cells import as_cells, count_cell, text_cell

JUNE, SEPTEMBER = dt.date(2026, 6, 1), dt.date(2026, 9, 1)
FILES = {"config/scores.yaml": "1", "config/definitions/eular_2021.yaml": "2", "config/old.yaml": "3"}
MODEL = "definition,term,level,n,n_events,odds_ratio,ci_low,ci_high,note"
LABELS = {"ann": "not_met", "bob": "met", "cyd": "not_assessable", "dee": "met"}
SECRETS = ("ann", "bob", "zoe", "tocilizumab", "2026-")  # ids, reasons, dates


def labels(statuses, day=JUNE, definition="eular_2021"):
    rows = [(patient, definition, day, status) for patient, status in statuses.items()]
    return pl.DataFrame(rows, schema=LABEL, orient="row")


def evidence(*rows, definition="eular_2021"):
    """Rows of "patient criterion verdict", and the reason."""
    known = {"yes": True, "no": False, "unknown": None}
    cells = [
        (who, definition, criterion, known[verdict], reason)
        for (who, criterion, verdict), reason in ((row.split(), reason) for row, reason in rows)
    ]
    return pl.DataFrame(cells, schema=EVIDENCE, orient="row")


def write_results(folder, sites=None, files=None, *, sealed=True, study="audit", software=None, **more):
    """Writes a results folder of the given sites: name → (labels, evidence), either of them may be None."""
    private, protocol = folder / "private", {"files": files or FILES, "protocol_sha256": str(files)}
    for site, (labelled, reasons) in (sites or {"north": (labels(LABELS), None)}).items():
        rows = {"table": ["visits"], "n_read": [more.get("n_read", 1200)], "n_valid": [1190]}
        io.write(pl.DataFrame(rows), private / "sites" / site / "accounting.csv")
        for name, frame in (("labels", labelled), ("evidence", reasons)):
            if frame is not None:
                io.write(frame, private / "sites" / site / f"{name}.parquet")
    io.write_json(protocol, private / "protocol.json")
    cohort = private / "cohorts" / "full"
    n_met = more.get("n_met", 12)
    prevalence = "definition,criterion_3_policy,n,n_met,percent,ci_low,ci_high\n"
    prevalence += f"eular_2021,unknown,95,{n_met},{100 * n_met / 95},7.4,20.8\n"
    io.write_text(prevalence, cohort / "prevalence.csv")
    io.write_text("\n".join([MODEL, *more.get("models", [])]) + "\n", cohort / "models" / "univariable.csv")
    io.write_json({}, cohort / "models" / "univariable_fit.json")
    io.write_text("a,b\n1,2\n", cohort / "models" / "univariable_trace.csv")
    if "cells" in more:
        io.write(as_cells(more["cells"]), cohort / "tables" / "table_1.csv")
        io.write_json(
            [{"name": "table_1", "title": "", "footnotes": []}], cohort / "tables" / "captions.json"
        )
    if sealed:
        manifest = {
            "study": study,
            "protocol_sha256": more.get("sealed_from", protocol["protocol_sha256"]),
            "raw_sha256": {"visits.csv": more.get("raw", "a")},
            "software": software or {"polars": "2.1"},
        }
        io.write_json(manifest, folder / "internal" / "local_audit" / "manifest.json")
    return folder


@pytest.fixture
def compare(tmp_path, capsys):
    """Runs `d2tra diff` on two results; returns what stood on screen."""

    def run(old, new, *arguments, code=0):
        folders = [
            write_results(tmp_path / side / "audit", **given) if isinstance(given, dict) else given
            for side, given in (("old", old), ("new", new))
        ]
        assert cli.main(["diff", *map(str, folders), *arguments]) == code
        screen = capsys.readouterr()
        return screen.err if code else screen.out

    return run


def test_of_two_alike_everything_is_said_to_be_as_it_was(compare):
    said = compare({}, {})
    for line in (
        "Protocol: of 3, none changed.",
        "Raw files: of 1, none changed.",
        "Software: the same versions.",
        "Rows of north: as many as before, in every table.",
        "Patients of north with a label: 4 in both, 0 new, 0 gone; 0 have another index date.",
        "Labels: none changed.",
        "Prevalence: as it was.",
    ):
        assert line in said.splitlines()


def test_labels_are_counted_by_definition_transition_and_site_and_nobody_is_named(compare):
    before = {"north": (labels(LABELS), None), "south": (labels({"ann": "not_met"}), None)}
    after = {
        "north": (labels({"ann": "met", "bob": "not_met", "cyd": "met", "zoe": "not_met"}, SEPTEMBER), None),
        "south": (labels({"ann": "met"}), None),
    }
    said = compare({"sites": before}, {"sites": after})
    assert "Patients of north with a label: 3 in both, 1 new, 1 gone; 3 have another index date." in said
    assert "Patients of south with a label: 1 in both, 0 new, 0 gone; 0 have another index date." in said
    changed = ["1 met → not met", "1 not assessable → met", "2 not met → met"]
    line = f"  eular_2021: {'; '.join(changed)}; new: 1 not met; gone: 1 met (by site: north 5, south 1)"
    assert line in said.splitlines()
    assert not [secret for secret in SECRETS if secret in said]


def test_a_definition_that_one_side_lacks_is_named_and_not_compared(compare):
    both = pl.concat([labels(LABELS), labels(LABELS, definition="becede_2019")])
    said = compare({}, {"sites": {"north": (both, None)}})
    assert "Only the new results have becede_2019: not compared." in said
    assert "Labels: none changed." in said


def test_sites_that_one_side_lacks_or_has_not_labelled_are_said(compare):
    old = {"north": (labels(LABELS), None), "west": (labels(LABELS), None)}
    new = {"north": (None, None), "east": (labels(LABELS), None)}
    said = compare({"sites": old}, {"sites": new})
    assert "Patients of north: not compared" in said
    assert "Only the old results have the site west: not compared." in said
    assert "Only the new results have the site east: not compared." in said


def test_pseudonyms_made_anew_are_suspected_where_no_id_is_left(compare):
    said = compare({}, {"sites": {"north": (labels({"n1": "met", "n2": "met"}), None)}})
    assert "none of the 4 old ids is among the 2 new ones. Were the pseudonyms made anew?" in said


def test_protocol_inputs_software_and_rows_are_told_by_name(compare):
    files = {"config/scores.yaml": "9", "config/definitions/eular_2021.yaml": "2", "config/new.yaml": "4"}
    new = {"files": files, "raw": "b", "software": {"polars": "2.2", "scipy": "1"}, "n_read": 1300}
    said = compare({}, new).splitlines()
    protocol = "1 changed (config/scores.yaml); 1 added (config/new.yaml); 1 removed (config/old.yaml)"
    assert f"Protocol: of 3, {protocol}." in said
    assert "Raw files: of 1, 1 changed (visits.csv)." in said
    assert "Software: polars 2.1 → 2.2, scipy none → 1." in said
    assert "Rows of north: visits 1,200 → 1,300 read, 1,190 → 1,190 valid." in said


def test_what_no_manifest_tells_is_not_known_rather_than_unchanged(compare):
    said = compare({"sealed": False}, {})
    assert "Raw files: not known of the old results (no manifest.json there)." in said
    assert "Software: not known of both" in said


def test_results_whose_release_is_of_another_protocol_are_called_half_made(compare):
    said = compare({}, {"sealed_from": "an earlier one"})
    assert "The new results may be half made" in said
    assert "The old results may" not in said


def test_results_whose_labels_are_newer_than_their_release_are_called_half_made(compare, tmp_path):
    old, new = (write_results(tmp_path / "kept" / side) for side in ("old", "new"))
    os.utime(new / "private" / "sites" / "north" / "labels.parquet", (2e9, 2e9))
    said = compare(old, new)
    assert "The new results may be half made" in said
    assert "The old results may" not in said


def test_without_a_cohort_in_both_no_estimate_is_called_unchanged(compare, tmp_path):
    old, new = (write_results(tmp_path / "kept" / side) for side in ("old", "new"))
    (new / "private" / "cohorts" / "full").rename(new / "private" / "cohorts" / "all")
    said = compare(old, new)
    assert "Prevalence" not in said
    assert "Estimates: none compared, as no cohort stands in both results." in said
    assert "Only the new results have the cohort all: not compared." in said


def test_two_studies_are_compared_and_called_two(compare):
    assert "These are two studies: audit (old) and audit_q3 (new)." in compare({}, {"study": "audit_q3"})


def test_a_folder_that_is_no_results_folder_is_refused_in_one_sentence(compare, tmp_path):
    said = compare({}, tmp_path / "old", code=1)
    assert "is no results folder" in said


def test_an_odds_ratio_has_changed_where_its_printed_text_has(compare):
    old = ["eular_2021,obese,true,95,12,2.001,0.8,4.1,", "eular_2021,gone,true,95,12,2,1.5,4,"]
    new = ["eular_2021,obese,true,95,12,2.004,0.8,4.1,", "eular_2021,added,true,95,12,2,1.5,4,"]
    said = compare({"models": old}, {"models": new})
    assert "Odds ratios: 0 of 1 in both changed, 1 only new, 1 only old." in said


@pytest.mark.parametrize(("low", "turned"), [("1.00", False), ("1.01", True)])
def test_an_interval_that_held_1_and_no_longer_does_is_shown(compare, low, turned):
    old, new = (
        f"eular_2021,obese,true,95,12,2,{limit},4,{note}" for limit, note in (("0.9", ""), (low, "separated"))
    )
    said = compare({"models": [old]}, {"models": [new]})
    assert "Odds ratios: 1 of 1 in both changed, 0 only new, 0 only old.\n  full: univariable 1 of 1" in said
    shown = f"full, univariable, eular_2021, obese true: 2.00 (0.90–4.00); events: 12 of 95 → 2.00 ({low}–4.00) separated"
    assert (shown in said) == turned


def test_prevalence_and_cells_of_tables_are_told_before_and_now(compare):
    cells = [count_cell("Women", "All", 60), text_cell("Age", "All", "54"), count_cell("Women", "Met", 9)]
    changed = [count_cell("Women", "All", 61), text_cell("Age", "All", "54")]
    said = compare({"cells": cells}, {"cells": changed, "n_met": 13})
    assert "  full, eular_2021: 12/95 (12.6 %; 7.4–20.8) → 13/95 (13.7 %; 7.4–20.8)" in said
    assert "Cells of tables: 1 of 2 in both changed, 0 only new, 1 only old.\n  full: table_1 1 of 2" in said


def test_estimates_are_paired_by_their_whole_place_null_levels_too():
    columns = ["cohort", "source", "definition", "row", "level", "column", "text", "excludes_one"]
    old = pl.DataFrame([["c", "tables/t", None, "r", None, "n", "1", None]], schema=columns, orient="row")
    paired = pair_estimates(old.cast({"excludes_one": pl.Boolean}), old.cast({"excludes_one": pl.Boolean}))
    assert paired.select("old", "new").rows() == [("1", "1")]


BEFORE = (
    ("ann 1", "no", "1m not met: 1 mechanism failed: tnf"),
    ("ann 1m", "no", "1 mechanism failed: tnf"),
    ("ann 3", "yes", "to the patient: yes"),
    ("bob 1b", "yes", "two drugs"),
)
AFTER = (
    ("ann 1", "yes", "1m met: 2 mechanisms failed: tnf, il6r (tocilizumab)"),
    ("ann 1m", "yes", "2 mechanisms failed: tnf, il6r (tocilizumab)"),
    ("ann 3", "yes", "to the patient: yes, again"),
    ("bob 1b", "unknown", "no record of drugs"),
)


def explained(old_labels, new_labels, old_rows, new_rows):
    frames = [
        evidence(*((f"{who} {verdict}", why) for who, verdict, why in rows)) for rows in (old_rows, new_rows)
    ]
    paired = pair_labels(labels(old_labels).lazy(), labels(new_labels, SEPTEMBER).lazy())
    rows = explain_changes(paired, frames[0].lazy(), frames[1].lazy())
    return {row["patient_id"]: row for row in rows.iter_rows(named=True)}


def test_the_deciding_record_is_the_outermost_criterion_of_another_verdict_with_both_reasons():
    rows = explained({"ann": "not_met", "bob": "met"}, {"ann": "met", "bob": "not_assessable"}, BEFORE, AFTER)
    ann, bob = rows["ann"], rows["bob"]
    assert (ann["change"], ann["old_status"], ann["new_status"]) == ("changed", "not_met", "met")
    assert (ann["old_index_date"], ann["new_index_date"]) == (JUNE, SEPTEMBER)
    assert ann["criteria"] == "1"
    assert ann["old_record"] == "1 not met: 1m not met: 1 mechanism failed: tnf"
    assert ann["new_record"] == "1 met: 1m met: 2 mechanisms failed: tnf, il6r (tocilizumab)"
    assert (bob["criteria"], bob["new_record"], bob["note"]) == ("1b", "1b unknown: no record of drugs", None)


def test_where_there_is_no_deciding_record_a_note_says_why():
    same, kept_once = ("ann 1", "yes", "a"), ("bob 1", "yes", "b")
    old, new = {"ann": "met", "bob": "met", "dee": "met"}, {"ann": "not_met", "bob": "not_met", "zoe": "met"}
    rows = explained(old, new, [same, kept_once], [same])
    noted = {who: row["note"] for who, row in rows.items()}
    assert noted == {
        "ann": NOTES["elsewhere"],
        "bob": NOTES["unkept"],
        "dee": NOTES["gone"],
        "zoe": NOTES["new"],
    }


def test_an_unchanged_label_is_no_row_however_its_reasons_changed():
    assert explained({"ann": "met"}, {"ann": "met"}, BEFORE, AFTER) == {}


def test_a_transition_is_counted_once_per_patient():
    paired = pair_labels(labels(LABELS).lazy(), labels({**LABELS, "ann": "met", "bob": "met"}).lazy())
    assert count_transitions(paired)["n"].sum() == len(LABELS)


def files_with_out(compare, tmp_path):
    out = tmp_path / "new" / "audit" / "private" / "changes"
    kept = [evidence(*((f"{who} {verdict}", why) for who, verdict, why in rows)) for rows in (BEFORE, AFTER)]
    after = {"=ann": "met", **LABELS, "ann": "met"}
    sides = [
        {
            "sites": {"north": (labels(statuses), reasons)},
            "models": [f"eular_2021,obese,true,95,12,{odds},1,4,"],
        }
        for statuses, reasons, odds in zip((LABELS, after), kept, (2, 3), strict=True)
    ]
    return compare(*sides, "--out", str(out)), out


def test_the_files_hold_a_row_per_change_and_no_formula(compare, tmp_path):
    said, out = files_with_out(compare, tmp_path)
    assert "estimates_changed.csv (rows: 1), labels_changed.csv (rows: 2)" in said
    assert not [secret for secret in SECRETS if secret in said.replace(str(tmp_path), "")]
    changed = pl.read_csv(out / "labels_changed.csv", infer_schema=False)
    assert changed.select("site", "patient_id", "change", "criteria").rows() == [
        ("north", "'=ann", "new", None),
        ("north", "ann", "changed", "1"),
    ]
    assert io.read(out / "estimates_changed.csv").select("row", "turned").rows() == [("obese", False)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
def test_the_files_open_for_their_owner_only(compare, tmp_path):
    _, out = files_with_out(compare, tmp_path)
    modes = {path.stat().st_mode & 0o777 for path in out.iterdir()}
    assert (modes, out.stat().st_mode & 0o777) == ({0o600}, 0o700)


@pytest.mark.parametrize("place", ["{tmp}/changes", "{tmp}/private/../changes", "/private/changes"])
def test_patients_are_written_nowhere_but_within_a_private_folder(compare, tmp_path, monkeypatch, place):
    """On a Mac every temporary folder lies in /private, which is no folder of ours."""
    monkeypatch.setattr(command, "_write", lambda *_: "written")
    said = compare({}, {}, "--out", place.format(tmp=tmp_path), code=1)
    assert "is not within a folder called private" in said


def test_nothing_is_changed_in_either_folder(compare, tmp_path):
    compare({}, {})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert cli.main(["diff", str(tmp_path / "old" / "audit"), str(tmp_path / "new" / "audit")]) == 0
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert json.loads((tmp_path / "old/audit/private/protocol.json").read_text())["files"] == FILES
