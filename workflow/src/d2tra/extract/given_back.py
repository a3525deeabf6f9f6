"""The department's own sheets as they were read, and what there is to say of each row: for the quarantine workbook."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import xlsxwriter

from d2tra.errors import StudyError
from d2tra.extract.accounting import COUNTS
from d2tra.extract.site import SiteMapping, TableSource
from d2tra.extract.sources import TEXT_FILES, all_cells, source_label

FIRST = "What to do"
LONGEST_NAME = 31  # of a sheet
MADE_ON = dt.datetime(2024, 1, 1)  # fixed: the same rows give the same bytes
SEVERITIES = ("row", "cell", "fix")  # the gravest first
WORDS = {"row": "set aside", "cell": "kept, a cell emptied", "fix": "kept, a cell repaired"}
MERGED, WITH_PATIENT = "merged: an exact duplicate", "set aside with its patient"


@dataclass
class Given:
    """One sheet of theirs: what stood above the header, header, cells, the number of the header's row, what feeds from it."""

    label: str
    above: pl.DataFrame
    cells: pl.DataFrame
    header_row: int
    sources: dict[str, list[TableSource]] = field(default_factory=lambda: defaultdict(list))

    def column(self, table: str, theirs: str | None) -> str | None:
        """The column that holds the value: theirs, or that of the packed cells of which theirs is a part; else none."""
        if theirs is None or theirs in self.cells.columns:
            return theirs
        packed = [split for source in self.sources[table] if (split := source.split)]
        if not packed:
            return None
        return packed[0].units if packed[0].units and theirs.endswith(" unit") else packed[0].values

    @property
    def first(self) -> TableSource:
        """What the mapping says of the sheet, where it says it first."""
        return next(iter(self.sources.values()))[0]

    @property
    def is_wide(self) -> bool:
        """Whether one row of theirs holds several records."""
        return any(source.wide_to_long for sources in self.sources.values() for source in sources)


@dataclass(frozen=True)
class Mark:
    """What one row has: severity and sentences by column (None: the row), and its words for what became of it."""

    became: str
    cells: dict[str | None, tuple[str, list[str]]]


def given_sheets(site: SiteMapping) -> list[Given]:
    """Every file or sheet that feeds a table, each once, in the order of the canonical tables."""
    sheets: dict[str, Given] = {}
    files: dict[Path, dict[str, pl.DataFrame]] = {}
    for table, sources in site.sources().items():
        for source in sources:
            path = site.file_path(source)
            label = source_label(path, source)
            if path not in files:
                files[path] = all_cells(path, site)
            frames = files[path]
            key = (
                label if label in frames else next(iter(frames))
            )  # the only sheet, which the mapping need not name
            if label not in sheets:
                above = frames.get(f"{key}, above the header", pl.DataFrame())
                sheets[label] = Given(label, above, frames[key], source.header_row)
            sheets[label].sources[table].append(source)
    return list(sheets.values())


def sheet_names(sheets: list[Given]) -> dict[str, str]:
    """A name that a workbook takes for every label: the sheet's own or the file's stem, cut and numbered where needed."""
    names: dict[str, str] = {}
    taken = {FIRST.casefold(), "history"}
    for given in sheets:
        wanted = given.first.sheet or given.first.table or Path(given.first.file).stem
        plain = "".join("_" if letter in "[]:*?/\\" else letter for letter in wanted).strip("' ") or "sheet"
        name, number = plain[:LONGEST_NAME], 2
        while name.casefold() in taken:
            ending = f" {number}"
            name, number = plain[: LONGEST_NAME - len(ending)] + ending, number + 1
        taken.add(name.casefold())
        names[given.label] = name
    return names


def marks_of(given: Given, quarantine: pl.DataFrame, read: Mapping[str, pl.DataFrame]) -> dict[int, Mark]:
    """What there is to say of each row of theirs; a row without a finding is no key."""
    cells: dict[int, dict[str | None, tuple[str, list[str]]]] = defaultdict(dict)
    rules: dict[int, set[tuple[str, str]]] = defaultdict(set)
    mine = quarantine.filter(pl.col("source") == given.label)
    wanted = mine.select("source_row", "table", "column", "their_column", "rule", "severity", "message")
    for row, table, ours, theirs, rule, severity, message in wanted.iter_rows():
        column = given.column(table, theirs)
        sentence = message if theirs in (None, ours) else f"{theirs}: {message}"
        before, sentences = cells[row].get(column, (severity, []))
        gravest = min(before, severity, key=SEVERITIES.index)
        cells[row][column] = (gravest, sentences if sentence in sentences else [*sentences, sentence])
        rules[row].add((severity, rule))
    merged: set[int] = set()
    for rows in read.values():
        again = rows.filter(pl.col("is_duplicate"), pl.col("source") == given.label)
        merged.update(again["source_row"])
    part = "a record " if given.is_wide else ""
    marks = {row: Mark(part + _became(rules[row]), found) for row, found in cells.items()}
    for row in sorted(merged - {row for row, found in rules.items() if any(s == "row" for s, _ in found)}):
        sentence = (
            "Nothing to mend: it is merged with an earlier equal one. Delete it in the source if you like."
        )
        found = cells.get(row, {})
        marks[row] = Mark(part + MERGED, {**found, None: ("fix", [*found.get(None, ("", []))[1], sentence])})
    return marks


def _became(rules: set[tuple[str, str]]) -> str:
    if {rule for severity, rule in rules if severity == "row"} == {"orphan"}:
        return WITH_PATIENT
    return WORDS[min((severity for severity, _ in rules), key=SEVERITIES.index)]


def headings(cells: pl.DataFrame) -> Iterator[str]:
    """Their headings; one that the reader made up for an empty column without any is empty again."""
    for number, name in enumerate(cells.columns, start=1):
        yield "" if name == f"column {number}" and cells[name].null_count() == cells.height else name


def accounting_lines(
    sheets: list[Given],
    by_source: pl.DataFrame,
    read: Mapping[str, pl.DataFrame],
    names: dict[str, str],
    shown: dict[str, int],
) -> list[list[str | int]]:
    """The lines of the accounting: table, file or sheet, sheet here, rows there, those without a record, COUNTS, a remark."""
    lines: list[list[str | int]] = []
    for table in by_source["table"].unique(maintain_order=True):
        rows, counted = read[table], 0
        for given in (given for given in sheets if table in given.sources):
            filled = given.cells.filter(~pl.all_horizontal(pl.all().is_null())).height
            used = rows.filter(pl.col("source") == given.label)["source_row"].n_unique()
            mine = by_source.filter(pl.col("table") == table, pl.col("source") == given.label)
            counts = [int(mine[name].sum()) for name in COUNTS]
            note = (
                ""
                if shown[given.label] == given.cells.height
                else f"only the {shown[given.label]} rows with a finding are shown"
            )
            lines.append([table, given.label, names[given.label], filled, filled - used, *counts, note])
            counted += 1
        if counted > 1:
            total = [int(by_source.filter(pl.col("table") == table)[name].sum()) for name in COUNTS]
            lines.append([table, "all of them", "", "", "", *total, ""])
    return lines


def file_content(name: str, sheets: list[Given]) -> bytes:
    """Returns a file of theirs with these sheets, as text: .csv, .tsv and .txt in their encoding, .xlsx, .parquet.

    Every row keeps its number. StudyError for another kind of file.
    """
    first, ending, content = sheets[0], Path(name).suffix.casefold(), io.BytesIO()
    if ending in TEXT_FILES:
        stated = {"tab": "\t", "\\t": "\t", None: "\t" if ending == ".tsv" else ","}
        delimiter = stated.get(first.first.delimiter, first.first.delimiter)
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=str(delimiter), lineterminator="\n").writerows(_lines(first))
        return text.getvalue().encode(first.first.encoding)
    if ending == ".parquet":
        first.cells.write_parquet(content, compression="zstd", statistics=False)
    elif ending == ".xlsx":
        with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
            book.set_properties({"author": "", "created": MADE_ON})
            for given in sheets:
                sheet = book.add_worksheet(given.first.sheet)
                for row, line in enumerate(_lines(given)):
                    for column, cell in enumerate(line):
                        if cell:
                            sheet.write_string(row, column, cell)
    else:
        raise StudyError(
            f"{name}: a file of this kind cannot be written back. Save it as .xlsx or .csv first."
        )
    return content.getvalue()


def _lines(given: Given) -> Iterator[tuple[str | None, ...]]:
    """The rows above the header, the header, and all rows below it."""
    above = given.above.rows()
    yield from above
    yield from [()] * (given.header_row - 1 - len(above))
    yield tuple(given.cells.columns)
    yield from given.cells.iter_rows()
