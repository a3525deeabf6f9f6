"""From a database, or tables of the OMOP CDM, to a folder of parquet files: streamed, screened, only then kept."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import polars as pl

from d2tra import io
from d2tra.errors import StudyError
from d2tra.extract.databases import Database, is_database, open_database, quoted
from d2tra.extract.omop import shape_tables
from d2tra.extract.omop_tables import CDM, SCREENED_AS, VOCABULARY
from d2tra.extract.screen import raise_if_identifiers, screen_extract
from d2tra.extract.site import REQUIRED_TABLES, TABLES, SiteMapping, TableSource, cdm_files
from d2tra.extract.sources import read_cells
from d2tra.logs import count_rows, log
from d2tra.provenance import seal_of

GREATEST_CONCEPT = 2**31 - 1  # the CDM's concept ids are SQL integers


def fetch_extract(
    site: SiteMapping, target: str | Path, recognise: Callable[..., pl.DataFrame]
) -> dict[str, Any]:
    """Makes the folder `target` of the parquet files that `SiteMapping.fetched_in` expects; returns what was fetched.

    Rows arrive in batches in a folder of their own that nobody else may open (mode 0700, where the system keeps
    temporary files), are screened there, and move only when the screen has passed; that folder goes in any case.
    Returned, for the record: site, format, source (no user, no password), and of every file: from, rows, sha256.
    `recognise` is `d2tra.treatment.recognise_drugs`. StudyError where the source cannot be read or holds identifiers.
    """
    if not site.is_fetched:
        raise StudyError(f"{site.path}: the site is a folder or workbook; it is read where it stands.")
    with _removed_in_any_case() as folder:
        if site.format == "omop":
            ready, source = _shaped(site, folder, recognise)
        else:
            ready = folder
            with open_database(site.source, site.database_schema) as database:
                source = database.label
                _stream_tables(site, database, folder)
        raise_if_identifiers(screen_extract(site.fetched_in(ready)))
        rows = {
            path: pl.scan_parquet(path).select(pl.len()).collect().item()
            for path in sorted(ready.glob("*.parquet"))
        }
        files = {path.name: {"rows": n, "sha256": seal_of(path)} for path, n in rows.items()}
        io.copy(ready, target)
        if site.format != "omop":  # streamed, so that no writer has counted them
            count_rows("written", sum(rows.values()))
    return {"site": site.name, "format": site.format, "source": source, "files": files}


@contextmanager
def _removed_in_any_case() -> Iterator[Path]:
    """A temporary folder of mode 0700; asked to end (SIGTERM), the program leaves in order, so that the folder goes."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        with tempfile.TemporaryDirectory(prefix="d2tra_fetch_") as folder:
            yield Path(folder)
    finally:
        signal.signal(signal.SIGTERM, before)


def _stream_tables(site: SiteMapping, database: Database, folder: Path) -> None:
    if site.format == "canonical":
        named = {relation.name for relation in database.relations() if relation.schema == database.schema}
        wanted = [table for table in TABLES if not site.has_no(table)]
        for table in wanted:
            if table in named or table in REQUIRED_TABLES:
                relation = database.find(table, f"{site.path}, table {table}")
                _stream(
                    database, f"SELECT * FROM {relation.sql}", folder / f"{table}.parquet", relation.label
                )
        return
    for table, sources in site.fetched_in(folder).sources().items():
        for source in sources:
            path = folder / source.file
            where = f"{site.path}, table {table}"
            if path.exists():
                continue
            if source.query:
                _stream(database, source.query.strip().rstrip(";"), path, where)
            elif source.table:
                _stream(database, f"SELECT * FROM {database.find(source.table, where).sql}", path, where)


def _stream(database: Database, query: str, path: Path, where: str) -> None:
    n_rows = database.stream(query, path, where)
    log.info("%s: %d rows from %s", where, n_rows, database.label)


def _shaped(site: SiteMapping, folder: Path, recognise: Callable[..., pl.DataFrame]) -> tuple[Path, str]:
    """The canonical tables made of the CDM's, once its own cells have been screened; and where they come from."""
    raw, ready = folder / "cdm", folder / "ready"
    raw.mkdir()
    if is_database(site.source):
        with open_database(site.source, site.database_schema) as database:
            source = database.label
            _stream_cdm(site, database, raw)
    else:
        source = Path(site.source).name
        _read_cdm(site, raw)
    _screen_cdm(site, raw, folder / "screened")
    shaped = shape_tables(
        {path.stem: pl.scan_parquet(path) for path in sorted(raw.glob("*.parquet"))}, site, recognise
    )
    io.write_folder(
        {f"{name}.parquet": rows for name, rows in shaped.tables.items()}
        | {"omop_accounting.csv": shaped.accounting, "omop_unknown.csv": shaped.unknown},
        ready,
    )
    for table, why, n_rows in shaped.accounting.rows():
        log.info("%s: %d rows: %s", table, n_rows, why)
    return ready, source


def _screen_cdm(site: SiteMapping, raw: Path, folder: Path) -> None:
    """Screens the cells of patients; concept ids, which number words and nobody, are left out where they are such.

    A site's own concepts have ten digits, so that one in eleven would pass for an NHS number.
    """
    folder.mkdir()
    tables: dict[str, list[TableSource]] = {}
    for table, like in SCREENED_AS.items():
        for cdm, roles in like.items():
            if (raw / f"{cdm}.parquet").is_file():
                rows = pl.scan_parquet(raw / f"{cdm}.parquet")
                concepts = pl.col("^.*concept_id$")
                are_ids = rows.select(
                    (
                        concepts.is_null()
                        | concepts.cast(pl.Int64, strict=False).le(GREATEST_CONCEPT).fill_null(False)
                    ).all()
                ).collect()
                left_out = [name for name in are_ids.columns if are_ids[name].item()]
                rows.drop(left_out).sink_parquet(folder / f"{cdm}.parquet")
                source = TableSource(table=f"OMOP {cdm}", columns=roles)
                tables.setdefault(table, []).append(source.model_copy(update={"file": f"{cdm}.parquet"}))
    as_files = {"source": str(folder), "format": "mapped", "tables": tables}
    raise_if_identifiers(screen_extract(site.model_copy(update=as_files)))


def _stream_cdm(site: SiteMapping, database: Database, raw: Path) -> None:
    """The columns that are read of every CDM table, and of the vocabulary what the rows of patients use."""
    there = {
        relation.name.casefold(): relation
        for relation in database.relations()
        if relation.schema == database.schema
    }
    used: list[str] = []
    for table, columns in CDM.items():
        where = f"{site.path}, OMOP table {table}"
        if table in there or columns.required:
            relation = there.get(table) or database.find(table, where)
            fields = database.fields(f"SELECT * FROM {relation.sql}", where)
            named = columns.among([field.name for field in fields], where)
            query = f"SELECT {', '.join(f'{quoted(theirs)} AS {ours}' for ours, theirs in named.items())} FROM {relation.sql}"
            if table in VOCABULARY:
                query += f" WHERE {quoted(named[VOCABULARY[table]])} IN ({' UNION '.join(used)})"
            else:
                concepts = [theirs for ours, theirs in named.items() if ours.endswith("concept_id")]
                used += [f"SELECT {quoted(concept)} FROM {relation.sql}" for concept in concepts]
            _stream(database, query, raw / f"{table}.parquet", where)


def _read_cdm(site: SiteMapping, raw: Path) -> None:
    there = cdm_files(site)
    for table, columns in CDM.items():
        where = f"{site.path}, OMOP table {table}"
        if table not in there and columns.required:
            raise StudyError(
                f"{where}: {site.source} has no {table}.csv or {table}.parquet, which is required."
            )
        if table in there:
            cells = read_cells(there[table], TableSource(file=there[table].name))
            named = columns.among(cells.columns, where)
            io.write(
                cells.select(pl.col(theirs).alias(ours) for ours, theirs in named.items()),
                raw / f"{table}.parquet",
            )
