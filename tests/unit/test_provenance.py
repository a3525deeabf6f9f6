"""An edit of a module reruns the rules that use it: every script's imports are followed."""

from pathlib import Path

import pytest

from d2tra import provenance

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "workflow" / "scripts").glob("*.py"))


def test_imports_are_followed_through_other_modules():
    names = {
        Path(path).name for path in provenance.modules_behind(ROOT / "workflow/scripts/trace_treatment.py")
    }
    assert {
        "courses.py",
        "drug_names.py",
        "codelists.py",
        "config.py",
        "errors.py",
        "io.py",
        "logs.py",
    } <= names


def test_the_templates_of_a_document_stand_behind_the_script_that_fills_them():
    names = {
        Path(path).name for path in provenance.modules_behind(ROOT / "workflow/scripts/write_reports.py")
    }
    assert {"report.html.j2", "style.css", "pages.py"} <= names


def test_what_a_script_does_not_use_is_left_out():
    names = {
        Path(path).parent.name
        for path in provenance.modules_behind(ROOT / "workflow/scripts/trace_treatment.py")
    }
    assert not names & {"figures", "models", "tables", "documents"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_shares_its_name_with_its_rule_and_declares_its_code(script):
    rules = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert f"rule {script.stem}:" in rules
    assert f'code=code("{script.stem}")' in rules
    assert f'"../scripts/{script.stem}.py"' in rules


def test_a_manifest_names_every_file_and_changes_with_each_byte(tmp_path):
    (tmp_path / "report.html").write_text("one")
    (tmp_path / "APPROVED.yaml").write_text("by hand")
    protocol = {"protocol_sha256": "", "files": {}}
    before = provenance.manifest(tmp_path, protocol, [], "study")
    (tmp_path / "report.html").write_text("two")
    after = provenance.manifest(tmp_path, protocol, [], "study")
    assert list(before["files"]) == ["report.html"]
    assert before["files"] != after["files"]
