"""What a site declares about its own extract: `config/sites/<site>.yaml`, checked."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from d2tra.codelists import concept_codes
from d2tra.config import Closed, find, load_yaml, parse
from d2tra.errors import StudyError, nearest
from d2tra.extract.workbooks import sheet_names

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
    numbers: tuple[int, int] | None = None


class Split(Closed):
    """Packed cells: `names` and `values` (and `units`) are columns whose cells hold several parts each.

    Every part becomes a column of the source, called by its name (its unit: `<name> unit`), before anything is mapped.
    """

    names: str
    values: str
    units: str | None = None
    separator: str = ";"


class Dates(Closed):
    """How the source writes dates: a strptime format, or `excel` for serial day numbers."""

    format: str = "%Y-%m-%d"


class TableSource(Closed):
    """One file or sheet that feeds one canonical table."""

    file: str
    sheet: str | None = None
    header_row: int = Field(default=1, ge=1)
    encoding: str = "utf-8"
    delimiter: str | None = None
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


class SiteMapping(Closed):
    """A site: where its files are and how they turn into the canonical tables."""

    name: str
    path: str
    source: str
    title: str | None = None
    synthetic: bool = False
    format: Literal["canonical", "mapped"] = "mapped"
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
    max_set_aside_percent: float = Field(default=5.0, ge=0, le=100)

    @model_validator(mode="after")
    def _needs_tables(self) -> SiteMapping:
        if self.format == "mapped" and not self.tables:
            raise ValueError("say `format: canonical`, or describe each table under `tables:`")
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
        """Returns every raw file that the site's tables come from, sorted, each once; StudyError for one not there."""
        folder = Path(self.source)
        if folder.is_file():
            return [folder]
        files = sorted({folder / source.file for sources in self.sources().values() for source in sources})
        there = [path.name for path in folder.glob("*")]
        missing = [f"{path.as_posix()}{nearest(path.name, there)}" for path in files if not path.is_file()]
        if missing:
            raise StudyError(f"{self.path}: no such file: {'; '.join(missing)}")
        return files

    def file_path(self, source: TableSource) -> Path:
        """Returns the path of a source's file."""
        return Path(self.source) if Path(self.source).is_file() else Path(self.source) / source.file


def load_site(name: str) -> SiteMapping:
    """Returns the site of that name or path; StudyError names the file, the key and the nearest valid choice."""
    path = find("sites", name)
    return parse(SiteMapping, load_yaml(path), path, name=path.stem, path=path.as_posix())


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
