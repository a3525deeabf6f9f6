"""A site may be a database: read only, streamed, screened before anything is kept, the password never shown."""

from __future__ import annotations

import logging
import os
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import polars as pl
import pytest

import omop_database as omop
import postgresql_server
from d2tra.errors import StudyError
from d2tra.extract import databases, fetch
from d2tra.extract.databases import open_database, refuse_password
from d2tra.extract.fetch import fetch_extract
from d2tra.extract.mapping import harmonise
from d2tra.extract.schemas import complete
from d2tra.extract.site import SiteMapping, TableSource, load_site
from d2tra.extract.sources import read_cells, source_label
from d2tra.extract.validate import validate_extract
from d2tra.treatment import recognise_drugs
from extracts import CLEAN, site_of, write_extract
from postgresql_server import PASSWORD, Server
from tables import frame

NO_SERVER = "PostgreSQL's server (initdb, pg_ctl) is not installed"
# one row of every kind of column; what a person would write for it stands below
KINDS = """
    SELECT CAST(12.50 AS NUMERIC(8,2)) AS amount, CAST(3 AS INTEGER) AS n, CAST(12.0 AS DOUBLE PRECISION) AS whole,
    CAST(0.1 AS DOUBLE PRECISION) AS part, DATE '2020-01-02' AS day, TIMESTAMP '2020-01-02 00:00:00' AS midnight,
    TIMESTAMP '2020-01-02 10:30:00' AS noonish, TRUE AS yes, CAST(NULL AS DATE) AS never, 'ä "x"' AS words,
    CAST('c7a1f0c4-1111-2222-3333-444455556666' AS UUID) AS ref"""
WRITTEN = {
    "amount": "12.50", "n": "3", "whole": "12", "part": "0.1", "day": "2020-01-02", "midnight": "2020-01-02",
    "noonish": "2020-01-02 10:30:00", "yes": "true", "never": None, "words": 'ä "x"',
    "ref": "c7a1f0c4-1111-2222-3333-444455556666",
}  # fmt: skip


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    if postgresql_server.programs() is None:
        pytest.skip(NO_SERVER)
    with postgresql_server.running() as started:
        yield started


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)


@pytest.fixture(params=["duckdb", "postgresql"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Any]:
    """The address of an empty database, and what runs statements on it."""
    if request.param == "duckdb":
        path = tmp_path / "ward.duckdb"

        def fill(*statements: str) -> None:
            with duckdb.connect(path) as database:
                for statement in statements:
                    database.execute(statement)

        fill("SELECT 1")
        return path.as_posix(), fill
    address = request.getfixturevalue("server").address
    run_on(
        address,
        "DROP SCHEMA IF EXISTS public CASCADE",
        "CREATE SCHEMA public",
        "DROP SCHEMA IF EXISTS cdm CASCADE",
    )
    return address, lambda *statements: run_on(address, *statements)


def run_on(address: str, *statements: str) -> None:
    import adbc_driver_postgresql.dbapi as driver

    with driver.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def filled(extract: dict[str, str], folder: Path) -> list[str]:
    """Statements that make the tables of an extract, every column text."""
    made = []
    for path in sorted(write_extract(folder, **extract).glob("*.csv")):
        rows = pl.read_csv(path, infer_schema=False)
        made.append(f"CREATE TABLE {path.stem} ({', '.join(f'{name} VARCHAR' for name in rows.columns)})")
        cells = (f"({', '.join(map(omop.literal, row))})" for row in rows.rows())
        made.append(f"INSERT INTO {path.stem} VALUES {', '.join(cells)}")
    return made


def numbers(source: str, n: int) -> str:
    """A table g(n) of the numbers from 0 to n - 1."""
    return f"generate_series(0, {n - 1}) AS g(n)" if "postgres" in source else f"range({n}) AS g(n)"


def mapped(source: str, **declared: object) -> SiteMapping:
    return SiteMapping.model_validate({"name": "ward", "path": "ward.yaml", "source": source, **declared})


def test_every_kind_of_column_becomes_the_text_a_person_would_write(
    source: tuple[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "kinds.parquet"
    with open_database(source[0]) as database:
        assert database.stream(KINDS, path, "a test") == 1
    cells = read_cells(path, TableSource(file=path.name)).drop("source_row")
    assert cells.row(0, named=True) == WRITTEN
    assert set(cells.dtypes) == {pl.String}


def test_a_time_with_zone_is_shown_as_the_server_shows_it(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "zoned.parquet"
    with open_database(server.address) as database:
        database.stream("SELECT TIMESTAMPTZ '2020-06-30 23:00:00+00' AS seen", path, "a test")
    assert pl.read_parquet(path).rows() == [("2020-07-01",)]  # midnight in London


def test_rows_arrive_in_batches(
    source: tuple[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    sizes = []
    written = pq.ParquetWriter.write_batch
    monkeypatch.setattr(
        pq.ParquetWriter,
        "write_batch",
        lambda self, batch: (sizes.append(batch.num_rows), written(self, batch)),
    )
    monkeypatch.setattr(databases, "BATCH_ROWS", 5_000)
    with open_database(source[0]) as database:
        assert (
            database.stream(
                f"SELECT n, repeat('x', 50) AS t FROM {numbers(source[0], 400_000)}",
                tmp_path / "n.parquet",
                "a test",
            )
            == 400_000
        )
    assert sum(sizes) == 400_000
    assert max(sizes) < 400_000


def test_the_canonical_tables_of_a_database_are_valid_and_their_rows_name_its_tables(
    source: tuple[str, Any], tmp_path: Path
) -> None:
    source[1](
        *filled(CLEAN | {"visits": CLEAN["visits"] + "P1 | 2020-06-20 | 99 | | | | |\n"}, tmp_path / "csv")
    )
    site = mapped(source[0], format="canonical", max_set_aside_percent=100)
    record = fetch_extract(site, tmp_path / "fetched", recognise_drugs)
    assert record["files"]["visits.parquet"]["rows"] == 4
    assert PASSWORD not in str(record)
    fetched = site.fetched_in(tmp_path / "fetched")
    found = validate_extract(harmonise(fetched), fetched, recognise_drugs)
    assert found.accounting.filter(table="visits")["n_valid"].item() == 4
    assert found.quarantine.select("source", "column", "value").rows() == [("table visits", "tjc28", "99")]
    as_files = validate_extract(
        harmonise(site_of(tmp_path / "csv")), site_of(tmp_path / "csv"), recognise_drugs
    )
    for table, rows in as_files.tables.items():
        assert found.tables[table].equals(rows), table


def test_tables_views_and_queries_are_mapped_beside_one_another(
    source: tuple[str, Any], tmp_path: Path
) -> None:
    source[1](
        "CREATE TABLE clinic (who VARCHAR, seen DATE, tjc INTEGER, crp NUMERIC(6,2))",
        "INSERT INTO clinic VALUES ('P1', DATE '2020-01-02', 3, 12.50), ('P2', DATE '2020-01-03', 5, 8)",
        "CREATE VIEW people AS SELECT DISTINCT who FROM clinic",
    )
    tables = {
        "patients": {"table": "people", "columns": {"who": "patient_id"}, "constants": {"disease": "RA", "sex": "female", "birth_year": 1960}},
        "visits": {"table": "clinic", "columns": {"who": "patient_id", "seen": "visit_date", "tjc": "tjc28"}},
        "labs": {
            "query": "SELECT who, seen, crp FROM clinic;", "columns": {"who": "patient_id", "seen": "sample_date", "crp": "value"},
            "constants": {"test": "crp", "unit": "mg/L"},
        },
        "treatments": "none",
    }  # fmt: skip
    tables["visits"]["ignore"] = ["crp"]
    site = mapped(source[0], tables=tables)
    fetch_extract(site, tmp_path / "fetched", recognise_drugs)
    read = harmonise(site.fetched_in(tmp_path / "fetched")).tables
    assert read["visits"].select("patient_id", "visit_date", "tjc28", "source").rows()[0] == (
        "P1",
        "2020-01-02",
        "3",
        "clinic",
    )
    assert sorted(read["labs"].select("value", "source").rows()) == [
        ("12.50", "query 3 (labs)"),
        ("8.00", "query 3 (labs)"),
    ]


def test_an_omop_schema_is_read_with_the_part_of_its_vocabulary_that_is_used(
    source: tuple[str, Any], tmp_path: Path
) -> None:
    extract = {
        "patients": "patient_id | disease | death_month\n1 | RA | 2021-05",
        "diagnoses": "patient_id | recorded_date | code_system | code\n1 | 2020-01-02 | icd10 | I50",
        "treatments": "patient_id | drug | atc_code | start_date | daily_dose_mg\n1 | prednisolone | H02AB06 | 2020-01-02 | 7.5",
    }  # fmt: skip
    cdm = omop.cdm_of({table: complete(frame(text), table) for table, text in extract.items()})
    omop.add_concept(cdm, "SNOMED", "1", "nobody has it")
    source[1](*omop.statements(cdm, "cdm"))
    fetch_extract(mapped(source[0], format="omop", schema="cdm"), tmp_path / "fetched", recognise_drugs)
    read = {path.stem: pl.read_parquet(path) for path in (tmp_path / "fetched").glob("*.parquet")}
    assert read["patients"]["death_month"].to_list() == ["2021-05"]
    assert read["diagnoses"].select("code_system", "code").rows() == [("omop", "80809"), ("icd10", "I50")]
    assert read["treatments"].select("drug", "atc_code", "daily_dose_mg").rows() == [
        ("prednisolone", "H02AB06", "7.5")
    ]


def test_a_database_is_only_read(source: tuple[str, Any], tmp_path: Path) -> None:
    source[1](
        "CREATE TABLE kept AS SELECT 1 AS n", "DROP SEQUENCE IF EXISTS numbers", "CREATE SEQUENCE numbers"
    )
    with open_database(source[0]) as database:
        for query in (
            "SELECT nextval('numbers') AS n",
            "DELETE FROM kept RETURNING n",
            "SELECT 1 AS n; DROP TABLE kept",
        ):
            with pytest.raises(StudyError):
                database.stream(query, tmp_path / "x.parquet", "a test")
        assert [relation.name for relation in database.relations()] == ["kept"]


def test_identifiers_stop_the_fetch_and_nothing_is_left_behind(
    source: tuple[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    source[1](
        *filled(CLEAN, tmp_path / "csv"),
        "ALTER TABLE patients ADD COLUMN nhs_number VARCHAR",
        "UPDATE patients SET nhs_number = '9434765919'",
    )
    site = mapped(source[0], format="canonical", ignore={"patients": ["nhs_number"]})
    with pytest.raises(StudyError, match="table patients, column 'nhs_number': NHS number") as caught:
        fetch_extract(site, tmp_path / "results" / "fetched", recognise_drugs)
    assert "9434765919" not in str(caught.value)
    assert not (tmp_path / "results").exists()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_temporary_folder_is_its_owners_only_and_goes_when_the_program_is_asked_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def asked_to_end() -> None:
        with fetch._removed_in_any_case() as folder:
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            (folder / "patients.parquet").write_text("x")
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()

    with pytest.raises(SystemExit):
        asked_to_end()
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_is_not_there_is_answered_with_the_nearest_one(
    source: tuple[str, Any], tmp_path: Path
) -> None:
    source[1]("CREATE TABLE clinic_visits AS SELECT 1 AS n")
    site = mapped(source[0], tables={"visits": {"table": "clinic_visit"}})
    with pytest.raises(StudyError, match="no table or view 'clinic_visit', did you mean 'clinic_visits'"):
        fetch_extract(site, tmp_path / "fetched", recognise_drugs)
    with pytest.raises(StudyError, match="no table or view 'patients'"):
        fetch_extract(mapped(source[0], format="canonical"), tmp_path / "fetched", recognise_drugs)


def test_a_query_that_cannot_be_answered_is_explained_but_never_with_a_value(
    source: tuple[str, Any], tmp_path: Path
) -> None:
    with open_database(source[0]) as database:
        for query, said in (("SELECT nosuch FROM (SELECT 1 AS n) t", "nosuch"), ("SELEC 1", "syntax error")):
            with pytest.raises(StudyError, match=said):
                database.stream(query, tmp_path / "x.parquet", "ward.yaml, table visits")
        with pytest.raises(StudyError, match="private log") as caught:
            database.stream(
                "SELECT CAST(v AS INTEGER) AS n FROM (SELECT 'Zebedee' AS v) t",
                tmp_path / "x.parquet",
                "ward.yaml",
            )
        late = f"SELECT CAST(CASE WHEN n = 199999 THEN 'Zebedee' ELSE '1' END AS INTEGER) AS n FROM {numbers(source[0], 200_000)}"
        with pytest.raises(StudyError, match="private log") as in_mid_stream:
            database.stream(late, tmp_path / "x.parquet", "ward.yaml")
    assert "Zebedee" not in str(caught.value) + str(in_mid_stream.value)


def test_a_column_without_plain_values_is_named(source: tuple[str, Any], tmp_path: Path) -> None:
    many = "ARRAY[1, 2]" if "postgres" in source[0] else "[1, 2]"
    with (
        open_database(source[0]) as database,
        pytest.raises(StudyError, match="'joints' holds no plain values"),
    ):
        database.stream(f"SELECT {many} AS joints", tmp_path / "x.parquet", "ward.yaml")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("127.0.0.1", "no-such-host.invalid"), "no host of that name"),
        (("reader@", "someone@"), "as someone: the user or the password was refused"),
        (("/postgres", "/nosuch"), "no such database"),
        (("127.0.0.1:", "127.0.0.1:1"), "URI is not of the form|no server answers"),
    ],
)
def test_a_connection_that_fails_says_why(
    server: Server, change: tuple[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    address = (
        server.address.replace(*change)
        if change[1] != "/nosuch"
        else server.address.removesuffix(change[0]) + change[1]
    )
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(StudyError, match=said) as caught,
        open_database(address),
    ):
        pass
    assert PASSWORD not in str(caught.value) + caplog.text


def test_no_password_and_a_wrong_one_are_told_apart_and_never_shown(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("PGPASSWORD", "wrong-horse")
    with (
        pytest.raises(StudyError, match="the user or the password was refused") as wrong,
        open_database(server.address),
    ):
        pass
    monkeypatch.delenv("PGPASSWORD")
    monkeypatch.setenv("HOME", "/nowhere")
    with pytest.raises(StudyError, match="set PGPASSWORD"), open_database(server.address):
        pass
    named = server.address.replace("reader@", "reader:${WARD_DB}@")
    with (
        pytest.raises(StudyError, match="names the variable WARD_DB, which is not set"),
        open_database(named),
    ):
        pass
    monkeypatch.setenv("WARD_DB", PASSWORD)
    with open_database(named) as database:
        assert "reader" not in database.label
    assert "wrong-horse" not in str(wrong.value) + caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://reader:hunter2@host/db", "postgres://reader:@host/db", "postgresql://reader:hun/ter2@host/db",
        "postgresql://reader:hun@ter2@host/db", "postgresql://reader@host/db?password=hunter2",
        "postgresql://reader@host/db?sslpassword=hunter2", "postgresql://reader:${A}hunter2@host/db",
    ],
)  # fmt: skip
def test_a_password_in_the_mapping_is_refused_and_not_repeated(tmp_path: Path, address: str) -> None:
    mapping = tmp_path / "ward.yaml"
    mapping.write_text(f"source: '{address}'\nformat: nonsense\n")
    with pytest.raises(StudyError, match="a password stands in the address") as caught:
        load_site(mapping.as_posix())
    assert "ter2" not in str(caught.value)


@pytest.mark.parametrize("address", ["postgresql://reader@host/db", "postgresql://reader:${WARD}@host:1/db?sslmode=require", "postgresql:///db?host=/run"])  # fmt: skip
def test_an_address_without_a_password_or_with_the_name_of_a_variable_is_taken(address: str) -> None:
    refuse_password(address, "ward.yaml")


@pytest.mark.parametrize(
    ("source", "table", "said"),
    [
        ("ward.duckdb", {"file": "a.csv"}, "belong to a database"),
        ("data", {"table": "a"}, "belong to a database"),
        ("ward.duckdb", {"table": "a", "query": "SELECT 1"}, "say one of `file:`"),
        ("data", {}, "say one of `file:`"),
    ],
)
def test_a_source_stands_in_one_place(tmp_path: Path, source: str, table: dict[str, str], said: str) -> None:
    mapping = tmp_path / "ward.yaml"
    mapping.write_text(f"source: {source}\ntables: {{visits: {table}}}\n")
    with pytest.raises(StudyError, match=said):
        load_site(mapping.as_posix())


def test_a_duckdb_file_that_is_absent_or_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ward.duckdb").write_text("not a database" * 500)
    with pytest.raises(StudyError, match="it is no DuckDB file"), open_database(f"{tmp_path}/ward.duckdb"):
        pass
    with pytest.raises(StudyError, match=r"did you mean 'ward\.duckdb'"):
        mapped(f"{tmp_path}/wards.duckdb", format="canonical").files()


def test_a_duckdb_query_reads_nothing_but_its_own_file(tmp_path: Path) -> None:
    duckdb.connect(tmp_path / "ward.duckdb").close()
    (tmp_path / "other.csv").write_text("n\n1\n")
    with open_database(f"{tmp_path}/ward.duckdb") as database, pytest.raises(StudyError):
        database.stream(f"SELECT * FROM '{tmp_path}/other.csv'", tmp_path / "x.parquet", "a test")


def test_a_folder_is_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="read where it stands"):
        fetch_extract(site_of(tmp_path), tmp_path / "fetched", recognise_drugs)
    assert source_label(Path("labs.csv"), TableSource(file="labs.csv")) == "labs.csv"


def test_a_password_among_the_drivers_words_is_struck_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import adbc_driver_manager
    import adbc_driver_postgresql.dbapi as driver

    def refuse(address: str, **_: object) -> None:
        raise driver.OperationalError(
            f"bad {address} {PASSWORD}", status_code=adbc_driver_manager.AdbcStatusCode.IO
        )

    monkeypatch.setattr(driver, "connect", refuse)
    monkeypatch.setenv("WARD_DB", PASSWORD)
    monkeypatch.setattr(logging.getLogger("d2tra"), "propagate", True)
    caplog.set_level(logging.INFO, logger="d2tra")
    with pytest.raises(StudyError) as caught, open_database("postgresql://reader:${WARD_DB}@host/db"):
        pass
    assert "bad postgresql://reader:***@host/db" in caplog.text
    assert not any(
        secret in str(caught.value) + caplog.text for secret in (PASSWORD, quote(PASSWORD, safe=""))
    )
