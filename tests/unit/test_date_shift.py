"""Dates moved by one number per patient: intervals and labels stay, the calendar does not, and the key stays at home."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from d2tra.cli import main
from d2tra.config import PROJECT
from d2tra.definitions import label, load_definition
from d2tra.errors import StudyError
from d2tra.extract.date_shift import days_of, make_key, move_by, read_key, shift_dates, shift_sheet
from d2tra.extract.given_back import Given
from d2tra.extract.mapping import harmonise
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.site import SiteMapping, TableSource
from d2tra.extract.sources import read_cells
from d2tra.extract.validate import validate_extract
from d2tra.treatment import recognise_drugs
from extracts import site_of
from small_study import extract, write_table

KEY = b"a key of the department, kept at home"
MOVE = move_by(KEY)
DAYS = st.dates(dt.date(1950, 1, 1), dt.date(2040, 12, 31))
VISITS = TableSource(
    file="v.csv", columns={"id": "patient_id", "seen": "visit_date"}, dates={"format": "%d/%m/%Y"}, ignore=["note"],
    missing={"seen": ["01/01/1950"]},
)  # fmt: skip


def sheet(table: str, source: TableSource, **cells: list[str | None]) -> Given:
    made = Given(source.file, pl.DataFrame(), pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String)), 1)
    made.sources[table].append(source)
    return made


def moved(table: str, source: TableSource, **cells: list[str | None]) -> pl.DataFrame:
    return shift_sheet(sheet(table, source, **cells), MOVE, "site.yaml").given.cells


def days(patient: str) -> int:
    return dict(days_of([patient], KEY))[patient]


def test_a_patient_moves_by_whole_weeks_of_half_a_year_at_most_and_never_by_none() -> None:
    many = dict(days_of((f"P{n}" for n in range(5000)), KEY))
    assert set(many.values()) == {7 * week for week in range(-26, 27) if week}
    assert 0.48 < sum(number > 0 for number in many.values()) / 5000 < 0.52


def test_the_number_hangs_on_the_key_and_the_id_alone() -> None:
    assert days_of(["P1", "P2", "P1"], KEY) == days_of(["P2", "P1"], KEY)
    assert dict(days_of(["P2"], KEY))["P2"] == dict(days_of(["P1", "P2"], KEY))["P2"]
    assert days_of([f"P{n}" for n in range(20)], KEY) != days_of([f"P{n}" for n in range(20)], KEY + b".")


@for_all(st.lists(st.tuples(st.sampled_from(["P1", "P2", "P3"]), DAYS, DAYS), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_intervals_within_a_patient_stay(rows: list[tuple[str, dt.date, dt.date]]) -> None:
    source = TableSource(file="t.csv", dates={"format": "%d.%m.%Y"})
    ids = [row[0] for row in rows]
    cells = {
        name: [f"{row[n]:%d.%m.%Y}" for row in rows] for n, name in ((1, "start_date"), (2, "stop_date"))
    }
    new = moved("treatments", source, patient_id=ids, **cells)
    for patient, start, stop, *given in zip(
        ids, new["start_date"], new["stop_date"], *cells.values(), strict=True
    ):
        told = [dt.datetime.strptime(text, "%d.%m.%Y") for text in (start, stop, *given)]
        assert {told[0] - told[2], told[1] - told[3]} == {dt.timedelta(days=days(patient))}


def test_a_date_is_moved_as_it_is_written_and_what_is_none_stays_and_is_counted() -> None:
    seen = ["10/01/2020", "2020-01-10", "31/02/2020", "01/01/1950", None, "01/01/1900", "2019"]
    one = shift_sheet(
        sheet("visits", VISITS, id=["P1"] * 7, seen=seen, note=["10/01/2020"] * 7), MOVE, "site.yaml"
    )
    day = dt.date(2020, 1, 10) + dt.timedelta(days=days("P1"))

    assert one.given.cells["seen"].to_list() == [
        f"{day:%d/%m/%Y}",
        f"{day}",
        "31/02/2020",
        "01/01/1950",
        None,
        "01/01/1900",
        "2019",
    ]
    assert (one.n_moved, one.n_left, one.n_emptied) == (2, 2, 0)
    assert one.left_out == ("note",)
    assert one.given.cells.columns == ["id", "seen"]


def test_a_row_without_an_id_keeps_no_date() -> None:
    one = shift_sheet(
        sheet("visits", VISITS, id=[None, "P1"], seen=["10/01/2020", "11/01/2020"]), MOVE, "site.yaml"
    )
    assert one.given.cells["seen"][0] is None
    assert (one.n_moved, one.n_left, one.n_emptied) == (1, 0, 1)


def test_serial_day_numbers_stay_serial_day_numbers() -> None:
    source = TableSource(file="v.csv", dates={"format": "excel"})
    assert moved("visits", source, patient_id=["P1"], visit_date=["43831"])["visit_date"].item() == str(
        43831 + days("P1")
    )


@for_all(DAYS, st.sampled_from([f"P{n}" for n in range(30)]))
@settings(max_examples=40, deadline=None)
def test_no_visit_comes_to_lie_after_a_month_of_death_that_it_did_not_follow(
    visit: dt.date, patient: str
) -> None:
    source = TableSource(file="p.csv")
    month = moved("patients", source, patient_id=[patient], death_month=[f"{visit:%Y-%m}"])[
        "death_month"
    ].item()
    day = visit + dt.timedelta(days=days(patient))
    assert f"{day:%Y-%m}" <= month


def test_every_date_of_every_group_of_wide_columns_is_moved() -> None:
    source = TableSource.model_validate(
        {"file": "t.csv", "columns": {"id": "patient_id"},
         "wide_to_long": [{"numbers": [1, 2], "columns": {"Drug {n}": "drug", "Start {n}": "start_date"}}]}
    )  # fmt: skip
    cells = {
        "id": ["P1"],
        "Drug 1": ["x"],
        "Start 1": ["2020-01-10"],
        "Drug 2": ["y"],
        "Start 2": ["2021-01-10"],
    }
    new = moved("treatments", source, **cells).row(0, named=True)
    assert [dt.date.fromisoformat(new[f"Start {n}"]).year for n in (1, 2)] != [None, None]
    assert {new["Start 1"], new["Start 2"]} & {"2020-01-10", "2021-01-10"} == set()


def test_packed_dates_and_a_sheet_without_an_id_column_are_refused() -> None:
    packed = TableSource.model_validate(
        {"file": "v.csv", "split": {"names": "what", "values": "how"}, "columns": {"Seen": "visit_date"}}
    )
    with pytest.raises(StudyError, match="packed"):
        shift_sheet(
            sheet("visits", packed, patient_id=["P1"], what=["Seen"], how=["2020-01-01"]), MOVE, "site.yaml"
        )
    constant = TableSource(file="v.csv", constants={"patient_id": "P1"})
    with pytest.raises(StudyError, match="one column of patient ids"):
        shift_sheet(sheet("visits", constant, visit_date=["2020-01-01"]), MOVE, "site.yaml")


def write_small(folder: Path) -> SiteMapping:
    for table, rows in extract().items():
        write_table(folder / f"{table}.csv", rows)
    return site_of(folder, data_cut_date="2023-12-31", records_glucocorticoids=True)


def test_labels_are_the_same_after_the_move(tmp_path: Path) -> None:
    site = write_small(tmp_path / "extract")
    told = shift_dates(site, KEY, tmp_path / "out", recognise_drugs)
    after = site.model_copy(update={"source": str(tmp_path / "out"), "data_cut_date": dt.date(2024, 6, 30)})
    assert "data_cut_date: 2024-06-30" in told
    results = [validate_extract(harmonise(each), each, recognise_drugs) for each in (site, after)]

    assert results[0].accounting.equals(results[1].accounting)
    for name in ("eular_2021", "eular_2021_strict", "audit_95"):
        first, second = (label(each.tables, load_definition(name), None, True) for each in results)
        facts = ["patient_id", "status", "n_failed_mechanisms", "n_failed_drugs", "n_failures_presumed"]
        assert first.labels.select(facts).equals(second.labels.select(facts))
        assert set(first.labels["status"]) >= {"met", "not_met"}
        assert first.evidence.select("patient_id", "criterion", "met").equals(
            second.evidence.select("patient_id", "criterion", "met")
        )
    before, since = (each.tables["visits"].select("patient_id", "visit_date") for each in results)
    assert not set(before.rows()) & set(since.rows())


def test_the_calendar_years_stay_with_the_department_and_the_key_nowhere(tmp_path: Path) -> None:
    site = write_small(tmp_path / "extract")
    shift_dates(site, KEY, tmp_path / "out", recognise_drugs)
    years = pl.read_csv(tmp_path / "out_calendar_years.csv").filter(
        pl.col("patient_id").is_in(["SMALLPT01", "SMALLPT14"])
    )

    assert years.rows() == [("SMALLPT01", 2015, 2023), ("SMALLPT14", None, 2023)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{table}.csv" for table in sorted(extract())
    ]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY in path.read_bytes()]
    if os.name == "posix":
        for private in ("out", "out_calendar_years.csv"):
            assert (tmp_path / private).stat().st_mode & 0o077 == 0
    with pytest.raises(StudyError, match="there already"):
        shift_dates(site, KEY, tmp_path / "out", recognise_drugs)


def test_a_workbook_and_a_parquet_file_come_back_as_such_with_their_rows_in_place(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with xlsxwriter.Workbook(tmp_path / "in" / "w.xlsx") as book:
        for name, lines in {
            "People": [["A register"], [], ["no", "dx", "sex", "born"], ["P1", "RA", "male", "1960"]],
            "Drugs": [["no", "what", "since"], ["P1", "MTX", dt.date(2020, 1, 10)]],
        }.items():
            target = book.add_worksheet(name)
            for row, line in enumerate(lines):
                for column, cell in enumerate(line):
                    target.write(row, column, cell, book.add_format({"num_format": "yyyy-mm-dd"}))
    pl.DataFrame({"patient_id": ["P1"], "visit_date": [dt.date(2020, 1, 10)], "tjc28": [3]}).write_parquet(
        tmp_path / "in" / "v.parquet"
    )
    people = {
        "file": "w.xlsx",
        "sheet": "People",
        "header_row": 3,
        "columns": {"no": "patient_id", "dx": "disease", "born": "birth_year"},
    }
    drugs = {
        "file": "w.xlsx",
        "sheet": "Drugs",
        "columns": {"no": "patient_id", "what": "drug", "since": "start_date"},
    }
    tables = {"patients": people, "treatments": drugs, "visits": {"file": "v.parquet"}}
    site = SiteMapping.model_validate(
        {"name": "s", "path": "s.yaml", "source": str(tmp_path / "in"), "tables": tables}
    )
    shift_dates(site, KEY, tmp_path / "out", recognise_drugs)
    day = (dt.date(2020, 1, 10) + dt.timedelta(days=days("P1"))).isoformat()

    sources = {name: site.sources()[name][0] for name in tables}
    read = {name: read_cells(tmp_path / "out" / source.file, source) for name, source in sources.items()}
    assert read["patients"].select("no", "born", "source_row").rows() == [("P1", "1960", 4)]
    assert read["treatments"].select("what", "since").rows() == [("MTX", day)]
    assert read["visits"].select("visit_date", "tjc28").rows() == [(day, "3")]


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    make_key(path)
    assert len(read_key(path)) == 64
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StudyError, match="a key already"):
        make_key(path)


def test_a_key_that_is_absent_or_short_is_refused_and_never_shown(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="--new-key"):
        read_key(tmp_path / "none")
    (tmp_path / "short").write_bytes(b"fifteen_bytes_x\n")
    with pytest.raises(StudyError, match="15 bytes; at least 16") as refused:
        read_key(tmp_path / "short")
    assert "fifteen" not in str(refused.value)
    (tmp_path / "long").write_bytes(b"sixteen_bytes_xy\n")
    assert read_key(tmp_path / "long") == b"sixteen_bytes_xy"


@pytest.mark.parametrize("place", ["results/demo/key", "config/key", "data/key"])
def test_a_key_among_results_or_code_is_refused(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (Path(place), PROJECT / place):
        with pytest.raises(StudyError, match="must not lie among"):
            make_key(path)
        with pytest.raises(StudyError, match="must not lie among"):
            read_key(path)
        assert not path.exists()


def test_the_command_moves_an_extract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_small(tmp_path / "extract")
    (tmp_path / "small.yaml").write_text("format: canonical\nsource: elsewhere\n", encoding="utf-8")
    asked = [
        "shift-dates",
        str(tmp_path / "extract"),
        "--site",
        str(tmp_path / "small.yaml"),
        "--out",
        str(tmp_path / "out"),
    ]
    asked += ["--key-file", str(tmp_path / "key")]

    assert main(asked) == 1
    assert "--new-key" in capsys.readouterr().err
    assert main([*asked, "--new-key"]) == 0
    told = capsys.readouterr().out
    assert (tmp_path / "key").read_text().strip() not in told
    assert "SMALLPT" not in told
    assert set(pl.read_csv(tmp_path / "out" / "visits.csv").columns) <= {*COLUMNS["visits"]}
