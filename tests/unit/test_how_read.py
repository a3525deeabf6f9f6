"""What was declared and what was found out of each raw file is said; what is hidden is read like the rest."""

from __future__ import annotations

import logging
from pathlib import Path

import openpyxl
import pytest

from d2tra.extract.how_read import how_files_are_read
from d2tra.extract.mapping import harmonise
from d2tra.extract.screen import screen_extract
from d2tra.extract.sheet_layouts import letters, sheet_layouts
from d2tra.extract.site import SiteMapping, TableSource
from d2tra.extract.sources import read_cells


def site(folder: Path, **tables: dict[str, object]) -> SiteMapping:
    return SiteMapping.model_validate(
        {"name": "ward", "path": "ward.yaml", "source": str(folder), "tables": tables}
    )


def said_of(folder: Path, content: bytes, name: str = "labs.csv", **declared: object) -> dict[str, object]:
    (folder / name).write_bytes(content)
    return how_files_are_read(site(folder, labs={"file": name, **declared}))[0]


@pytest.mark.parametrize(
    ("content", "declared", "encoding", "has_mark", "delimiter", "decided"),
    [
        (b"a;b\n1;2\n", {}, "utf-8", False, ";", "found"),
        (b"\xef\xbb\xbfa\tb\n1\t2\n", {}, "utf-8", True, "tab", "found"),
        (b"a,b\n\xe9,2\n", {"encoding": "cp1252", "delimiter": ","}, "cp1252", False, ",", "declared"),
        ("a|b\n1|2\n".encode("utf-16"), {"encoding": "utf-16"}, "utf-16", True, "|", "found"),
    ],
)
def test_encoding_mark_and_delimiter_of_a_text_file_are_said(
    tmp_path: Path,
    content: bytes,
    declared: dict[str, object],
    encoding: str,
    has_mark: bool,
    delimiter: str,
    decided: str,
) -> None:
    said = said_of(tmp_path, content, **declared)
    assert (said["encoding"], said["byte_order_mark"], said["delimiter"], said["delimiter_is"]) == (encoding, has_mark, delimiter, decided)  # fmt: skip


def test_a_header_further_down_and_how_dates_are_written_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="d2tra")
    logging.getLogger("d2tra").propagate = True
    said = said_of(tmp_path, b"a title\nid,seen\n1,43831\n", header_row=2, dates={"format": "excel"})
    assert (said["header_row"], said["rows_above_header"], said["dates"]) == (2, 1, "Excel day numbers")
    assert "read as: source labs.csv" in caplog.text


def hospital_workbook(path: Path) -> Path:
    """Sheet Clinic: its header over two rows, study number merged downwards, a hidden column; sheet Old is hidden."""
    book = openpyxl.Workbook()
    clinic = book.active
    clinic.title = "Clinic"
    for row in (
        ["Study no", "Joints", None, "Seen"],
        [None, "TJC", "SJC", None],
        ["P1", 3, 4, "2020-01-02"],
        ["P2", 5, 6, "2020-01-03"],
    ):
        clinic.append(row)
    for cells in ("A1:A2", "B1:C1", "D1:D2"):
        clinic.merge_cells(cells)
    clinic.column_dimensions["C"].hidden = True
    clinic.row_dimensions[4].hidden = True
    old = book.create_sheet("Old")
    old.append(["note"])
    old.append(["ask 943 476 5919"])
    old.sheet_state = "hidden"
    book.save(path)
    return path


def clinic_of(folder: Path) -> SiteMapping:
    columns = {"Study no": "patient_id", "Seen": "visit_date", "TJC": "tjc28", "SJC": "sjc28"}
    return site(
        hospital_workbook(folder / "w.xlsx").parent,
        visits={"file": "w.xlsx", "sheet": "Clinic", "header_row": 2, "columns": columns},
    )


def test_a_header_over_two_rows_takes_the_merged_cell_above_where_its_own_is_empty(tmp_path: Path) -> None:
    mapping = clinic_of(tmp_path)
    source = mapping.sources()["visits"][0]
    cells = read_cells(tmp_path / "w.xlsx", source)
    assert cells.columns == ["Study no", "TJC", "SJC", "Seen", "source_row"]
    assert cells.row(1) == ("P2", "5", "6", "2020-01-03", 4)  # the hidden row and the hidden column are read
    said = how_files_are_read(mapping)[0]
    assert said["headers_from_above"] == ["A", "D"]


def test_hidden_sheets_columns_and_rows_are_said_and_screened(tmp_path: Path) -> None:
    mapping = clinic_of(tmp_path)
    clinic, old = how_files_are_read(mapping)
    assert (clinic["feeds_a_table"], clinic["is_hidden"], clinic["hidden_columns"], clinic["n_hidden_rows"]) == (True, False, ["C"], 1)  # fmt: skip
    assert (old["source"], old["feeds_a_table"], old["is_hidden"]) == ("w.xlsx [Old]", False, True)
    assert [hit.file for hit in screen_extract(mapping).hits] == ["w.xlsx [Old]"]


def test_a_title_that_is_not_merged_downwards_names_no_column(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["Clinic data", None], [None, "TJC"], [None, 3]):
        book.active.append(row)
    book.active.merge_cells("A1:B1")
    book.save(tmp_path / "w.xlsx")
    cells = read_cells(tmp_path / "w.xlsx", TableSource(file="w.xlsx", header_row=2))
    assert cells.columns == ["TJC", "source_row"]


def test_excel_day_numbers_become_dates(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("id,seen\nP1,43831\n")
    columns = {"id": "patient_id", "seen": "visit_date"}
    (tmp_path / "p.csv").write_text("patient_id,disease,sex,birth_year\nP1,RA,female,1960\n")
    mapping = site(
        tmp_path,
        patients={"file": "p.csv"},
        visits={"file": "v.csv", "columns": columns, "dates": {"format": "excel"}},
    )
    mapping = mapping.model_copy(update={"tables": {**mapping.tables, "treatments": "none"}})
    assert harmonise(mapping).tables["visits"]["visit_date"].to_list() == ["2020-01-01"]


def test_columns_are_called_as_a_spreadsheet_calls_them(tmp_path: Path) -> None:
    assert [letters(number) for number in (1, 26, 27, 703)] == ["A", "Z", "AA", "AAA"]
    assert sheet_layouts(tmp_path / "old.xls") == {}
