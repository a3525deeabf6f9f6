"""The identifier screen: every cell, header and name of a site's raw files, before anything else is written."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from d2tra.errors import StudyError
from d2tra.extract import health_numbers as numbers
from d2tra.extract import identifiers as kinds
from d2tra.extract.identifiers import date_years, reads_as_births, signs_in_column, signs_in_name
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.signs import Column, Sign
from d2tra.extract.site import SiteMapping
from d2tra.extract.sources import WORKBOOKS, all_cells, document_properties, source_label
from d2tra.extract.workbooks import sheet_names

AUTHOR = "author's name"
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
    AUTHOR: "Clear the document's properties before it leaves the department.",
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
CANONICAL_DATES = {
    column.name for table in COLUMNS.values() for column in table.values() if column.kind == "date"
}
FOR_TYPICAL_YEAR = 0.99  # the extract's last year, some mistyped ones left out


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
    """What the screen found: `hits` stop the run, `warnings` do not."""

    site: str
    hits: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()

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
        """Returns the warnings as plain values for screen.json; a screening with hits is never written."""
        return {"site": self.site, "warnings": [asdict(warning) for warning in self.warnings]}


@dataclass(frozen=True)
class _Declared:
    """What the mapping says of columns: by sheet their roles and allowed text; everywhere the ids."""

    roles: dict[str, dict[str, set[str]]]
    may_hold_text: dict[str, set[str]]
    ids: set[str]
    pseudonyms: set[str]


@dataclass
class _Dates:
    """A column of dates, to be judged when the extract's last year is known."""

    place: tuple[str, str]
    column: Column
    years: pl.DataFrame
    is_exempt: bool


def screen_extract(site: SiteMapping) -> Screening:
    """Returns what could identify a patient in the raw files of a site's tables; no other file is opened.

    StudyError where a file cannot be read, or `hospital_number` is no regular expression.
    """
    _check_pattern(site)
    declared = _declared(site)
    found: list[tuple[str, str, Sign, str]] = []
    dated: list[_Dates] = []
    for number, path in enumerate(site.files(), start=1):
        in_name = signs_in_name(path.stem, site.hospital_number)
        shown = f"file {number}" if in_name else path.name
        found += [(shown, "name of the file", sign, IN_A_NAME) for sign in in_name]
        try:
            frames = all_cells(path, site)
            found += _in_properties(path, shown)
        except StudyError as problem:
            if not in_name:
                raise
            raise StudyError(str(problem).replace(str(path), shown).replace(path.name, shown)) from None
        sheets, found_in_names = _sheets_shown(path, shown, site.hospital_number)
        found += found_in_names
        for label, cells in frames.items():
            sheet, _, _ = label.partition(", above the header")
            place = sheets.get(sheet, shown) + (", above the header" if label != sheet else "")
            found += _in_frame(cells, label, place, declared, site.hospital_number, dated)
    found += _old_dates(dated, site)
    findings = [
        (sign.stops, Finding(file, place, sign.kind, sign.cells, how)) for file, place, sign, how in found
    ]
    hits, warnings = (tuple(f for stops, f in findings if stops is wanted) for wanted in (True, False))
    return Screening(site.name, hits, warnings)


def raise_if_identifiers(screening: Screening) -> None:
    """Raises StudyError with the message of the screening if anything in it stops the run."""
    if screening.hits:
        raise StudyError(screening.stop_message())


def _check_pattern(site: SiteMapping) -> None:
    try:
        pl.Series([""]).str.contains(site.hospital_number or "")
    except pl.exceptions.PolarsError:
        raise StudyError(
            f"{site.path}: key 'hospital_number': {site.hospital_number!r} is no regular expression (without look-around)."
        ) from None


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
                first, last = reshape.numbers or (1, 1)
                for n in range(first, last + 1):
                    mapped |= {
                        theirs.replace("{n}", str(n)): ours for theirs, ours in reshape.columns.items()
                    }
            for theirs, ours in [*zip(COLUMNS[table], COLUMNS[table], strict=True), *mapped.items()]:
                roles[label][theirs].add(ours)
            may_hold_text[label] |= {*source.allow_text, *site.allow_text}
            ids |= {theirs for theirs, ours in mapped.items() if ours == "patient_id"}
    return _Declared(roles, may_hold_text, ids, set(site.id_columns))


def _in_frame(
    cells: pl.DataFrame,
    label: str,
    place: str,
    declared: _Declared,
    hospital_number: str | None,
    dated: list[_Dates],
) -> list[tuple[str, str, Sign, str]]:
    """The findings of one sheet's headers and columns; its columns of dates are put aside into `dated`."""
    found = []
    is_title = "above the header" in place
    for number, header in enumerate(cells.columns, start=1):
        in_header = [] if is_title else signs_in_name(header, hospital_number)
        found += [(place, f"header of column {number}", sign, IN_A_NAME) for sign in in_header]
        shown = f"column {number}" if in_header or is_title else f"column {header!r}"
        column = Column(
            header=header,
            values=cells[header].drop_nulls().rename("value").value_counts(name="count"),
            roles=frozenset(declared.roles.get(label, {}).get(header, ())),
            is_id=header in declared.ids,
            is_pseudonym=header in declared.pseudonyms,
            may_hold_text=header in declared.may_hold_text.get(label, ()),
            is_title=is_title,
        )
        signs = signs_in_column(column, hospital_number)
        found += [(place, shown, sign, ADVICE.get(sign.kind, BY_SOURCE)) for sign in signs]
        years = date_years(column.values)
        if years.height and not is_title:
            is_told = any(sign.kind in (kinds.BIRTH, kinds.DEATH) for sign in signs)
            is_exempt = is_told or bool(column.roles & CANONICAL_DATES)
            dated.append(_Dates((place, shown), column, years, is_exempt))
    return found


def _old_dates(dated: list[_Dates], site: SiteMapping) -> list[tuple[str, str, Sign, str]]:
    """Columns whose dates read as births, by the extract's cut or else by the last year its other dates reach."""
    found = []
    for each in dated:
        if each.is_exempt:
            continue
        years = [other.years for other in dated if other is not each]
        if site.data_cut_date:
            last_year = site.data_cut_date.year
        elif years:
            cells = (
                pl.concat(years)
                .sort("year")
                .with_columns(share=pl.col("count").cum_sum() / pl.col("count").sum())
            )
            last_year = cells.filter(pl.col("share") >= FOR_TYPICAL_YEAR)["year"][0]
        else:
            continue
        if reads_as_births(each.column, each.years, last_year):
            found.append(
                (*each.place, Sign(kinds.BIRTH, int(each.years["count"].sum())), ADVICE[kinds.BIRTH])
            )
    return found


def _sheets_shown(
    path: Path, shown: str, hospital_number: str | None
) -> tuple[dict[str, str], list[tuple[str, str, Sign, str]]]:
    """How messages call each sheet of a workbook (by its number, if its name is a finding), and those findings."""
    if path.suffix.casefold() not in WORKBOOKS:
        return {}, []
    called, found = {}, []
    for number, name in enumerate(sheet_names(path), start=1):
        in_name = signs_in_name(name, hospital_number)
        called[f"{path.name} [{name}]"] = f"{shown} [sheet {number}]" if in_name else f"{shown} [{name}]"
        found += [(f"{shown} [sheet {number}]", "name of the sheet", sign, IN_A_NAME) for sign in in_name]
    return called, found


def _in_properties(path: Path, shown: str) -> list[tuple[str, str, Sign, str]]:
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
