"""The screen on random extracts: nothing clean is stopped, everything planted is found, no value is ever said."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from d2tra.errors import StudyError
from d2tra.extract.health_numbers import is_snomed_identifier, passes_modulus_11
from d2tra.extract.identifiers import AREAS, date_years
from d2tra.extract.screen import Finding, Screening, as_screened, raise_if_identifiers, screen_extract, seals
from d2tra.extract.signs import header_words
from d2tra.extract.site import SiteMapping
from planted_identifiers import (
    PLANTS,
    clean_extract,
    screened,
)

N_CLEAN = 200


def test_no_clean_random_table_is_stopped(tmp_path: Path) -> None:
    stopped = {}
    for seed in range(N_CLEAN):
        extract = clean_extract(seed)
        table = list(extract)[seed % len(extract)]
        folder = tmp_path / table
        folder.mkdir(exist_ok=True)
        if hits := screened(folder, {table: extract[table]}).hits:
            stopped[seed] = hits
    assert stopped == {}


@pytest.mark.parametrize(("kind", "value", "n_cells"), PLANTS)
def test_every_planted_identifier_is_found_and_never_said(
    tmp_path: Path, kind: str, value: Callable[[random.Random], str], n_cells: int
) -> None:
    for seed in range(8):
        at = random.Random(1000 + seed)
        extract = clean_extract(seed)
        table = at.choice(list(extract))
        cells = ["seen", "see letter", "n/a"] * 8 if n_cells == 1 else []
        planted = [value(at) for _ in range(n_cells)]
        for cell in planted:
            cells.insert(at.randint(0, len(cells)), cell)
        only = {"patients": extract["patients"], table: {"remark": cells}}
        screening = screened(
            tmp_path, {**only, "visits": {"visit_date": ["2023-01-02"] * 99}}, hospital_number="K[0-9]{6}"
        )
        found = [(hit.file, hit.column, hit.count) for hit in screening.hits if kind in hit.kind]
        assert found == [(f"{table}.csv", "column 'remark'", n_cells)], (seed, screening.hits)
        assert not any(cell in screening.stop_message() for cell in planted)
        for path in tmp_path.iterdir():
            path.unlink()


def test_the_message_lists_each_finding_once_with_its_advice() -> None:
    hit = Finding("labs.csv", "column 'x'", "postcode", 2, "Remove it.")
    message = Screening("ward", hits=(hit,)).stop_message()
    assert message.startswith(
        "The extract of ward holds what may identify patients (postcode); nothing of it was written."
    )
    assert message.endswith("\n  labs.csv, column 'x': postcode, 2 cells. Remove it.")
    with pytest.raises(StudyError, match="column 'x': postcode"):
        raise_if_identifiers(Screening("ward", hits=(hit,)))
    raise_if_identifiers(Screening("ward", warnings=(hit,)))


def test_warnings_become_plain_values() -> None:
    warning = Finding("labs.csv", "column 'x'", "outward postcode", 2, "Look.")
    listed = {
        "file": "labs.csv",
        "column": "column 'x'",
        "kind": "outward postcode",
        "count": 2,
        "advice": "Look.",
    }
    assert Screening("ward", warnings=(warning,)).as_dict() == {
        "site": "ward",
        "warnings": [listed],
        "columns": [],
    }


def test_a_mapped_site_is_screened_by_what_its_columns_mean(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "Biologics"
    rows = [["printed by ward 0113 496 0000"], ["Ref", "Biologic 1", "Start 1", "Notes"]]
    rows += [[f"0113-49600{i:02d}", "LS9 7TF", f"19{i}-02-03", "x" * 50] for i in range(60, 66)]
    for row in rows:
        book.active.append(row)
    book.create_sheet("Lookup").append(["dob"])
    book["Lookup"].append([dt.date(1950, 2, 3)])
    book["Lookup"].sheet_state = "hidden"
    book.save(tmp_path / "register.xlsx")
    source = {
        "file": "register.xlsx", "sheet": "Biologics", "header_row": 2, "columns": {"Ref": "patient_id"},
        "wide_to_long": [{"numbers": [1, 2], "columns": {"Biologic {n}": "drug", "Start {n}": "start_date"}}],
        "allow_text": ["Notes"],
    }  # fmt: skip
    section = {"name": "ward", "path": "ward.yaml", "source": str(tmp_path), "tables": {"treatments": source}}
    hits = screen_extract(SiteMapping.model_validate(section)).hits
    assert [(hit.file, hit.column, hit.kind, hit.count) for hit in hits] == [
        ("register.xlsx [Biologics], above the header", "column 1", "phone number", 1),
        ("register.xlsx [Lookup]", "column 'dob'", "date of birth", 1),
    ]


@pytest.mark.parametrize("happens", ["nothing", "before", "within", "gone", "came"])
def test_what_was_not_screened_is_not_used_and_an_error_does_not_name_it(
    tmp_path: Path, happens: str
) -> None:
    for name in ("patients", "labs"):
        (tmp_path / f"{name}.csv").write_text("patient_id\nP1\n")
    site = SiteMapping.model_validate(
        {"name": "ward", "path": "ward.yaml", "source": str(tmp_path), "format": "canonical"}
    )
    screened = seals(site)

    def change() -> None:
        (tmp_path / "labs.csv").write_text("Mary Smith\nP1\n")

    def use() -> None:
        with as_screened(site, screened):
            if happens == "within":
                change()
                raise StudyError("unknown column 'Mary Smith'")

    if happens == "before":
        change()
    if happens == "gone":
        (tmp_path / "labs.csv").unlink()
    if happens == "came":
        (tmp_path / "visits.csv").write_text("patient_id\nP1\n")
    if happens == "nothing":
        return use()
    with pytest.raises(StudyError, match=r"^ward: 1 of \d files .* since they were screened") as error:
        use()
    assert "Smith" not in str(error.value)


def test_a_single_sheet_needs_no_name_and_a_numbered_file_is_not_named_in_an_error(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Drug"])
    book.active.append(["Jane Smith"])
    book.save(tmp_path / "b.xlsx")
    tables = {"treatments": {"file": "b.xlsx", "columns": {"Drug": "drug"}}}
    section = {"name": "ward", "path": "ward.yaml", "source": str(tmp_path), "tables": tables}
    assert screen_extract(SiteMapping.model_validate(section)).hits == ()
    (tmp_path / "LS9 7TF.csv").write_bytes(b"\xff")
    tables["treatments"]["file"] = "LS9 7TF.csv"
    with pytest.raises(StudyError, match=r"^file 1, line 1") as caught:
        screen_extract(SiteMapping.model_validate(section))
    assert "7TF" not in str(caught.value)


def test_a_column_of_old_dates_alone_in_the_extract_has_nothing_to_be_judged_by(tmp_path: Path) -> None:
    dates = [f"19{year}-02-03" for year in range(40, 60)]
    assert screened(tmp_path, {"patients": {"x": dates}}).hits == ()
    assert len(screened(tmp_path, {"patients": {"x": dates}}, data_cut_date="2020-01-01").hits) == 1


def test_a_few_mistyped_years_do_not_move_the_last_year_of_the_extract(tmp_path: Path) -> None:
    recent = [f"20{year}-03-0{day}" for year in range(10, 20) for day in range(1, 8)]
    visits = {"visit_date": [*recent * 5, "2099-01-01"]}
    assert screened(tmp_path, {"patients": {"referred": recent}, "visits": visits}).hits == ()


def test_modulus_11_and_verhoeff_agree_with_published_numbers() -> None:
    numbers = pl.DataFrame({"n": ["9434765919", "9434765918", "0000000000"]})
    assert numbers.select(passes_modulus_11(pl.col("n"))).to_series().to_list() == [True, False, False]
    # 1162313005 and 69896004 are SNOMED CT concepts of rheumatoid arthritis (clinical code list)
    assert [is_snomed_identifier(n) for n in ("1162313005", "69896004", "1162313006", "9434765919")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_dates_are_read_however_written() -> None:
    written = [
        "1945-05-12",
        "12/05/1945",
        "12-May-45",
        "3rd March 1951",
        "May 12, 1945",
        "19450512",
        "1945",
        "99-99-99x",
    ]
    values = pl.DataFrame({"value": written, "count": [1] * len(written)})
    assert date_years(values)["year"].to_list() == [1945, 1945, 1945, 1951, 1945, 1945]


def test_the_words_of_a_header_are_told_apart() -> None:
    assert (
        header_words("NHSNumber")
        == header_words("nhs_number")
        == header_words("NHS-Number")
        == ["nhs", "number"]
    )


def test_the_areas_are_the_124_of_the_united_kingdom_and_the_islands() -> None:
    assert len(AREAS.split()) == len(set(AREAS.split())) == 124
