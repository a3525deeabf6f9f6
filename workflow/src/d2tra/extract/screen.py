"""The identifier screen: every cell, header and name of a site's raw files, before anything else is written."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from d2tra.errors import StudyError
from d2tra.extract import health_numbers as numbers
from d2tra.extract import identifiers as kinds
from d2tra.extract.document_parts import (
    comment_authors,
    document_properties,
    embedded_files,
    hidden_texts,
)
from d2tra.extract.identifiers import signs_in_column, signs_in_name
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.screened_columns import Decision, ScreenedColumn, find_old_dates
from d2tra.extract.signs import Column, Sign, reads_as_cell, unified_cells
from d2tra.extract.site import SiteMapping
from d2tra.extract.sources import ABOVE, WORKBOOKS, cell_batches, source_label
from d2tra.extract.workbooks import sheet_names
from d2tra.provenance import seal_of

AUTHOR, EMBEDDED = "author's name", "embedded file"
BY_SOURCE = "Remove the column from the file, or clear those cells in the source system, and run again."
ADVICE = {
    numbers.NHS: "Replace it by a pseudonym before extraction (column patient_id) and remove it everywhere else.",
    numbers.MAYBE: "Ten digits that pass the check of an NHS number; chance does so one time in eleven. Look at them.",
    kinds.BIRTH: "Give the year of birth (birth_year) instead and remove the full dates.",
    kinds.DEATH: "Give the month of death (death_month, YYYY-MM) instead.",
    kinds.OUTWARD: "Give the deprivation quintile (imd_quintile) instead, if that is what it serves.",
    kinds.ADDRESS: "Remove the column; one that holds no address goes under `allow_text` in the mapping.",
    kinds.FREE_TEXT: "Remove the column; one that somebody has read and found clean goes under `allow_text` in the mapping.",
    kinds.HOSPITAL: "Replace it by a pseudonym; a column that holds pseudonyms goes under `id_columns` in the mapping.",
    kinds.PHONE: "Remove the column; one that holds study numbers goes under `id_columns` in the mapping.",
    AUTHOR: "Clear the document's properties and comments before it leaves the department.",
    kinds.AGE: "Put everybody above 90 into one band.",
    kinds.MAYBE_HOSPITAL: "Every cell is a letter and six or seven digits. Look at them; pseudonyms go under `id_columns`.",
    EMBEDDED: "Pictures and documents inside a workbook cannot be screened. Remove them, or look at them yourself.",
}
ADVICE |= dict.fromkeys((numbers.CHI, numbers.HEALTH_AND_CARE), ADVICE[numbers.NHS])
IN_A_NAME = "Rename it, and run again."
IN_PROPERTIES = "Clear the workbook's properties (File, Info, Inspect document) and run again."
STOPPING_PROPERTIES = {
    numbers.NHS,
    numbers.CHI,
    numbers.HEALTH_AND_CARE,
    kinds.EMAIL,
    kinds.PHONE,
    kinds.POSTCODE,
}
LISTS_OF_SHEETS = {"TitlesOfParts", "HeadingPairs"}  # the sheets' names once more
AUTHORS = {"creator", "lastModifiedBy", "Manager"}
PROGRAMS = ("d2tra", "openpyxl", "xlsxwriter", "microsoft", "libreoffice", "python")
CANONICAL_DATES = frozenset(
    column.name for table in COLUMNS.values() for column in table.values() if column.kind == "date"
)
LOOKED_AT = 1000  # cells that a header is compared with
Found = tuple[str, str, Sign, str]  # file, place in it, sign, advice


@dataclass(frozen=True)
class Finding:
    """One kind of identifier in one place; never its value. `column` says which column, header or name."""

    file: str
    column: str
    kind: str
    count: int
    advice: str


@dataclass(frozen=True)
class Screening:
    """What the screen found: `hits` stop the run, `warnings` do not; `columns`: what was decided on every column."""

    site: str
    hits: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    columns: tuple[Decision, ...] = ()

    def stop_message(self) -> str:
        """Returns every hit in words: file, column, count, kind and how to remove it; "" if there is none."""
        if not self.hits:
            return ""
        kinds_found = ", ".join(dict.fromkeys(hit.kind for hit in self.hits))
        lines = [
            f"  {hit.file}, {hit.column}: {hit.kind}, {hit.count} cell{'s' * (hit.count != 1)}. {hit.advice}"
            for hit in self.hits
        ]
        return (
            f"The extract of {self.site} holds what may identify patients ({kinds_found}); nothing of it was written.\n"
            + "\n".join(lines)
        )

    def as_dict(self) -> dict[str, Any]:
        """Returns warnings and decisions as plain values for screen.json; a screening with hits is never written."""
        return {
            "site": self.site,
            "warnings": [asdict(warning) for warning in self.warnings],
            "columns": [column.as_dict() for column in self.columns],
        }


@dataclass(frozen=True)
class _Declared:
    """What the mapping says of columns: by sheet their roles and allowed text; everywhere the ids."""

    roles: dict[str, dict[str, set[str]]]
    may_hold_text: dict[str, set[str]]
    ids: set[str]
    pseudonyms: set[str]

    def column(self, label: str, header: str, is_title: bool) -> Column:
        """Returns a column of which nothing was read yet."""
        return Column(
            header=header,
            values=pl.DataFrame(schema={"cell": pl.UInt32, "value": pl.String, "count": pl.UInt32}),
            roles=frozenset(self.roles.get(label, {}).get(header, ())),
            is_id=header in self.ids,
            is_pseudonym=header in self.pseudonyms,
            may_hold_text=header in self.may_hold_text.get(label, ()),
            is_title=is_title,
        )


def screen_extract(site: SiteMapping) -> Screening:
    """Returns what could identify a patient in the raw files of a site's tables; no other file is opened.

    StudyError where a file cannot be read, or `hospital_number` is no regular expression.
    """
    declared = _declared(site)
    found: list[Found] = []
    fetched = {
        site.file_path(source): source_label(site.file_path(source), source)
        for sources in site.sources().values()
        for source in sources
        if source.table or source.query
    }
    columns: list[ScreenedColumn] = []
    for number, path in enumerate(site.files(), start=1):
        in_name = signs_in_name(path.stem, site.hospital_number)
        shown = f"file {number}" if in_name else fetched.get(path, path.name)
        found += [(shown, "name of the file", sign, IN_A_NAME) for sign in in_name]
        try:
            sheets, found_in_names = _sheets_shown(path, shown, site.hospital_number)
            found += found_in_names
            in_file, found_in_headers = _columns_of(path, shown, sheets, declared, site)
            columns += in_file
            found += found_in_headers
            found += _in_properties(path, shown)
            found += _beside_the_cells(path, shown, site.hospital_number)
        except StudyError as problem:
            if not in_name:
                raise
            raise StudyError(str(problem).replace(str(path), shown).replace(path.name, shown)) from None
    find_old_dates(columns, CANONICAL_DATES, site.data_cut_date.year if site.data_cut_date else None)
    for column in columns:
        column.finish()
        found += [
            (column.file, column.shown, sign, ADVICE.get(sign.kind, BY_SOURCE))
            for sign in column.signs.values()
        ]
    findings = [
        (sign.stops, Finding(file, place, sign.kind, sign.cells, how)) for file, place, sign, how in found
    ]
    hits, warnings = (tuple(f for stops, f in findings if stops is wanted) for wanted in (True, False))
    return Screening(site.name, hits, warnings, tuple(column.decision() for column in columns))


def seals(site: SiteMapping) -> list[str]:
    """Returns the sha256 of each raw file (or fetched table), in the order of `site.files()`."""
    return [seal_of(path) for path in site.files()]


@contextlib.contextmanager
def as_screened(site: SiteMapping, sha256: Sequence[str]) -> Iterator[None]:
    """Raises StudyError where a raw file is not, before or after what is done within, what the screen has read.

    `sha256`: what `seals` returned before the screen began. An error within, of a changed file, is not said: it may
    name what nobody has screened.
    """
    _refuse_unscreened(site, sha256)
    try:
        yield
    finally:
        _refuse_unscreened(site, sha256)


def _refuse_unscreened(site: SiteMapping, sha256: Sequence[str]) -> None:
    there = seals(site)
    n_changed = len(set(there) - set(sha256)) or abs(len(there) - len(sha256))
    if n_changed:
        raise StudyError(
            f"{site.name}: {n_changed} of {len(there)} files of the extract changed, came or went since they were screened for "
            "identifiers; nothing of that was used. Leave the files alone during a run, and run again (where a file kept its "
            "old time, touch it first: Snakemake goes by that)."
        ) from None


def raw_files(site: SiteMapping) -> list[Path]:
    """Returns the site's raw files; StudyError where the name of one is an identifier: Snakemake says names on screen."""
    found = [
        Finding(f"file {number}", "name of the file", sign.kind, 1, IN_A_NAME)
        for number, path in enumerate(site.files(), start=1)
        for sign in signs_in_name(path.stem, site.hospital_number)
    ]
    raise_if_identifiers(Screening(site.name, hits=tuple(found)))
    return site.files()


def raise_if_identifiers(screening: Screening) -> None:
    """Raises StudyError with the message of the screening if anything in it stops the run."""
    if screening.hits:
        raise StudyError(screening.stop_message())


def _declared(site: SiteMapping) -> _Declared:
    roles: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    may_hold_text: dict[str, set[str]] = defaultdict(set)
    ids = {"patient_id", *site.id_columns}
    for table, sources in site.sources().items():
        for source in sources:
            path = site.file_path(source)
            if source.sheet is None and path.suffix.casefold() in WORKBOOKS and path.is_file():
                source = source.model_copy(update={"sheet": sheet_names(path)[0]})
            label = source_label(path, source)
            mapped = dict(source.columns)
            for reshape in source.wide_to_long:
                for reshaped, _ in reshape.groups():
                    mapped |= reshaped
            for theirs, ours in [*zip(COLUMNS[table], COLUMNS[table], strict=True), *mapped.items()]:
                roles[label][theirs].add(ours)
            may_hold_text[label] |= {*source.allow_text, *site.allow_text}
            ids |= {theirs for theirs, ours in mapped.items() if ours == "patient_id"}
    return _Declared(roles, may_hold_text, ids, set(site.id_columns))


def _columns_of(
    path: Path, shown: str, sheets: dict[str, str], declared: _Declared, site: SiteMapping
) -> tuple[list[ScreenedColumn], list[Found]]:
    """The columns of a file, read through batch by batch, and what was found in their headers."""
    columns: dict[tuple[str, str], ScreenedColumn] = {}
    found: list[Found] = []
    for label, cells in cell_batches(path, site):
        sheet, is_title, _ = label.partition(ABOVE)
        place = sheets.get(sheet, shown) + is_title
        for number, header in enumerate(cells.columns, start=1):
            if (label, header) not in columns:
                in_header = [] if is_title else signs_in_name(header, site.hospital_number)
                found += [(place, f"header of column {number}", sign, IN_A_NAME) for sign in in_header]
                is_hidden = in_header or is_title or reads_as_cell(header, cells[header].head(LOOKED_AT))
                columns[label, header] = ScreenedColumn(
                    place,
                    f"column {number}" if is_hidden else f"column {header!r}",
                    declared.column(label, header, bool(is_title)),
                    site.hospital_number,
                )
            columns[label, header].add(cells[header])
    for column in columns.values():
        column.judge()
    return list(columns.values()), found


def _sheets_shown(path: Path, shown: str, hospital_number: str | None) -> tuple[dict[str, str], list[Found]]:
    """How messages call each sheet of a workbook (by its number, if its name is a finding), and those findings."""
    if path.suffix.casefold() not in WORKBOOKS:
        return {}, []
    called, found = {}, []
    for number, name in enumerate(sheet_names(path), start=1):
        in_name = signs_in_name(name, hospital_number)
        called[f"{path.name} [{name}]"] = f"{shown} [sheet {number}]" if in_name else f"{shown} [{name}]"
        found += [(f"{shown} [sheet {number}]", "name of the sheet", sign, IN_A_NAME) for sign in in_name]
    return called, found


def _in_properties(path: Path, shown: str) -> list[Found]:
    found = []
    for number, (key, text) in enumerate(document_properties(path).items(), start=1):
        if key in LISTS_OF_SHEETS:
            continue
        place = f"workbook property {number if signs_in_name(key) else repr(key)}"
        signs = [sign for sign in signs_in_name(text) if sign.kind in STOPPING_PROPERTIES]
        found += [(shown, place, sign, IN_PROPERTIES) for sign in signs]
        if key in AUTHORS and not signs and not any(program in text.casefold() for program in PROGRAMS):
            found.append((shown, place, Sign(AUTHOR, 1, stops=False), ADVICE[AUTHOR]))
    return found


def _beside_the_cells(path: Path, shown: str, hospital_number: str | None) -> list[Found]:
    """What comments, names, links and the like of a workbook show; who wrote comments and what is embedded are warnings."""
    found: list[Found] = []
    for called, texts in hidden_texts(path).items():
        values = pl.DataFrame({"value": texts}).group_by("value").agg(count=pl.len())
        column = Column("", unified_cells(values).with_row_index("cell"), is_title=True)
        for sign in signs_in_column(column, hospital_number):
            found.append((shown, called, sign, IN_PROPERTIES))
    for kind, n in ((AUTHOR, len(set(comment_authors(path)))), (EMBEDDED, embedded_files(path))):
        if n:
            place = "comments" if kind == AUTHOR else "workbook"
            found.append((shown, place, Sign(kind, n, stops=False), ADVICE[kind]))
    return found
