"""A site's database, read only: its tables and views by name, any SELECT streamed into a parquet file of text cells."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from d2tra.errors import StudyError, nearest
from d2tra.logs import log

POSTGRESQL = re.compile(
    r"^postgres(?:ql)?://(?:(?P<who>[^/?#]*)@)?(?P<at>[^/?#]*)(?P<path>[^?#]*)\??(?P<query>.*)$"
)
FROM_ENVIRONMENT = re.compile(r"^\$\{(\w+)\}$")
BATCH_ROWS = 50_000  # rows held in memory at a time (DuckDB; PostgreSQL's driver sends 16 MB at a time)
READ_ONLY = "-c default_transaction_read_only=on -c DateStyle=ISO"
CONNECT_SECONDS = "10"
NO_PASSWORD = "set PGPASSWORD in the environment of the command, or name a variable in the URI: postgresql://user:${NAME}@host/…"  # fmt: skip
# what the server says of a failed connection → what the user reads
REFUSALS = {
    "could not translate host name": "there is no host of that name",
    "no password supplied": f"no password was given; {NO_PASSWORD}",
    "password authentication failed": "the user or the password was refused",
    "does not exist": "there is no such database, or no such user",
    "no pg_hba.conf entry": "the server does not let this user in from this computer",
    "Connection refused": "no server answers at that host and port",
    "No such file or directory": "no server answers at that socket",
    "timeout": "no server answers at that host and port",
    "invalid": "the URI is not of the form postgresql://user@host:port/database",
}


class Relation(NamedTuple):
    """A table or view of a database."""

    schema: str
    name: str

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        return ".".join(quoted(part) for part in self)


class Field(NamedTuple):
    """A column of a query's answer; `kind`: float, timestamp, zoned (a timestamp with time zone), nested, else plain."""

    name: str
    kind: str


def is_postgresql(source: str) -> bool:
    """Whether a site's `source` is the address of a PostgreSQL database."""
    return source.startswith(("postgresql://", "postgres://"))


def is_database(source: str) -> bool:
    """Whether a site's `source` is a database: a DuckDB file by its ending, or an address of PostgreSQL."""
    return is_postgresql(source) or source.casefold().endswith(".duckdb")


def refuse_password(source: str, where: str) -> None:
    """Raises StudyError where a password stands in the address; never shows it."""
    parts = POSTGRESQL.match(source)
    if not is_postgresql(source) or parts is None:
        return
    secrets = [secret for _, colon, secret in [(parts["who"] or "").partition(":")] if colon]
    secrets += [text for key, text in parse_qsl(parts["query"]) if "password" in key.casefold()]
    hidden = source.count("@") > 1 or (parts["who"] is None and "@" in source)  # it holds an unquoted @ or /
    if hidden or not all(FROM_ENVIRONMENT.match(secret) for secret in secrets):
        raise StudyError(
            f"{where}: key 'source': a password stands in the address. Remove it from the file, change it if the file was "
            f"shared, and {NO_PASSWORD}."
        )


def quoted(name: str) -> str:
    """Returns a name as SQL writes it between quotation marks."""
    return '"' + name.replace('"', '""') + '"'


class Database:
    """An open connection that only reads. `label` is how messages call it (no user's password, no options)."""

    label: str
    schema: str

    def relations(self) -> list[Relation]:
        """Returns every table and view that the user sees, sorted."""
        names = self._rows(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('information_schema', 'pg_catalog')" + self._more_relations()
        )
        return sorted(Relation(*row) for row in names)

    def find(self, table: str, where: str) -> Relation:
        """Returns the table or view of that name (`schema.name`, or a name of the site's schema; any case where only
        one fits); StudyError with the nearest otherwise."""
        known = self.relations()
        called = {relation: relation.label for relation in known}
        called |= {
            relation: relation.name
            for relation in known
            if relation.schema == self.schema and "." not in table
        }
        exact = [relation for relation, name in called.items() if name == table]
        alike = [relation for relation, name in called.items() if name.casefold() == table.casefold()]
        for found in (exact, alike):
            if len(found) == 1:
                return found[0]
        raise StudyError(
            f"{where}: {self.label} has no table or view {table!r}{nearest(table, called.values())} "
            f"Seen there: {', '.join(sorted(called.values())[:20]) or 'none'}."
        )

    def fields(self, query: str, where: str) -> list[Field]:
        """Returns the columns of a query's answer, without running it to its end."""
        raise NotImplementedError

    def stream(self, query: str, path: Path, where: str) -> int:
        """Writes a query's answer to a parquet file of text, a batch at a time; returns its number of rows.

        Text as this program reads it: ISO dates, a timestamp at midnight as its date, true and false, numbers with all
        their decimals, whole floats without `.0`. A timestamp with time zone is shown in the time zone of the database's
        session. StudyError for a column that holds no plain values.
        """
        import pyarrow.parquet as pq

        fields = self.fields(query, where)
        for field in fields:
            if field.kind == "nested":
                raise StudyError(
                    f"{where}: column {field.name!r} holds no plain values. Say which columns in a `query:`."
                )
        cells = ", ".join(f"{_as_text(field)} AS {quoted(field.name)}" for field in fields)
        n_rows = 0
        with self._in_words(where):
            reader = self._reader(f"SELECT {cells} FROM ({query}\n) AS answer")
            with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
                for batch in reader:
                    writer.write_batch(batch)
                    n_rows += batch.num_rows
        return n_rows

    def close(self) -> None:
        raise NotImplementedError

    def _more_relations(self) -> str:
        return ""

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._in_words(self.label):
            return [tuple(row.values()) for batch in self._reader(query) for row in batch.to_pylist()]

    def _reader(self, query: str) -> Any:
        raise NotImplementedError

    def _in_words(self, where: str) -> Any:
        raise NotImplementedError


class _DuckDB(Database):
    """A DuckDB file. Nothing but this file may be read, and nothing is downloaded."""

    def __init__(self, path: Path, schema: str | None) -> None:
        import duckdb

        if not path.is_file():
            there = [file.name for file in path.parent.glob("*.duckdb")]
            raise StudyError(f"{path}: no such file{nearest(path.name, there)}.")
        self.label, self.schema = path.name, schema or "main"
        try:
            self._connection = duckdb.connect(
                path, read_only=True, config={"enable_external_access": "false"}
            )
        except duckdb.Error as problem:
            log.info("%s: %s", path.name, problem)
            locked = "lock" in str(problem)
            why = (
                "another program has it open for writing; close that"
                if locked
                else "it is no DuckDB file of this version, or damaged"
            )
            raise StudyError(f"{path}: cannot be read: {why}.") from None

    def fields(self, query: str, where: str) -> list[Field]:
        with self._in_words(where):
            described = self._connection.sql(f"DESCRIBE SELECT * FROM ({query}\n) AS answer").fetchall()
        return [Field(name, self._kind(kind)) for name, kind, *_ in described]

    @staticmethod
    def _kind(kind: str) -> str:
        if "[" in kind or kind.startswith(("STRUCT", "MAP", "UNION", "BLOB", "BIT")):
            return "nested"
        if kind.startswith("TIMESTAMP"):
            return "zoned" if "ZONE" in kind else "timestamp"
        return "float" if kind in ("DOUBLE", "FLOAT") else "plain"

    def _reader(self, query: str) -> Any:
        return self._connection.sql(query).to_arrow_reader(BATCH_ROWS)

    @contextmanager
    def _in_words(self, where: str) -> Iterator[None]:
        import duckdb

        problems: tuple[type[Exception], ...] = (duckdb.Error, *_in_mid_stream())
        try:
            yield
        except problems as problem:
            about_query = isinstance(
                problem, duckdb.CatalogException | duckdb.BinderException | duckdb.ParserException
            )
            raise _refused(where, self.label, str(problem), type(problem).__name__, about_query) from None

    def close(self) -> None:
        self._connection.close()


class _PostgreSQL(Database):
    """A PostgreSQL server, through ADBC; the session is read-only. The password comes from the environment."""

    def __init__(self, source: str, schema: str | None, environment: Mapping[str, str]) -> None:
        import adbc_driver_postgresql.dbapi as driver  # type: ignore[import-untyped]

        parts = POSTGRESQL.match(source)
        assert parts is not None, "only called for such a source"
        user, _, secret = (parts["who"] or "").partition(":")
        self.label = f"{parts['at'] or 'this computer'}{parts['path']}"
        asked = {key: _filled_in(text, environment) for key, text in parse_qsl(parts["query"])}
        password = _filled_in(secret, environment)
        asked = {"connect_timeout": CONNECT_SECONDS} | asked
        asked["options"] = f"{asked.get('options', '')} {READ_ONLY}".strip()
        who = user + (f":{quote(password, safe='')}" if password else "")
        address = f"postgresql://{who}{'@' if who else ''}{parts['at']}{parts['path']}?{urlencode(asked, quote_via=quote)}"
        try:
            self._connection = driver.connect(address, autocommit=True)
        except driver.Error as problem:
            said = str(problem)
            for hidden in {password, quote(password, safe=""), environment.get("PGPASSWORD", "")} - {""}:
                said = said.replace(hidden, "***")
            log.info("%s: %s", self.label, said)
            why = next(
                (words for sign, words in REFUSALS.items() if sign in said),
                "the server refused (its words: private log)",
            )
            raise StudyError(f"{self.label}: cannot connect{f' as {user}' if user else ''}: {why}.") from None
        self.schema = schema or str(self._rows("SELECT current_schema()::text AS schema")[0][0])

    def fields(self, query: str, where: str) -> list[Field]:
        with self._in_words(where), self._connection.cursor() as cursor:
            schema = cursor.adbc_execute_schema(f"SELECT * FROM ({query}\n) AS answer")
        return [Field(field.name, self._kind(field)) for field in schema]

    @staticmethod
    def _kind(field: Any) -> str:
        kind = (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode()
        if kind.startswith("_") or kind == "bytea":
            return "nested"
        return {"timestamptz": "zoned", "timestamp": "timestamp"}.get(kind, "plain")

    def _more_relations(self) -> str:
        return " UNION ALL SELECT schemaname, matviewname FROM pg_catalog.pg_matviews"

    def _reader(self, query: str) -> Any:
        self._cursor = self._connection.cursor()  # held, for its stream ends with it
        self._cursor.execute(query)
        return self._cursor.fetch_record_batch()

    @contextmanager
    def _in_words(self, where: str) -> Iterator[None]:
        import adbc_driver_postgresql.dbapi as driver

        problems: tuple[type[Exception], ...] = (driver.Error, *_in_mid_stream())
        try:
            yield
        except problems as problem:
            said = re.sub(r"(?s)^.*?ERROR:\s*", "", str(problem))
            state = getattr(problem, "sqlstate", None) or ""
            kind = f"SQLSTATE {state}" if state else "the server broke off"
            raise _refused(where, self.label, said, kind, state.startswith("42")) from None

    def close(self) -> None:
        self._cursor.close()
        self._connection.close()


@contextmanager
def open_database(
    source: str, schema: str | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Database]:
    """Opens a site's database for reading, and closes it. `schema`: where unqualified names are (None: the database's
    own default). StudyError in plain words where that is not possible; `environment` defaults to the command's own."""
    refuse_password(source, "the site")
    database: Database
    if is_postgresql(source):
        database = _PostgreSQL(source, schema, os.environ if environment is None else environment)
    else:
        database = _DuckDB(Path(source), schema)
    try:
        yield database
    finally:
        database.close()


def _in_mid_stream() -> tuple[type[Exception], ...]:
    """What reading the next batch of an answer may raise; an OSError is the disk's that it is written to."""
    import pyarrow

    return (pyarrow.lib.ArrowException, OSError)


def _as_text(field: Field) -> str:
    name = quoted(field.name)
    if field.kind in ("timestamp", "zoned"):
        local = f"CAST({name} AS TIMESTAMP)" if field.kind == "zoned" else name
        return f"regexp_replace(CAST({local} AS VARCHAR), ' 00:00:00$', '')"
    if field.kind == "float":
        return f"regexp_replace(CAST({name} AS VARCHAR), '[.]0$', '')"
    return f"CAST({name} AS VARCHAR)"


def _filled_in(text: str, environment: Mapping[str, str]) -> str:
    """The text, or what the variable holds that it names (`${NAME}`)."""
    named = FROM_ENVIRONMENT.match(text)
    if named is None:
        return text
    if not environment.get(named[1]):
        raise StudyError(
            f"the address of the database names the variable {named[1]}, which is not set. Set it and run again."
        )
    return environment[named[1]]


def _refused(where: str, label: str, said: str, kind: str, about_query: bool) -> StudyError:
    """What the database said: shown only where it speaks of the query, for else its words may hold a patient's value."""
    log.info("%s: %s", label, said)
    first = said.strip().splitlines()[0] if said.strip() else kind
    why = f"{first.rstrip('.')}" if about_query else f"{kind}; its words are in the private log"
    return StudyError(
        f"{where}: {label} could not answer: {why}. Mend `table:` or `query:` in the mapping, or ask its keeper."
    )
