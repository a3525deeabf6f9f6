"""What a site declares about its own extract: `config/sites/<site>.yaml`, checked."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import polars as pl
from pydantic import BeforeValidator, Field, field_validator, model_validator

from d2tra.codelists import concept_codes
from d2tra.config import Closed, find, load_yaml, parse
from d2tra.errors import StudyError, nearest
from d2tra.extract.databases import is_database, is_postgresql, refuse_password
from d2tra.extract.omop_tables import CDM
from d2tra.extract.workbooks import sheet_names

CONFIRM = "confirm: "  # before each guess of `d2tra map`, until a person deletes it
GUESS = re.compile(r"^\s*(?:- )*confirm: ")
QUESTION = re.compile(r"^(?!\s*#).*[:-] CHOOSE\s*(?:#.*)?$")
TableName = Literal["patients", "visits", "labs", "treatments", "diagnoses", "imaging", "biomarkers"]
TABLES: tuple[TableName, ...] = get_args(TableName)
REQUIRED_TABLES: tuple[TableName, ...] = ("patients", "visits", "treatments")


def _as_written(value: Any) -> Any:
    """YAML reads 99 as a number, 2015-01-01 as a date and yes as true; a mapping means the text in the cell."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float | dt.date) else value


Text = Annotated[str, BeforeValidator(_as_written)]


class Reshape(Closed):
    """Wide columns that become rows: one canonical row per group whose mapped cells are not all empty.

    `columns` and `constants` may hold `{n}`, repeated for every number of `numbers` (first and last, inclusive).
    """

    columns: dict[str, str]
    constants: dict[str, Text] = {}
    numbers: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(le=999)]] | None = None

    def groups(self) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
        """Yields columns (theirs → ours) and constants of every group, `{n}` filled in."""
        first, last = self.numbers or (0, 0)
        for n in range(first, last + 1):
            yield (
                {theirs.replace("{n}", str(n)): ours for theirs, ours in self.columns.items()},
                {ours: value.replace("{n}", str(n)) for ours, value in self.constants.items()},
            )


class Split(Closed):
    """Packed cells: `names` and `values` (and `units`) are columns whose cells hold several parts each.

    Every part becomes a column of the source, called by its name (its unit: `<name> unit`), before anything is mapped.
    """

    names: str
    values: str
    units: str | None = None
    separator: str = ";"


class Dates(Closed):
    """How the source writes dates: a strptime format, or `excel` for serial day numbers.

    `partial: middle`: a date known to the month or year only stands for the middle of it (columns that may be empty).
    """

    format: str = "%Y-%m-%d"
    partial: Literal["middle"] | None = None


class TableSource(Closed):
    """One file or sheet, or one table (or view) or query of a database, that feeds one canonical table."""

    file: str = ""
    table: str | None = None
    query: str | None = None
    sheet: str | None = None
    header_row: int = Field(default=1, ge=1)
    encoding: str = "utf-8"
    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    columns: dict[str, str] = {}
    dates: Dates = Dates()
    units: dict[str, str] = {}
    values: dict[str, dict[Text, Text]] = {}
    missing: dict[str, list[Text]] = {}
    constants: dict[str, Text] = {}
    wide_to_long: list[Reshape] = []
    split: Split | None = None
    ignore: list[str] = []
    allow_text: list[str] = []
    clinic: str | None = None

    @model_validator(mode="after")
    def _stands_in_one_place(self) -> TableSource:
        if [bool(self.file), bool(self.table), bool(self.query)].count(True) != 1:
            raise ValueError("say one of `file:` (with `sheet:`), or of a database `table:` or `query:`")
        return self


class SiteMapping(Closed):
    """A site: where its files or its database are and how they turn into the canonical tables."""

    name: str
    path: str
    source: str
    title: str | None = None
    synthetic: bool = False
    format: Literal["canonical", "mapped", "omop"] = "mapped"
    database_schema: str | None = Field(default=None, alias="schema")
    tables: dict[TableName, TableSource | list[TableSource] | Literal["none"]] = {}
    ignore: dict[TableName, list[str]] = {}
    allow_text: list[str] = []
    data_cut_date: dt.date | None = None
    records_glucocorticoids: bool | None = None
    local_codes: dict[Text, str] = {}
    crp_unit: Literal["mg/L", "mg/dL"] | None = None
    upper_limits: dict[Literal["rf", "anti_ccp"], float] = {}
    censored: Literal["half", "limit", "zero"] = "half"
    drug_separators: list[str] = []
    hospital_number: str | None = None
    id_columns: list[str] = []
    units_confirmed: list[str] = []
    max_set_aside_percent: float = Field(default=5.0, ge=0, le=100)

    @model_validator(mode="after")
    def _needs_tables(self) -> SiteMapping:
        if self.format == "mapped" and not self.tables:
            raise ValueError("say `format: canonical`, or describe each table under `tables:`")
        if self.format != "mapped" and any(stated != "none" for stated in self.tables.values()):
            raise ValueError(
                f"`format: {self.format}` describes no tables; `<table>: none` alone may stand there"
            )
        if self.format == "mapped":
            in_database = {not source.file for sources in self.sources().values() for source in sources}
            if in_database - {is_database(self.source)}:
                raise ValueError(
                    "`table:` and `query:` belong to a database, `file:` and `sheet:` to a folder or workbook; see `source:`"
                )
        return self

    @field_validator("local_codes")
    @classmethod
    def _stand_for_concepts(cls, local_codes: dict[str, str]) -> dict[str, str]:
        try:
            for concept in local_codes.values():
                concept_codes(concept)
        except StudyError as problem:
            raise ValueError(str(problem)) from None
        return local_codes

    @field_validator("hospital_number")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None) -> str | None:
        try:
            pl.Series([""]).str.contains(pattern or "")
        except pl.exceptions.PolarsError:
            raise ValueError("is no regular expression (without look-around)") from None
        return pattern

    @property
    def is_fetched(self) -> bool:
        """True if `fetch_extract` must make parquet files of it first: a database, or tables of the OMOP CDM."""
        return self.format == "omop" or is_database(self.source)

    def has_no(self, table: TableName) -> bool:
        """True if the mapping says that the extract has no such table (`treatments: none`)."""
        return self.tables.get(table) == "none"

    def sources(self) -> dict[TableName, list[TableSource]]:
        """Returns the files or sheets that feed each table, in the order of the canonical tables.

        A canonical site: `<table>.csv` or `<table>.parquet` of its folder, or the sheets of one workbook.
        StudyError where the folder does not exist or holds a table twice.
        """
        if self.format == "canonical":
            return _canonical_sources(self)
        found: dict[TableName, list[TableSource]] = {}
        for table in TABLES:
            stated = self.tables.get(table, "none")
            if stated != "none":
                found[table] = stated if isinstance(stated, list) else [stated]
        return found

    def files(self) -> list[Path]:
        """Returns every raw file that the site's tables come from, sorted, each once; StudyError for one not there.

        A server has none; a DuckDB file is one.
        """
        folder = Path(self.source)
        if is_postgresql(self.source):
            return []
        if folder.is_file():
            return [folder]
        if is_database(self.source):
            there = [path.name for path in folder.parent.glob("*.duckdb")]
            raise StudyError(f"{self.path}: no such file: {self.source}{nearest(folder.name, there)}")
        if self.format == "omop":
            return sorted(cdm_files(self).values())
        files = sorted({folder / source.file for sources in self.sources().values() for source in sources})
        there = [path.name for path in folder.glob("*")]
        missing = [f"{path.as_posix()}{nearest(path.name, there)}" for path in files if not path.is_file()]
        if missing:
            raise StudyError(f"{self.path}: no such file: {'; '.join(missing)}")
        return files

    def file_path(self, source: TableSource) -> Path:
        """Returns the path of a source's file."""
        return Path(self.source) if Path(self.source).is_file() else Path(self.source) / source.file

    def fetched_in(self, folder: str | Path) -> SiteMapping:
        """Returns the site as `fetch_extract` left it in a folder: parquet files, called by what they were in the source."""
        if self.format == "mapped":
            tables = {
                table: [
                    source.model_copy(update={"file": name})
                    for source, name in zip(sources, names, strict=True)
                ]
                for (table, sources), names in zip(self.sources().items(), self._fetched_names(), strict=True)
            }
        else:
            word = "OMOP" if self.format == "omop" else "table"
            tables = {
                table: [TableSource(table=f"{word} {table}").model_copy(update={"file": f"{table}.parquet"})]
                for table in TABLES
                if (Path(folder) / f"{table}.parquet").is_file()
            }
        absent = {table: "none" for table in self.tables if self.has_no(table)}
        return self.model_copy(
            update={"source": str(folder), "format": "mapped", "tables": {**tables, **absent}}
        )

    def _fetched_names(self) -> list[list[str]]:
        """The file of every source, as `sources` lists them; one table or query that feeds several has one file."""
        names: dict[tuple[str | None, str | None], str] = {}
        return [
            [
                names.setdefault((source.table, source.query), f"{table}_{len(names) + 1}.parquet")
                for source in sources
            ]
            for table, sources in self.sources().items()
        ]


def load_site(name: str, fetched: str | None = None) -> SiteMapping:
    """Returns the site of that name or path; StudyError names the file, the key and the nearest valid choice.

    `fetched`: the folder that `fetch_extract` made, where the site is a database or an OMOP CDM.
    """
    path = find("sites", name)
    _refuse_guesses(path)
    section = without_empty(load_yaml(path))
    if isinstance(section, dict):
        refuse_password(str(section.get("source", "")), path.as_posix())
    site = parse(SiteMapping, section, path, name=path.stem, path=path.as_posix())
    return site.fetched_in(fetched) if fetched else site


def cdm_files(site: SiteMapping) -> dict[str, Path]:
    """Returns the csv and parquet files of an OMOP folder by the name of their table, in small letters.

    StudyError where there is no such folder, or a table is there twice.
    """
    folder = Path(site.source)
    if not folder.is_dir():
        raise StudyError(
            f"{site.path}: key 'source': {site.source} does not exist (seen from {Path.cwd().name}/)."
        )
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        table = path.stem.casefold()
        if path.suffix.casefold() in (".csv", ".parquet") and table in CDM:
            if table in found:
                raise StudyError(
                    f"{folder}: table {table} is there twice: {found[table].name} and {path.name}. Keep one."
                )
            found[table] = path
    return found


def without_empty(section: Any) -> Any:
    """Returns a section without keys under which nothing stands (any more): a person who deletes lines leaves such."""
    if not isinstance(section, dict):
        return section
    filled = {name: without_empty(part) for name, part in section.items() if part is not None}
    return {name: part for name, part in filled.items() if part != {} or section[name] == {}}


def n_unconfirmed(path: Path) -> int:
    """Returns how many lines of a mapping still carry the mark of a guess, or CHOOSE where a person must choose."""
    return sum(len(_lines_that(path, shows)) for shows in (GUESS, QUESTION))


def _refuse_guesses(path: Path) -> None:
    """StudyError for a mapping that `d2tra map` proposed and nobody has confirmed yet."""
    guesses, questions = _lines_that(path, GUESS), _lines_that(path, QUESTION)
    if guesses:
        raise StudyError(
            f"{path}: {len(guesses)} guesses are not confirmed yet, the first in line {guesses[0]}. Delete the words "
            f"`{CONFIRM}` once a guess is right (all of them at once is allowed: then you sign for all), or mend the line."
        )
    if questions:
        raise StudyError(
            f"{path}: {len(questions)} questions are open, the first in line {questions[0]}. Write the answer where CHOOSE "
            "stands; the end of the line says between what."
        )


def _lines_that(path: Path, shows: re.Pattern[str]) -> list[int]:
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return [number for number, line in enumerate(lines, start=1) if shows.search(line)]


def study_cut(stated: str | None, extract_cut: str) -> dt.date:
    """Returns the study's cut: the one the study states, else the last day of which the extract tells (ISO dates)."""
    return dt.date.fromisoformat(stated or extract_cut)


def _canonical_sources(site: SiteMapping) -> dict[TableName, list[TableSource]]:
    root = Path(site.source)
    if not root.exists():
        raise StudyError(
            f"{site.path}: key 'source': {site.source} does not exist (seen from {Path.cwd().name}/)."
        )
    found: dict[TableName, list[TableSource]] = {}
    if root.is_file():
        sheets = sheet_names(root)
        return {table: [TableSource(file=root.name, sheet=table)] for table in TABLES if table in sheets}
    workbooks = sorted(root.glob("*.xlsx"))
    for table in TABLES:
        if site.has_no(table):
            continue
        files = [path for end in ("csv", "parquet") if (path := root / f"{table}.{end}").is_file()]
        if len(files) > 1:
            raise StudyError(
                f"{root}: table {table} is there twice: {' and '.join(f.name for f in files)}. Keep one."
            )
        if files:
            found[table] = [TableSource(file=files[0].name)]
    if not found and len(workbooks) == 1:
        sheets = sheet_names(workbooks[0])
        found = {
            table: [TableSource(file=workbooks[0].name, sheet=table)] for table in TABLES if table in sheets
        }
    return found
