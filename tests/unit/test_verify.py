"""`d2tra verify`: whole or not, signed or not; every flipped byte is found."""

import random
from pathlib import Path

import pytest
import yaml

from d2tra import io, provenance
from d2tra.cli import main
from d2tra.config import load_study
from d2tra.disclosure.ledger import record
from d2tra.disclosure.verify import verify
from d2tra.errors import StudyError
from d2tra.tables import Table, read_tables, write_tables
from d2tra.tables.cells import as_cells, count_cell
from sealed_study import STUDY, seal_release

KINDS = ["csv", "html", "docx", "xlsx", "tex", "svg", "pdf", "png", "pptx", "md", "json"]
TWO = [
    {"name": "A. One", "role": "lead", "date": "2026-01-02"},
    {"name": "B. Two", "role": "data manager", "date": "2026-01-03"},
]


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release with a file of each kind, sealed as the workflow does it; returns its folder."""
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(STUDY, encoding="utf-8")
    private, folder = Path("results/study/private"), Path("results/study/release/opensafely")
    numbers = private / "drafts" / "opensafely" / "audit" / "numbers"
    write_tables([Table("table_1", "Table", as_cells([count_cell("Patients", "All", 95)]))], numbers)
    for kind in KINDS:
        io.write_bytes(f"content of a {kind}\n".encode() * 3, folder / "audit" / f"file.{kind}")
    seal_release(folder, {"audit": read_tables(numbers)}, raw="a\n")
    return folder


def answer() -> str:
    return verify(load_study("study.yaml"))


def sign(folder: Path, people: list[dict[str, str]], manifest: str | None = None) -> None:
    signed = {
        "manifest_sha256": manifest or provenance.seal_of(folder / "manifest.json"),
        "approved_by": people,
    }
    (folder / "APPROVED.yaml").write_text(yaml.safe_dump(signed), encoding="utf-8")


@pytest.mark.usefixtures("sealed")
def test_a_sealed_release_without_a_signature_is_an_unsigned_draft() -> None:
    assert answer() == "release/opensafely: whole; unsigned draft"
    assert main(["verify", "--study", "study.yaml"]) == 0


@pytest.mark.usefixtures("sealed")
def test_results_whose_protocol_is_gone_are_not_whole(capsys: pytest.CaptureFixture[str]) -> None:
    Path("results/study/private/protocol.json").unlink()
    assert main(["verify", "--study", "study.yaml"]) == 1
    assert "names another protocol than the study's" in capsys.readouterr().err


@pytest.mark.parametrize("file", [*(f"audit/file.{kind}" for kind in KINDS), "manifest.json"])
def test_one_flipped_bit_is_found_wherever_it_is(
    sealed: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray((sealed / file).read_bytes())
    place = random.Random(file).randrange(len(content))
    content[place] ^= 1
    (sealed / file).write_bytes(bytes(content))
    assert main(["verify", "--study", "study.yaml"]) == 1
    assert file in capsys.readouterr().err


def test_every_single_byte_of_the_manifest_and_the_protocol_counts(sealed: Path) -> None:
    for path in (sealed / "manifest.json", Path("results/study/private/protocol.json")):
        whole = path.read_bytes()
        for place in range(0, len(whole.rstrip()), 7):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 2]) + whole[place + 1 :])
            with pytest.raises(StudyError, match="not as they were sealed"):
                answer()
        path.write_bytes(whole)
    assert "whole" in answer()


def test_a_file_too_many_and_a_file_too_few_are_named(sealed: Path) -> None:
    (sealed / "audit" / "notes.txt").write_text("mine", encoding="utf-8")
    (sealed / "audit" / "file.png").unlink()
    with pytest.raises(StudyError, match=r"audit/file\.png is missing\n.*audit/notes\.txt was not released"):
        answer()


@pytest.mark.parametrize(
    "change", [lambda text: text.replace("95", "96"), lambda text: text.splitlines()[0] + "\n"]
)
@pytest.mark.usefixtures("sealed")
def test_a_ledger_that_says_otherwise_is_found(change) -> None:
    ledger = Path("results/study/private/ledger/opensafely.csv")
    ledger.write_text(change(ledger.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(StudyError, match=r"ledger .* does not hold what was released"):
        answer()


@pytest.mark.usefixtures("sealed")
def test_another_protocol_than_the_studys_is_found() -> None:
    other = provenance.protocol("study.yaml", ["raw.csv"])
    io.write_json(other, "results/study/private/protocol.json")
    with pytest.raises(StudyError, match="another protocol"):
        answer()


def test_two_people_who_name_the_manifest_approve_a_release(sealed: Path) -> None:
    sign(sealed, TWO)
    assert answer() == (
        "release/opensafely: whole; approved by A. One (lead, 2026-01-02) and B. Two (data manager, 2026-01-03)"
    )


@pytest.mark.parametrize(
    ("people", "manifest", "said"),
    [
        (TWO, "0" * 64, "approves another manifest"),
        (TWO[:1], None, "names 1 person"),
        ([TWO[0], {**TWO[1], "name": "a.  one"}], None, "names 1 person"),
        ([{"name": "A", "role": "lead"}, TWO[1]], None, "required key"),
        ([], None, "names 0 person"),
    ],
)
def test_an_approval_that_is_none_is_refused(sealed: Path, people, manifest, said: str) -> None:
    sign(sealed, people, manifest)
    with pytest.raises(StudyError, match=said):
        answer()


def test_a_study_without_results_is_told_how_to_make_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(STUDY, encoding="utf-8")
    with pytest.raises(StudyError, match="uv run snakemake"):
        answer()


def test_the_same_release_is_remembered_once(sealed: Path) -> None:
    ledger = Path("results/study/private/ledger/opensafely.csv")
    before = ledger.read_bytes()
    numbers = read_tables("results/study/private/drafts/opensafely/audit/numbers")
    record(ledger, provenance.seal_of(sealed / "manifest.json"), {"audit": numbers})
    assert ledger.read_bytes() == before
    record(ledger, "another", {"audit": numbers})
    assert io.read(ledger)["release"].to_list().count("another") == 1
