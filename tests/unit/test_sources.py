"""Raw files arrive as text, cell for cell, with the row numbers that a spreadsheet shows."""

from __future__ import annotations

import csv
import datetime as dt
import io
import random
import zipfile
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from d2tra.errors import StudyError
from d2tra.extract.document_parts import document_properties
from d2tra.extract.site import SiteMapping, TableSource
from d2tra.extract.sources import all_cells, read_cells, source_label
from d2tra.extract.workbooks import sheet_names


def cells_of(folder: Path, content: str | bytes, name: str = "labs.csv", **declared: object) -> pl.DataFrame:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_cells(path, TableSource.model_validate({"file": name, **declared}))


def complaint(folder: Path, content: str | bytes, name: str = "labs.csv", **declared: object) -> str:
    with pytest.raises(StudyError) as caught:
        cells_of(folder, content, name, **declared)
    return str(caught.value)


def workbook(path: Path, sheets: dict[str, list[list[object]]], hidden: tuple[str, ...] = ()) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    book.save(path)
    return path


def site_of(path: Path, **tables: TableSource | list[TableSource]) -> SiteMapping:
    source = path if path.is_dir() else path.parent
    return SiteMapping(name="ward", path="ward.yaml", source=str(source), tables=tables)


def test_cells_keep_the_text_of_the_file_trimmed_and_null_where_empty(tmp_path: Path) -> None:
    cells = cells_of(tmp_path, 'id,value,unit\n0012, <5 ,""\n1.2E+10,3.10,  \n')
    assert cells.rows() == [("0012", "<5", None, 2), ("1.2E+10", "3.10", None, 3)]
    assert cells.schema == {"id": pl.String, "value": pl.String, "unit": pl.String, "source_row": pl.Int64}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_by_itself(tmp_path: Path, delimiter: str) -> None:
    cells = cells_of(tmp_path, delimiter.join(["id", "crp"]) + "\n" + delimiter.join(["p1", "3.2"]) + "\n")
    assert cells.rows() == [("p1", "3.2", 2)]


def test_a_semicolon_file_with_decimal_commas_and_commas_in_its_headers_splits_at_semicolons(
    tmp_path: Path,
) -> None:
    cells = cells_of(tmp_path, "id;crp (mg/L, serum, mean);esr\np1;3,2;12,5\np2;4;12\n")
    assert cells.columns == ["id", "crp (mg/L, serum, mean)", "esr", "source_row"]
    assert cells["esr"].to_list() == ["12,5", "12"]


def test_packed_cells_do_not_mislead_the_delimiter(tmp_path: Path) -> None:
    assert cells_of(tmp_path, "id,drugs\np1,3;5;111\np2,4;6;7\n")["drugs"].to_list() == ["3;5;111", "4;6;7"]


def test_a_declared_delimiter_and_a_tsv_name_decide(tmp_path: Path) -> None:
    assert cells_of(tmp_path, "a;b,c\n1;2,3\n", delimiter=";").rows() == [("1", "2,3", 2)]
    assert cells_of(tmp_path, "a,b\tc\n1,2\t3\n", "labs.tsv").columns == ["a,b", "c", "source_row"]
    assert cells_of(tmp_path, "a\tb,c,d\n1\t2,3,4\n", delimiter="tab").columns[0] == "a"
    assert "one character" in complaint(tmp_path, "a\n1\n", delimiter=";;")


def test_a_single_column_is_a_table_too(tmp_path: Path) -> None:
    assert cells_of(tmp_path, "patient_id\np1\n\np2\n").rows() == [("p1", 2), ("p2", 4)]


def test_a_byte_order_mark_and_windows_or_old_macintosh_line_ends_are_no_content(tmp_path: Path) -> None:
    for content in (b"\xef\xbb\xbfid,crp\r\np1,3\r\n", b"id,crp\rp1,3\r", b"id,crp\np1,3"):
        assert cells_of(tmp_path, content).rows() == [("p1", "3", 2)]
        assert cells_of(tmp_path, content).columns[0] == "id"


def test_a_line_break_inside_quotes_is_one_row_of_the_spreadsheet(tmp_path: Path) -> None:
    cells = cells_of(tmp_path, 'id,note\np1,"first\nsecond, ""third"""\np2,x\n')
    assert cells.rows() == [("p1", 'first\nsecond, "third"', 2), ("p2", "x", 3)]


def test_a_quotation_mark_inside_a_plain_cell_stands_for_itself(tmp_path: Path) -> None:
    assert cells_of(tmp_path, "id,height\np1,5'7\"\np2,6\n")["height"].to_list() == ["5'7\"", "6"]


def test_blank_rows_are_left_out_and_the_numbering_goes_on(tmp_path: Path) -> None:
    cells = cells_of(tmp_path, "id,crp\np1,1\n\n,\n  \np2,2\n,\n\n\n")
    assert cells.rows() == [("p1", "1", 2), ("p2", "2", 6)]


def test_rows_above_a_declared_header_count(tmp_path: Path) -> None:
    cells = cells_of(tmp_path, '"Ward A,\nlabs"\n\nid,crp\np1,3\n', header_row=3)
    assert cells.rows() == [("p1", "3", 4)]
    assert cells.columns == ["id", "crp", "source_row"]


def test_a_header_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    cells = cells_of(tmp_path, "id,crp\n")
    assert cells.height == 0
    assert cells.columns == ["id", "crp", "source_row"]


def test_an_empty_column_without_header_is_passed_over(tmp_path: Path) -> None:
    assert cells_of(tmp_path, "id,crp,\np1,3,\n").columns == ["id", "crp", "source_row"]


def test_other_encodings_are_read_when_declared(tmp_path: Path) -> None:
    assert cells_of(tmp_path, "id,süd\np1,é\n".encode("cp1252"), encoding="cp1252")["süd"].item() == "é"
    assert cells_of(tmp_path, "id,crp\np1,3\n".encode("utf-16"), encoding="utf-16")["crp"].item() == "3"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"id,crp\np1,3\np2,\xe9\n", ["labs.csv", "line 3", "utf-8", "encoding: cp1252"]),
        ("id,crp\np1,3\n".encode("utf-16"), ["labs.csv", "line 1", "encoding: utf-16"]),
        (b"id,crp\np1,3\np2,4\x00\n", ["labs.csv", "line 3", "NUL"]),
        (b"PK\x03\x04\x00\xff", ["labs.csv", "workbook"]),
        (b"", ["labs.csv", "empty"]),
        (b"\xef\xbb\xbf\n \n", ["labs.csv", "empty"]),
        (b",,\n1,2,3\n", ["labs.csv", "row 1 holds no header"]),
        (b"\nid,crp\n1,2\n", ["labs.csv", "row 1 holds no header", "header_row"]),
        (b"id,,crp\n1,2,3\n", ["labs.csv", "column 2", "no header"]),
        (b'"id\n1,2\n', ["labs.csv", "row 1", "quotation mark"]),
        (b"id,crp\np1,3\np2\np3\n", ["labs.csv", "row 3", "1 cells", "header has 2", "2 such rows"]),
        (b"id,crp\np1,3\np2,4,5\n", ["labs.csv", "row 3", "3 cells"]),
        (b'id,crp\np1,"3, x"\np2\n', ["labs.csv", "row 3"]),
        (b"id,crp\np1\n,\n", ["labs.csv", "row 2"]),
        (b'id,crp\np1,"3\np2,4\n', ["labs.csv", "row 2", "quotation mark"]),
        (b'id,crp\np1,"3"x\np2,"4"y\n', ["labs.csv", "row 2", "quotation mark"]),
        (b"id,crp,crp\np1,3,4\n", ["labs.csv", "columns 2 and 3 are named alike"]),
        (b"id,source_row\np1,3\n", ["labs.csv", "source_row"]),
    ],
)
def test_a_file_that_is_no_table_stops_in_plain_words(
    tmp_path: Path, content: bytes, says: list[str]
) -> None:
    message = complaint(tmp_path, content)
    for part in says:
        assert part in message


def test_a_header_row_behind_the_end_is_no_header(tmp_path: Path) -> None:
    assert "row 9 holds no header" in complaint(tmp_path, "id\n1\n", header_row=9)


def test_a_cell_of_ten_million_characters_is_an_unclosed_quotation_mark(tmp_path: Path) -> None:
    assert "quotation mark" in complaint(tmp_path, 'id,"note\n' + "x" * 10_000_001)


def test_an_unknown_encoding_is_named(tmp_path: Path) -> None:
    assert "'utf-9'" in complaint(tmp_path, "id\n1\n", encoding="utf-9")


def test_a_missing_file_names_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "labs.csv").write_text("id\n1\n")
    with pytest.raises(StudyError, match=r"no such file, did you mean 'labs\.csv'"):
        read_cells(tmp_path / "lab.csv", TableSource(file="lab.csv"))
    with pytest.raises(StudyError, match="no such file"):
        sheet_names(tmp_path / "register.xlsx")
    with pytest.raises(StudyError, match="no such file"):
        read_cells(tmp_path / "nowhere" / "lab.csv", TableSource(file="lab.csv"))


def test_a_file_of_another_kind_names_those_that_are_read(tmp_path: Path) -> None:
    assert ".parquet" in complaint(tmp_path, "x", "labs.docx")


def test_a_sheet_gives_dates_as_iso_text_and_whole_numbers_without_decimals(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "register.xlsx",
        {
            "Labs": [
                ["id", "on", "value", "at"],
                ["0012", dt.date(2020, 1, 2), 12.0, dt.datetime(2020, 1, 2, 10, 30)],
                [None, None, None, None],
                [9434765919, " text ", 34.2, None],
            ]
        },
    )
    cells = read_cells(path, TableSource(file=path.name))
    assert cells.rows() == [
        ("0012", "2020-01-02", "12", "2020-01-02 10:30:00", 2),
        ("9434765919", "text", "34.2", None, 4),
    ]


def test_a_sheet_counts_rows_from_its_first_even_if_those_are_blank(tmp_path: Path) -> None:
    path = workbook(tmp_path / "r.xlsx", {"Labs": [[], ["Ward A"], ["id", "crp"], ["p1", 3]]})
    assert read_cells(path, TableSource(file="r.xlsx", header_row=3)).rows() == [("p1", "3", 4)]
    with pytest.raises(StudyError, match="row 1 holds no header"):
        read_cells(path, TableSource(file="r.xlsx"))
    with pytest.raises(StudyError, match="row 9 holds no header"):
        read_cells(path, TableSource(file="r.xlsx", header_row=9))


def test_a_sheet_that_is_not_there_names_the_nearest_and_all(tmp_path: Path) -> None:
    path = workbook(tmp_path / "r.xlsx", {"Biologics": [["id"]], "Bloods": [["id"]]})
    assert sheet_names(path) == ["Biologics", "Bloods"]
    with pytest.raises(StudyError, match=r"no sheet 'Biologic', did you mean 'Biologics'"):
        read_cells(path, TableSource(file="r.xlsx", sheet="Biologic"))
    with pytest.raises(StudyError, match="which sheet"):
        read_cells(path, TableSource(file="r.xlsx"))


def test_a_damaged_workbook_or_parquet_file_stops_in_plain_words(tmp_path: Path) -> None:
    assert "not readable as a workbook" in complaint(tmp_path, "<html>", "r.xlsx")
    assert "not readable as parquet" in complaint(tmp_path, "<html>", "r.parquet")


def test_a_sheet_that_is_damaged_stops_in_plain_words(tmp_path: Path) -> None:
    whole = workbook(tmp_path / "whole.xlsx", {"Labs": [["id"]]})
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(tmp_path / "r.xlsx", "w") as new:
        for part in old.namelist():
            new.writestr(part, "<worksheet><sheetData><row>" if "sheet1" in part else old.read(part))
    with pytest.raises(StudyError, match=r"r\.xlsx \[Labs\]: the sheet is not readable"):
        read_cells(tmp_path / "r.xlsx", TableSource(file="r.xlsx"))


def test_a_parquet_file_is_cast_to_text_and_counts_from_row_2(tmp_path: Path) -> None:
    path = tmp_path / "visits.parquet"
    pl.DataFrame(
        {
            "id": ["p1", " ", "p2"],
            "on": [dt.date(2020, 1, 2), None, None],
            "at": [dt.datetime(2020, 1, 2), None, dt.datetime(2020, 1, 2, 9, 30)],
            "tjc28": [3.0, float("nan"), 3.5],
            "n": [1, None, 2],
            "flag": [True, None, False],
        }
    ).write_parquet(path)
    assert read_cells(path, TableSource(file=path.name)).rows() == [
        ("p1", "2020-01-02", "2020-01-02", "3", "1", "true", 2),
        ("p2", None, "2020-01-02 09:30:00", "3.5", "2", "false", 4),
    ]


def test_a_parquet_file_with_lists_or_nul_bytes_stops(tmp_path: Path) -> None:
    path = tmp_path / "visits.parquet"
    pl.DataFrame({"id": [[1, 2]]}).write_parquet(path)
    with pytest.raises(StudyError, match="'id' holds no plain values"):
        read_cells(path, TableSource(file=path.name))
    pl.DataFrame({"id": ["a\0b"]}).write_parquet(path)
    with pytest.raises(StudyError, match="NUL"):
        read_cells(path, TableSource(file=path.name))


def test_the_label_names_file_and_sheet(tmp_path: Path) -> None:
    assert source_label(tmp_path / "labs.csv", TableSource(file="labs.csv")) == "labs.csv"
    assert source_label(tmp_path / "r.xlsx", TableSource(file="r.xlsx", sheet="Labs")) == "r.xlsx [Labs]"


def test_the_screen_sees_every_sheet_hidden_ones_and_what_stands_above_a_header(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "r.xlsx",
        {
            "Labs": [["Ward A", "printed"], ["id", "crp"], ["p1", 3]],
            "Notes": [["x", "x", None], ["a", "b", "c"]],
            "Blank": [],
        },
        hidden=("Notes",),
    )
    site = site_of(path, labs=TableSource(file="r.xlsx", sheet="Labs", header_row=2))
    frames = all_cells(path, site)
    assert list(frames) == [
        "r.xlsx [Labs]",
        "r.xlsx [Labs], above the header",
        "r.xlsx [Notes]",
        "r.xlsx [Blank]",
    ]
    assert frames["r.xlsx [Labs]"].to_dicts() == [{"id": "p1", "crp": "3"}]
    assert frames["r.xlsx [Labs], above the header"].row(0) == ("Ward A", "printed")
    assert frames["r.xlsx [Notes]"].columns == ["x", "x [2]", "column 3"]


def test_the_screen_sees_a_text_file_once_however_many_tables_it_feeds(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    path.write_text("Ward A\nid,crp\np1,3\n")
    source = TableSource(file="visits.csv", header_row=2)
    frames = all_cells(path, site_of(tmp_path, visits=source, labs=source))
    assert {label: frame.rows() for label, frame in frames.items()} == {
        "visits.csv": [("p1", "3")],
        "visits.csv, above the header": [("Ward A",)],
    }


def test_the_properties_of_a_workbook_are_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.properties.creator, book.properties.keywords = "Ward A", "register"
    book.save(tmp_path / "r.xlsx")
    properties = document_properties(tmp_path / "r.xlsx")
    assert (properties["creator"], properties["keywords"]) == ("Ward A", "register")
    assert document_properties(tmp_path / "labs.csv") == {}
    with zipfile.ZipFile(tmp_path / "bad.xlsx", "w") as parts:
        parts.writestr("docProps/core.xml", "<open>")
    with pytest.raises(StudyError, match="damaged"):
        document_properties(tmp_path / "bad.xlsx")


def test_any_well_formed_text_is_read_as_the_csv_module_of_python_reads_it(tmp_path: Path) -> None:
    random_text = random.Random(7)
    pieces = ["a", "7", ",", ";", "\n", '"', " ", "é", "", "x y", "'"]
    for _ in range(400):
        width = random_text.randint(1, 4)
        rows = [
            ["".join(random_text.choices(pieces, k=random_text.randint(0, 3))) for _ in range(width)]
            for _ in range(random_text.randint(0, 5))
        ]
        written = io.StringIO()
        writer = csv.writer(written, quoting=random_text.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        writer.writerows([[f"h{i}" for i in range(width)], *rows])
        expected = [
            (*(cell.strip() or None for cell in row), number)
            for number, row in enumerate(rows, start=2)
            if any(cell.strip() for cell in row)
        ]
        assert cells_of(tmp_path, written.getvalue(), delimiter=",").rows() == expected


def test_a_header_may_be_any_word(tmp_path: Path) -> None:
    (tmp_path / "lab.csv").write_text("self,exprs,source row\n1,2,3\n")
    read = read_cells(tmp_path / "lab.csv", TableSource(file="lab.csv"))
    assert read.rows(named=True) == [{"self": "1", "exprs": "2", "source row": "3", "source_row": 2}]
