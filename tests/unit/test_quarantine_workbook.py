"""The quarantine workbook: the department's own sheets come back, and every mark stands on the cell that is to mend."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import openpyxl
import polars as pl
import pytest
import xlsxwriter

from d2tra.errors import StudyError
from d2tra.extract import quarantine_workbook as workbooks
from d2tra.extract.accounting import count_rows
from d2tra.extract.findings import read_findings
from d2tra.extract.given_back import MERGED, WITH_PATIENT, WORDS, given_sheets, marks_of, sheet_names
from d2tra.extract.mapping import harmonise
from d2tra.extract.quarantine_workbook import FIRST, give_back_stopped, quarantine_workbook
from d2tra.extract.screen import seals
from d2tra.extract.site import SiteMapping, TableSource, load_site
from d2tra.extract.their_columns import columns_of
from d2tra.extract.validate import SetAsideError, validate_extract
from d2tra.treatment import recognise_drugs

ROOT = Path(__file__).parents[2]
OURS = ["row in your file", "what became of it", "how to mend"]
PATIENTS = [
    ["Register of the department", "", "", ""],
    ["Study no", "Dx", "Gender", "Born"],
    ["P1", "RA", "female", "1960"],
    ["P2", "RA", "woman", "1971"],
    ["P3", "OA", "male", "1950"],
]
BIOLOGICS = [
    ["Study no", "Drug 1", "Start 1", "Drug 2", "Start 2", "Free"],
    ["P1", "MTX/nonsense", "2015-01-01", "Humira", "2016-01-01", "=1+1"],
    ["P2", "Humira", "2016-31-01", "Enbrel", "2016-31-01", "+x"],
    ["P2", "Humira", "2017-01-01", "Enbrel", "", "@y"],
    ["P3", "Humira", "2017-01-01", "", "", ""],
]
CLINIC = [
    ["Study no", "Seen", "TJC", "Tests", "Results"],
    ["P1", "2020-01-01", "29", "ESR;CRP", "10;haemolysed"],
    ["P1", "2020-02-01", "4", "ESR;CRP", "10"],
    ["P1", "2020-03-01", "=3", "ESR", "12 mm/hr"],
    ["P1", "2020-04-01", "3", "ESR", "12"],
    ["P1", "2020-04-01", "3", "ESR", "12"],
]
MAPPING = {
    "name": "site", "path": "site.yaml", "title": "A clinic", "max_set_aside_percent": 100, "drug_separators": ["/"],
    "tables": {
        "patients": {"file": "register.xlsx", "sheet": "Patients", "header_row": 2,
                     "columns": {"Study no": "patient_id", "Dx": "disease", "Gender": "sex", "Born": "birth_year"}},
        "treatments": {"file": "register.xlsx", "sheet": "Biologics", "columns": {"Study no": "patient_id"},
                       "wide_to_long": [{"numbers": [1, 2], "columns": {"Drug {n}": "drug", "Start {n}": "start_date"}}],
                       "ignore": ["Free"]},
        "visits": {"file": "clinic.csv", "split": {"names": "Tests", "values": "Results"},
                   "columns": {"Study no": "patient_id", "Seen": "visit_date", "TJC": "tjc28", "ESR": "esr_mm_h",
                               "CRP": "crp_mg_l"}},
    },
}  # fmt: skip


def write_clinic(folder: Path, clinic: list[list[str]] = CLINIC, **sheets: list[list[str]]) -> SiteMapping:
    folder.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(folder / "register.xlsx") as book:
        for name, lines in ({"Patients": PATIENTS, "Biologics": BIOLOGICS} | sheets).items():
            sheet = book.add_worksheet(name)
            for row, line in enumerate(lines):
                for column, text in enumerate(line):
                    sheet.write_string(row, column, text)
    with (folder / "clinic.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(clinic)
    return SiteMapping.model_validate({**MAPPING, "source": folder.as_posix()})


def given_back(site: SiteMapping) -> bytes:
    read = harmonise(site)
    result = validate_extract(read, site, recognise_drugs)
    return quarantine_workbook(site, result.quarantine, result.by_source, read.tables)


def opened(content: bytes) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(content))


def marked(book: openpyxl.Workbook, sheet: str) -> dict[str, str | None]:
    """Cells of theirs that are highlighted (fill and bold): place → text."""
    cells = (cell for line in book[sheet].iter_rows() for cell in line if cell.comment)
    found = {cell.coordinate: cell for cell in cells}
    assert all(cell.font.bold and cell.fill.patternType == "solid" for cell in found.values())
    return {place: cell.value for place, cell in found.items()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> SiteMapping:
    return write_clinic(tmp_path_factory.mktemp("clinic"))


@pytest.fixture(scope="module")
def book(site: SiteMapping) -> openpyxl.Workbook:
    return opened(given_back(site))


def test_every_planted_fault_of_the_demo_is_marked_on_the_cell_that_holds_it() -> None:
    site = load_site(str(ROOT / "config" / "sites" / "demo.yaml"))
    site = site.model_copy(update={"source": str(ROOT / "data" / "demo")})
    read = harmonise(site)
    result = validate_extract(read, site, recognise_drugs)
    sheets = {given.label: given for given in given_sheets(site)}
    marks = {label: marks_of(given, result.quarantine, read.tables) for label, given in sheets.items()}
    for source, row, table, theirs, value in result.quarantine.select(
        "source", "source_row", "table", "their_column", "value"
    ).iter_rows():
        given = sheets[source]
        column = given.column(table, theirs)
        assert column in given.cells.columns
        assert given.cells[column][row - given.header_row - 1] == value
        assert column in marks[source][row].cells
    became = {**WORDS, "orphan": WITH_PATIENT, "duplicate": MERGED}
    faults = json.loads((ROOT / "data" / "demo" / "truth.json").read_text(encoding="utf-8"))["faults"]
    planted = [fault for fault in faults if fault["becomes"] != "finding"]
    assert len(planted) == 60
    for fault in planted:
        label = fault["file"] + (f" [{fault['sheet']}]" if fault["sheet"] else "")
        assert marks[label][fault["row"]].became.removeprefix("a record ") == became[fault["becomes"]], fault
    assert sum(len(each) for each in marks.values()) == len(
        {(f["file"], f["sheet"], f["row"]) for f in planted}
    )


def test_the_sheets_come_back_as_they_were_handed_over(book: openpyxl.Workbook) -> None:
    assert book.sheetnames == [FIRST, "Patients", "clinic", "Biologics"]
    for name, lines, header_row in (
        ("Patients", PATIENTS, 2),
        ("clinic", CLINIC, 1),
        ("Biologics", BIOLOGICS, 1),
    ):
        sheet = book[name]
        shown = [[cell.value or "" for cell in line] for line in sheet.iter_rows(max_col=len(lines[0]))]
        assert shown == lines
        assert [cell.value for cell in sheet[header_row]][-3:] == OURS
        assert sheet.freeze_panes == f"A{header_row + 1}"
        assert sheet.auto_filter.ref.startswith(f"A{header_row}:")
        rows = [line[len(lines[0])].value for line in sheet.iter_rows(min_row=header_row + 1)]
        assert rows == [str(number) for number in range(header_row + 1, len(lines) + 1)]


def test_no_cell_is_a_formula_or_a_number(book: openpyxl.Workbook) -> None:
    for name in ("Patients", "clinic", "Biologics"):
        cells = [cell for line in book[name].iter_rows() for cell in line if cell.value is not None]
        assert {cell.data_type for cell in cells} == {"s"}
        assert {cell.number_format for cell in cells} == {"@"}
    assert book["Biologics"]["F2"].value == "=1+1"


def test_marks_stand_on_single_columns_groups_packed_cells_and_several_drugs(book: openpyxl.Workbook) -> None:
    assert marked(book, "Patients") == {"C4": "woman", "B5": "OA"}
    assert marked(book, "clinic") == {
        "C2": "29",
        "E2": "10;haemolysed",
        "E3": "10",
        "C4": "=3",
        "E4": "12 mm/hr",
    }
    assert marked(book, "Biologics") == {
        "B2": "MTX/nonsense", "C3": "2016-31-01", "E3": "2016-31-01", "E4": None, "A5": "P3",
    }  # fmt: skip


def test_of_two_groups_with_the_same_text_only_the_broken_one_is_marked(tmp_path: Path) -> None:
    lines = [
        BIOLOGICS[0],
        ["P1", "Humira", "2015-01-01", "nonsense", "2015-01-01", ""],
        ["P1", "", "", "Enbrel", "", ""],
    ]
    book = opened(given_back(write_clinic(tmp_path, Biologics=lines)))

    assert marked(book, "Biologics") == {"D2": "nonsense", "E3": None}


def test_the_row_says_what_became_of_it_and_how_to_mend_each_cell(book: openpyxl.Workbook) -> None:
    told = {
        name: [(line[-2].value, line[-1].value) for line in book[name].iter_rows(min_row=start)]
        for name, start in (("Patients", 3), ("Biologics", 2), ("clinic", 2))
    }
    assert [became for became, _ in told["Patients"]] == [None, WORDS["cell"], WORDS["row"]]
    assert (
        told["Patients"][2][1]
        == "Dx: disease takes one of RA, PsA; correct it in the source, or translate it in the mapping."
    )
    assert [became for became, _ in told["Biologics"]] == [
        f"a record {words}" for words in (WORDS["row"], WORDS["row"], WORDS["row"], WITH_PATIENT)
    ]
    assert told["clinic"][0][1].splitlines()[0].startswith("TJC: tjc28 takes")
    assert told["clinic"][0][1].splitlines()[1].startswith("CRP: crp_mg_l takes")
    assert told["clinic"][3] == (None, None)
    assert told["clinic"][4][0] == MERGED
    assert book["Patients"]["B5"].comment.text.strip() == told["Patients"][2][1]


def test_of_two_findings_in_one_cell_the_graver_one_colours_it(tmp_path: Path) -> None:
    cell_and_fix = ["P1", "2020-03-01", "3", "ESR;CRP", "900 mm/hr;4"]
    sheet = opened(given_back(write_clinic(tmp_path, [CLINIC[0], cell_and_fix, CLINIC[4]])))["clinic"]

    assert sheet["E2"].fill.fgColor.rgb == "FFFFD966"
    assert sheet["G2"].value == WORDS["cell"]
    assert len(sheet["H2"].value.splitlines()) == 2


def test_the_first_sheet_accounts_for_every_row_of_every_sheet(book: openpyxl.Workbook) -> None:
    lines = [[cell.value for cell in line] for line in book[FIRST].iter_rows()]
    start = next(n for n, line in enumerate(lines) if line[0] == "Table") + 1
    accounts = {line[1]: line[3:12] for line in lines[start : start + 3]}
    # rows there, without a record, read, valid, set aside, duplicates, with their patient, cells emptied, repaired
    assert accounts == {
        "register.xlsx [Patients]": [3, 0, 3, 2, 1, 0, 0, 1, 0],
        "clinic.csv": [5, 0, 5, 4, 0, 1, 0, 4, 1],
        "register.xlsx [Biologics]": [4, 0, 8, 3, 5, 0, 1, 0, 0],
    }
    assert ["visits", "esr_mm_h", "own unit (kept, a cell repaired)", 1] in [line[:4] for line in lines]


def test_a_row_lost_between_reading_and_the_valid_table_is_noticed(site: SiteMapping) -> None:
    result = validate_extract(harmonise(site), site, recognise_drugs)
    kept = {table: rows.height for table, rows in result.tables.items()}
    with pytest.raises(AssertionError, match="n_valid"):
        count_rows(result.by_source, {**kept, "visits": 3})
    one_more = result.by_source.with_columns(pl.col("n_read") + (pl.col("table") == "visits").cast(pl.Int64))
    with pytest.raises(AssertionError, match="n_read"):
        count_rows(one_more, kept)


def test_a_second_source_of_one_table_is_accounted_for_and_marked_on_its_own(tmp_path: Path) -> None:
    site = write_clinic(tmp_path)
    (tmp_path / "old.csv").write_text(
        "who,when,tender\nP1,2019-01-01,30\nP9,2019-02-01,3\n", encoding="utf-8"
    )
    old = TableSource(file="old.csv", columns={"who": "patient_id", "when": "visit_date", "tender": "tjc28"})
    site = site.model_copy(update={"tables": {**site.tables, "visits": [site.tables["visits"], old]}})
    read = harmonise(site)
    result = validate_extract(read, site, recognise_drugs)
    counted = result.by_source.filter(table="visits").select(
        "source", "n_read", "n_valid", "n_quarantined", "n_duplicate"
    )
    book = opened(quarantine_workbook(site, result.quarantine, result.by_source, read.tables))

    assert counted.rows() == [("clinic.csv", 5, 4, 0, 1), ("old.csv", 2, 1, 1, 0)]
    assert result.accounting.filter(table="visits").select("n_read", "n_valid").row(0) == (7, 5)
    assert marked(book, "old") == {"C2": "30", "A3": "P9"}


def test_of_a_long_source_only_the_rows_with_a_finding_are_given_back(
    site: SiteMapping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks, "WHOLE_UP_TO", 4)
    book = opened(given_back(site))

    assert [line[5].value for line in book["clinic"].iter_rows(min_row=2)] == ["2", "3", "4", "6"]
    assert book["Patients"].max_row == 5
    remarks = [line[12].value for line in book[FIRST].iter_rows()]
    assert "only the 4 rows with a finding are shown" in remarks


def test_whoever_corrects_the_marked_cells_and_runs_again_is_clean(
    book: openpyxl.Workbook, tmp_path: Path
) -> None:
    corrections = {
        "Patients": {"C4": "female", "B5": "RA"},
        "Biologics": {"B2": "MTX", "C3": "2016-01-31", "E3": "2017-01-31", "E4": "2018-01-01", "A5": "P3"},
        "clinic": {"C2": "28", "E2": "10;4", "E3": "10;5", "C4": "3", "E4": "12"},
    }
    sheets = {}
    for name, width in (("Patients", 4), ("Biologics", 6), ("clinic", 5)):
        assert set(corrections[name]) == set(marked(book, name))
        for place, text in corrections[name].items():
            book[name][place].value = text
        sheets[name] = [
            [str(cell.value or "") for cell in line] for line in book[name].iter_rows(max_col=width)
        ]
    mended = write_clinic(tmp_path, sheets.pop("clinic"), **sheets)
    result = validate_extract(harmonise(mended), mended, recognise_drugs)

    assert result.quarantine.is_empty()
    assert result.accounting["n_quarantined"].sum() == 0


def test_a_run_that_stops_leaves_the_workbook_and_says_where(tmp_path: Path) -> None:
    site = write_clinic(tmp_path / "extract").model_copy(update={"max_set_aside_percent": 5})
    read = harmonise(site)
    with pytest.raises(SetAsideError) as stopped:
        validate_extract(read, site, recognise_drugs)
    error = give_back_stopped(
        stopped.value, site, seals(site), read.tables, tmp_path / "site" / "accounting.csv"
    )

    assert isinstance(error, StudyError)
    assert str(stopped.value) in str(error)
    assert (tmp_path / "site" / "quarantine.xlsx").as_posix() in str(error)
    book = openpyxl.load_workbook(tmp_path / "site" / "quarantine.xlsx")
    assert marked(book, "Patients") == {"C4": "woman", "B5": "OA"}


def test_the_workbook_of_the_csv_is_that_of_the_frames_and_the_same_twice(
    site: SiteMapping, tmp_path: Path
) -> None:
    read = harmonise(site)
    result = validate_extract(read, site, recognise_drugs)
    result.quarantine.write_csv(tmp_path / "quarantine.csv")
    by_hand = read_findings(tmp_path / "quarantine.csv")

    assert by_hand.equals(result.quarantine)
    assert quarantine_workbook(site, by_hand, result.by_source, read.tables) == given_back(site)


def test_a_declared_constant_stands_in_no_cell_of_theirs() -> None:
    source = TableSource(file="x.csv", columns={"no": "patient_id"}, constants={"disease": "RX"})

    (columns,) = columns_of(source, "patients")
    assert (columns["patient_id"], columns["disease"], columns["sex"]) == ("no", None, "sex")


def test_a_broken_constant_marks_the_row_alone(tmp_path: Path) -> None:
    site = write_clinic(tmp_path)
    patients = site.tables["patients"].model_copy(
        update={"columns": {"Study no": "patient_id", "Gender": "sex", "Born": "birth_year"}, "ignore": ["Dx"],
                "constants": {"disease": "RX"}}
    )  # fmt: skip
    book = opened(given_back(site.model_copy(update={"tables": {**site.tables, "patients": patients}})))

    assert marked(book, "Patients") == {"C4": "woman"}
    assert [line[-2].value for line in book["Patients"].iter_rows(min_row=3)] == [WORDS["row"]] * 3


def test_sheets_get_names_that_a_workbook_takes() -> None:
    sources = ["a" * 40, "A" * 40, "what to do", "2020/21", "history"]
    given = []
    for number, name in enumerate(sources):
        sheet = workbooks.Given(f"{number}", pl.DataFrame(), pl.DataFrame(), 1)
        sheet.sources["visits"].append(TableSource(file="x.xlsx", sheet=name))
        given.append(sheet)

    assert list(sheet_names(given).values()) == [
        "a" * 31,
        "A" * 29 + " 2",
        "what to do 2",
        "2020_21",
        "history 2",
    ]
