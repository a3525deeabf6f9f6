"""What the screen looks at beside cells, what it writes down of every column, and that it reads large files in pieces."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from openpyxl.comments import Comment
from openpyxl.drawing.image import Image

from d2tra.errors import StudyError
from d2tra.extract import screened_columns, text_files
from d2tra.extract.identifiers import signs_in_column, signs_in_name
from d2tra.extract.screen import Screening, raise_if_identifiers, raw_files, screen_extract
from d2tra.extract.signs import Column
from d2tra.extract.site import TableSource
from d2tra.extract.text_files import read_text_batches, read_text_file
from extracts import CLEAN, site_of, write_extract
from planted_identifiers import FORMS, KINDS, can_stop, missed, plant, valid_number

ROOT = Path(__file__).resolve().parents[2]


def screened(folder: Path, column: str, cells: list[str], **declared: object) -> Screening:
    write_extract(folder, visits=CLEAN["visits"])
    ids = {"patient_id": [f"P{number}" for number in range(len(cells))]}
    pl.DataFrame({**ids, column: cells}).write_csv(folder / "patients.csv")
    return screen_extract(site_of(folder, **declared))


def kinds(screening: Screening) -> list[tuple[str, int]]:
    return [(hit.kind, hit.count) for hit in screening.hits]


def warned(screening: Screening) -> list[tuple[str, int]]:
    return [(warning.kind, warning.count) for warning in screening.warnings]


@pytest.mark.parametrize("form", FORMS)
def test_identifiers_are_found_in_every_form_and_never_said(tmp_path: Path, form: str) -> None:
    stopping = [kind for kind in KINDS if can_stop(kind, form)]
    for kind in random.Random(form).sample(stopping, 2):  # all pairs: benchmarks/screen.py
        assert missed(random.Random(form), kind, form, tmp_path / kind) is None, kind


# Decisions


def test_what_was_looked_for_and_decided_is_written_down_for_every_column(tmp_path: Path) -> None:
    write_extract(tmp_path, **CLEAN)
    written = screen_extract(site_of(tmp_path, hospital_number="K[0-9]{6}")).as_dict()["columns"]
    columns = {(entry["file"], entry["column"]): entry for entry in written}
    headers = {
        (f"{t}.csv", f"column {h.strip()!r}")
        for t in CLEAN
        for h in CLEAN[t].strip().splitlines()[0].split("|")
    }
    assert set(columns) == headers
    assert {entry["decision"] for entry in written} == {"pass"}
    drug = columns["treatments.csv", "column 'drug'"]
    assert drug["n_filled"] == 3
    assert {"NHS number", "e-mail address", "phone number", "hospital number"} <= set(drug["looked_for"])
    assert {kind: why.split(" ")[0] for kind, why in drug["exempt"].items()} == {
        "name": "a", "free text": "a", "postcode": "two"
    }  # fmt: skip
    assert "phone number" in columns["labs.csv", "column 'patient_id'"]["exempt"]
    assert columns["patients.csv", "column 'death_month'"]["why"] == "no cell shows any of these"


def test_a_decision_says_how_many_cells_passed_the_check_by_chance_and_no_value(tmp_path: Path) -> None:
    at = random.Random(3)
    cells = [valid_number(at), *(str(at.randrange(10**9, 10**10)) for _ in range(20))]
    screening = screened(tmp_path, "ref", cells)
    decision = next(column for column in screening.columns if column.column == "column 'ref'")
    assert decision.decision == "warning"
    assert "of 21 cells of ten digits pass the check of an NHS number: chance" in decision.why
    assert not any(cell in json.dumps(screening.as_dict()) for cell in cells)


def test_a_column_that_stops_says_so_in_its_decision(tmp_path: Path) -> None:
    decisions = {
        column.column: column for column in screened(tmp_path, "contact", ["a@example.org", ""]).columns
    }
    assert decisions["column 'contact'"].decision == "stop"
    assert decisions["column 'contact'"].why == "e-mail address: 1 of 1 filled cells"


def test_a_header_that_reads_as_a_cell_is_named_by_its_number(tmp_path: Path) -> None:
    screening = screened(tmp_path, "K0417", ["K0418", "someone@example.org"])
    assert [(hit.column, hit.kind) for hit in screening.hits] == [("column 2", "e-mail address")]


# Kinds


@pytest.mark.parametrize(
    "cell",
    [
        "943\u200b476\u200b5919 and 943 476\u2060 5919",
        "NHS ９４３ ４７６ ５９１９",
        "someone\u200b@example.org",
        "LS9\u00a07TF",
        "LS9 7\u00adTF",
    ],
)
def test_characters_nobody_sees_and_other_forms_of_digits_hide_nothing(tmp_path: Path, cell: str) -> None:
    assert kinds(screened(tmp_path, "remark", ["ok", cell, "seen", "none"])) != []
    assert [hit.kind for hit in screened(tmp_path, "d\u200bob", ["1950-02-03"]).hits] == ["date of birth"]


def test_decimal_numbers_are_no_phone_and_no_nhs_numbers(tmp_path: Path) -> None:
    cells = [
        "0.0044123456789",
        "5.9434765919",
        "00.44",
        "1.0044207946095",
        "12.01134960000",
        "-0.00441234567",
    ]
    screening = screened(tmp_path, "score", cells)
    assert (kinds(screening), warned(screening)) == ([], [])


def test_ages_above_90_are_a_warning(tmp_path: Path) -> None:
    assert warned(screened(tmp_path, "Age at visit", ["90", "91", "104.5", "131", "x"])) == [
        ("age above 90", 2)
    ]
    assert warned(screened(tmp_path, "stage", ["95"])) == []
    years = ["1929", "1930", "1931", "2000"]
    assert warned(screened(tmp_path, "birth_year", years, data_cut_date="2020-06-30")) == [
        ("age above 90", 1)
    ]
    assert warned(screened(tmp_path, "birth_year", ["1929", "1930"])) == [
        ("age above 90", 1)
    ]  # visits of 2020


def test_a_letter_and_six_digits_in_every_cell_are_a_warning_unless_declared(tmp_path: Path) -> None:
    cells = [f"K{number}" for number in range(123456, 123461)]
    assert warned(screened(tmp_path, "ref", cells)) == [("possible hospital number", 5)]
    assert warned(screened(tmp_path, "ref", cells[:4])) == []
    assert warned(screened(tmp_path, "ref", cells, id_columns=["ref"])) == []


def test_who_wrote_comments_and_what_is_embedded_are_warnings(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "patients"
    book.active["A1"] = "patient_id"
    book.active["A1"].comment = Comment("the key", "Jane Smith")
    book.active.add_image(Image(next((ROOT / "docs").rglob("*.png"), None) or _picture(tmp_path)))
    book.properties.creator = None
    book.save(tmp_path / "register.xlsx")
    screening = screen_extract(site_of(tmp_path))
    assert kinds(screening) == []
    assert dict(warned(screening))["author's name"] == 1
    assert dict(warned(screening))["embedded file"] == 1
    assert "Jane" not in json.dumps(screening.as_dict())


def _picture(folder: Path) -> Path:
    import matplotlib.image

    matplotlib.image.imsave(folder / "picture.png", [[0.0, 1.0]])
    return folder / "picture.png"


def test_a_file_name_that_is_an_identifier_stops_before_anybody_says_it(tmp_path: Path) -> None:
    values = plant(random.Random(1), "NHS number", "file name", tmp_path) or []
    with pytest.raises(StudyError, match="file 1, name of the file: NHS number") as caught:
        raw_files(site_of(tmp_path))
    assert values[0] not in str(caught.value)
    write_extract(tmp_path / "clean", **CLEAN)
    assert len(raw_files(site_of(tmp_path / "clean"))) == len(CLEAN)


# Large files


def test_a_column_of_very_many_distinct_cells_is_judged_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screened_columns, "MOST_DISTINCT", 40)
    at = random.Random(5)
    monkeypatch.setattr(text_files, "PIECE", 500)
    cells = [str(at.randrange(10**9, 10**10)) for _ in range(300)]
    screening = screened(tmp_path, "ref", [*cells, "someone@example.org", *cells])
    assert kinds(screening) == [("e-mail address", 1)]
    decision = next(column for column in screening.columns if column.column == "column 'ref'")
    assert decision.n_filled == 601
    with pytest.raises(StudyError):
        raise_if_identifiers(screened(tmp_path, "ref", [valid_number(at) for _ in range(300)]))


def test_a_text_file_in_pieces_holds_the_rows_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, path, n_pieces = random.Random(3), tmp_path / "labs.csv", 0
    for _ in range(60):
        monkeypatch.setattr(text_files, "PIECE", at.choice([20, 50, 200]))
        width, written = at.randint(1, 4), io.StringIO()
        cell = ["a", "7", ",", "\n", '"', "é", "", " "]
        rows = [
            ["".join(at.choices(cell, k=at.randint(0, 3))) for _ in range(width)]
            for _ in range(at.randint(0, 40))
        ]
        csv.writer(written, quoting=at.choice([0, 1])).writerows([[f"h{i}" for i in range(width)], *rows])
        encoding = at.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252"])
        path.write_bytes(written.getvalue().encode(encoding))
        source = TableSource(file=path.name, encoding=encoding, delimiter=",")
        pieces = list(read_text_batches(path, source))
        n_pieces += len(pieces)
        whole = read_text_file(path, source)
        assert {tuple(piece.header) for piece in pieces} == {tuple(whole.header)}
        assert [row for piece in pieces for row in filled(piece.cells)] == filled(whole.cells)
    assert n_pieces > 150


def filled(cells: pl.DataFrame) -> list[tuple[object, ...]]:
    trimmed = cells.select(pl.all().str.strip_chars())
    return [row for row in trimmed.select(pl.when(pl.all() != "").then(pl.all())).rows() if any(row)]


@pytest.mark.parametrize("name", ["Zoe Brontë", "Brontë, Zoe", "zoe_núñez", "Simon O’Neill"])
def test_a_surname_of_any_letters_is_a_name_in_a_header_a_sheets_or_a_files_name(name: str) -> None:
    assert [sign.kind for sign in signs_in_name(name)] == ["name"]


@pytest.mark.parametrize(
    ("header", "is_of_names"), [("a_name", True), ("name 2", True), ("drug_name", False)]
)
def test_a_header_name_beside_a_letter_or_number_is_one_of_names(header: str, is_of_names: bool) -> None:
    values = pl.DataFrame({"cell": [0, 1], "value": ["Smith", "Jones"], "count": [1, 1]})
    found = [sign.kind for sign in signs_in_column(Column(header, values)) if sign.stops]
    assert found == (["name"] if is_of_names else [])
