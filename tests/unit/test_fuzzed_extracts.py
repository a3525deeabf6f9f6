"""Extracts gone wrong: plain words or a complete accounting, whatever happened to the files; and the minimal cases of faults found."""

from __future__ import annotations

import io
import re
import struct
import time
import zipfile
from collections import Counter
from pathlib import Path

import openpyxl
import pytest

from d2tra.config import load_yaml
from d2tra.errors import StudyError
from d2tra.extract.mapping import harmonise
from d2tra.extract.screen import screen_extract
from d2tra.extract.site import TableSource, load_site
from d2tra.extract.sources import read_cells
from d2tra.extract.workbooks import sheet_names
from extracts import CLEAN, site_of, write_extract
from fuzzed_extracts import BIG, Outcome, make_case, try_made

N_CASES = 40  # thousands: benchmarks/fuzz_extracts.py


def refusal(folder: Path, **declared: object) -> str:
    with pytest.raises(StudyError) as caught:
        harmonise(site_of(folder, **declared))
    return str(caught.value)


def test_extracts_gone_wrong_come_to_plain_words_or_a_complete_accounting(tmp_path: Path) -> None:
    cases = {seed: make_case(seed) for seed in range(N_CASES)}
    small = {seed: case for seed, case in cases.items() if sum(map(len, case.files.values())) < BIG}
    outcomes = [try_made(case, seed, tmp_path / "case") for seed, case in small.items()]
    assert [outcome for outcome in outcomes if not outcome.is_right] == []
    n = Counter(outcome.result for outcome in outcomes)
    assert min(n["refused"], n["accounted"]) > N_CASES / 10


@pytest.mark.parametrize(
    ("seed", "says"),
    [
        (4773, "columns 7 and 12 are named alike"),  # rows in the place of the header: their cells were said
        (4990, "patients.parquet: not readable as parquet"),  # broken bytes: the reading library panicked
    ],
)
def test_of_cases_that_once_went_wrong_each_comes_to_plain_words(
    seed: int, says: str, tmp_path: Path
) -> None:
    outcome = try_made(make_case(seed), seed, tmp_path / "case")
    assert outcome.is_right
    assert says in outcome.says


def test_a_lost_row_a_traceback_and_a_said_value_are_defects() -> None:
    for result in ("rows lost", "rows miscounted", "traceback: ValueError", "a value was said", "hang"):
        assert not Outcome(0, "csv", (), result, "").is_right


# Settings


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "\n".join(
            f"{c}: &{c} [{', '.join([f'*{b}'] * 9)}]" for b, c in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "a: &a [*a]",
        "a: &a {b: {c: *a}}",
        "[" * 200_000,
        "- " * 60 + "x",
        "[" + "x, " * 100_001 + "]",
    ],
)
def test_settings_that_unfold_without_end_are_refused_at_once(tmp_path: Path, text: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    started = time.monotonic()
    with pytest.raises(StudyError, match="no file of settings"):
        load_yaml(path)
    assert time.monotonic() - started < 3


def test_aliases_that_say_something_twice_are_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("a: &a {x: 1}\nb: *a\nc: [*a, *a]\n")
    assert load_yaml(path) == {"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}


@pytest.mark.parametrize("text", ["date: 2020-99-99", "x: \xe9"])
def test_a_date_of_no_calendar_and_foreign_bytes_are_no_yaml(tmp_path: Path, text: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(text.encode("cp1252"))
    with pytest.raises(StudyError, match="not readable as YAML"):
        load_yaml(path)
    with pytest.raises(StudyError, match="not readable"):
        load_yaml(tmp_path)


def test_a_wrong_mapping_is_not_printed_whole(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        "source: [" + "abc, " * 5_000 + "]\ntables: {" + ", ".join(f"t{n}: x" for n in range(99)) + "}\n"
    )
    with pytest.raises(StudyError) as caught:
        load_site(path.as_posix())
    assert len(str(caught.value)) < 3_000
    assert "more like these" in str(caught.value)


def test_a_wide_to_long_of_endless_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    reshape = "{columns: {'Drug {n}': drug}, numbers: [1, 100000000]}"
    path.write_text(f"source: .\ntables: {{treatments: {{file: a.csv, wide_to_long: [{reshape}]}}}}\n")
    with pytest.raises(StudyError, match="numbers"):
        load_site(path.as_posix())


# Files


def test_a_missing_header_does_not_put_a_patient_on_the_screen(tmp_path: Path) -> None:
    write_extract(tmp_path, **CLEAN)
    path = tmp_path / "visits.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    message = refusal(tmp_path)
    assert "visits.csv: the header of column 1 reads as one of its cells" in message
    assert "P1" not in message
    path.write_text("P1,2020-01-01,2020-01-01\nP2,2020-01-02,2020-01-03\n")
    assert "2020" not in refusal(tmp_path)


def test_a_header_as_long_as_a_letter_is_refused_by_its_number(tmp_path: Path) -> None:
    write_extract(tmp_path, **CLEAN)
    path = tmp_path / "visits.csv"
    path.write_text(path.read_text().replace("tjc28", "x" * 201, 1))
    assert "the header of column 3 has 201 characters" in refusal(tmp_path)


@pytest.mark.parametrize("encoding", ["undefined", "idna", "zip", "utf-16", "punycode"])
def test_an_encoding_that_does_not_fit_is_said(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "labs.csv"
    path.write_bytes(b"id,\xe9\n1,2\n")
    with pytest.raises(StudyError, match=encoding):
        read_cells(path, TableSource(file="labs.csv", encoding=encoding))


def test_a_link_to_a_file_is_followed_and_one_that_leads_nowhere_is_no_file(tmp_path: Path) -> None:
    extract = write_extract(tmp_path / "extract", **CLEAN)
    (extract / "labs.csv").rename(tmp_path / "elsewhere.csv")
    (extract / "labs.csv").symlink_to(tmp_path / "elsewhere.csv")
    assert harmonise(site_of(extract)).tables["labs"].height == 4
    (extract / "visits.csv").unlink()
    (extract / "visits.csv").symlink_to(extract / "visits.csv")
    assert "no table visits" in refusal(extract)
    (extract / "visits.csv").unlink()
    (extract / "visits.csv").mkdir()
    assert "no table visits" in refusal(extract)


# Workbooks


def workbook(path: Path, cell: str = "B2") -> Path:
    book = openpyxl.Workbook()
    book.active["A1"], book.active[cell] = "patient_id", "x"
    book.save(path)
    return path


def repacked(path: Path, bloat: int, declared: int | None = None) -> Path:
    """Writes the workbook anew, its sheet with that many blanks inside, and that size in the archive's directory."""
    written = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            content = old.read(part)
            blanks = b" " * bloat if "sheet1" in part else b""
            new.writestr(part, content.replace(b"<sheetData>", b"<sheetData>" + blanks))
    content = bytearray(written.getvalue())
    for place in (match.start() for match in re.finditer(b"PK\x01\x02", bytes(content))):
        if declared is not None and b"sheet1" in content[place : place + 80]:
            content[place + 24 : place + 28] = struct.pack("<I", declared)
    path.write_bytes(content)
    return path


def test_a_workbook_that_would_unpack_to_gigabytes_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="gigabytes"):
        sheet_names(repacked(workbook(tmp_path / "a.xlsx"), bloat=25_000_000))
    with pytest.raises(StudyError, match="gigabytes"):
        sheet_names(repacked(workbook(tmp_path / "b.xlsx"), bloat=10, declared=2**32 - 2))
    assert sheet_names(repacked(workbook(tmp_path / "c.xlsx"), bloat=1_000_000)) == ["Sheet"]


def test_a_workbook_that_lies_about_its_size_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="damaged"):
        sheet_names(repacked(workbook(tmp_path / "a.xlsx"), bloat=1_000_000, declared=100))


def test_a_lonely_cell_at_the_far_end_of_a_sheet_does_not_fill_the_memory(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="row 1,048,576, column 16,384"):
        sheet_names(workbook(tmp_path / "a.xlsx", cell="XFD1048576"))
    assert sheet_names(workbook(tmp_path / "b.xlsx", cell="AN1048576")) == ["Sheet"]


def test_a_cell_of_a_million_numbers_is_screened_in_seconds(tmp_path: Path) -> None:
    write_extract(tmp_path, **CLEAN)
    path = tmp_path / "visits.csv"
    path.write_text(path.read_text().replace("55.5", "943 476 5919 " * 80_000, 1))
    started = time.monotonic()
    assert "NHS number" in {hit.kind for hit in screen_extract(site_of(tmp_path)).hits}
    assert time.monotonic() - started < 10
