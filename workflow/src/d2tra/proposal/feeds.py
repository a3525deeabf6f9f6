"""Which file or sheet feeds which canonical table, by the headers that are known words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path as FilePath

import polars as pl

from d2tra.extract.packed_cells import packed_names, unpacked
from d2tra.extract.schemas import COLUMNS, ROW_DATES
from d2tra.extract.site import TABLES, Reshape, TableName, TableSource
from d2tra.proposal.draft import CHOOSE, Draft, Path
from d2tra.proposal.groups import lab_columns, numbered_groups, packed_cells
from d2tra.proposal.layout import Layout
from d2tra.proposal.words import Words, key

# What a table needs to be fed; patients may take its disease from a constant.
NEEDED: dict[TableName, set[str]] = {
    "patients": {"patient_id", "sex", "birth_year"}, "visits": {"patient_id", "visit_date"},
    "labs": {"patient_id", "sample_date", "test", "value"}, "treatments": {"patient_id", "drug", "start_date"},
    "diagnoses": {"patient_id", "code", "recorded_date"},
    "imaging": {"patient_id", "imaging_date", "modality", "measure", "value"},
    "biomarkers": {"patient_id", "sample_date", "marker", "value"},
}  # fmt: skip


@dataclass
class Feed(Draft):
    """One source of one table as proposed; `section` is a TableSource in plain values."""

    table: TableName = "patients"
    layout: Layout = field(default_factory=lambda: Layout(FilePath(), TableSource(file="-")))
    n_known: int = 0

    def source(self) -> TableSource:
        """Returns the section as the mapping would be read, open questions left out."""
        told = {name: part for name, part in self.section.items() if name in STRUCTURE}
        told["columns"] = {theirs: ours for theirs, ours in told.get("columns", {}).items() if ours != CHOOSE}
        return TableSource.model_validate(told)

    def filled(self) -> dict[str, list[str]]:
        """Returns canonical column → the columns of theirs that fill it, those with our names among them."""
        return filled_columns(self.source(), self.table, self.cells().columns)

    def cells(self) -> pl.DataFrame:
        """Returns the cells as text, packed ones apart."""
        cells, split = self.layout.cells, self.source().split
        return unpacked(cells, split, packed_names([cells], split))[0] if split else cells


STRUCTURE = {
    "file",
    "sheet",
    "header_row",
    "encoding",
    "delimiter",
    "columns",
    "wide_to_long",
    "split",
    "ignore",
}


def filled_columns(source: TableSource, table: TableName, headers: list[str]) -> dict[str, list[str]]:
    """Returns canonical column → the columns of a source that fill it."""
    pairs = [*source.columns.items()]
    pairs += [
        pair for reshape in source.wide_to_long for columns, _ in reshape.groups() for pair in columns.items()
    ]
    taken = {ours for _, ours in pairs}
    pairs += [(name, name) for name in headers if name in COLUMNS[table] and name not in taken]
    found: dict[str, list[str]] = {}
    for theirs, ours in pairs:
        if theirs in headers and theirs not in found.setdefault(ours, []):
            found[ours].append(theirs)
    return found


def propose_feeds(layout: Layout, words: Words) -> list[Feed]:
    """Returns the feeds of one file or sheet, the one that most of its headers speak for first; none: no table."""
    found = [feed for table in TABLES if (feed := _feed(layout, table, layout.headers, words))]
    if not found:
        return []
    first = max(found, key=lambda feed: feed.n_known + 0.5 * _is_called(feed, words))
    feeds = [first]
    for table in TABLES:
        if table == first.table:
            continue
        left = [name for name in layout.headers if not _is_taken(name, feeds)]
        shared = [
            name
            for name in layout.headers
            if words.column_of(table, name) in ("patient_id", ROW_DATES.get(table))
        ]
        row_date = first.filled().get("visit_date", [None])[0]
        other = _feed(layout, table, [*dict.fromkeys([*shared, *left])], words, row_date)
        if other and {theirs for columns in other.filled().values() for theirs in columns} & {*left}:
            feeds.append(other)
    _pass_over_the_rest(feeds, words)
    return feeds


def _is_called(feed: Feed, words: Words) -> bool:
    named = {
        key(word)
        for word in re.findall(r"[^\W\d_]+", f"{feed.layout.path.stem} {feed.layout.source.sheet or ''}")
    }
    return bool(named & words.places.get(feed.table, set()))


def _is_taken(name: str, feeds: list[Feed]) -> bool:
    return any(name in theirs for feed in feeds for theirs in feed.filled().values()) or any(
        name in (feed.section.get("split") or {}).values() or name in feed.section.get("columns", {})
        for feed in feeds
    )


def _feed(
    layout: Layout, table: TableName, headers: list[str], words: Words, row_date: str | None = None
) -> Feed | None:
    """What these headers say to one table; null where it cannot be fed from them. `row_date`: the column that dates
    laboratory results on a visit's row."""
    if table == "visits":
        headers = [
            name for name in headers if not _is_censored(layout.cells[name], words.column_of(table, name))
        ]
    said = layout.source.model_dump(exclude_defaults=True)
    why: dict[Path, str] = {(name,): reason for name, reason in layout.why.items()}
    feed = Feed(said, why, [], table, layout)
    groups = numbered_groups(headers, words) if table == "treatments" else []
    tests: list[Reshape] = []
    if table == "labs" and not {"test", "value"} <= {words.column_of("labs", name) for name in headers}:
        feed.section |= packed_cells(layout.cells, headers, words)
        tests = lab_columns(
            [name for name in feed.cells().columns if name in headers or name not in layout.headers], words
        )
    packed = {*feed.section.get("split", {}).values()}
    grouped = {
        theirs for reshape in [*groups, *tests] for columns, _ in reshape.groups() for theirs in columns
    }
    columns, repeated = _columns(
        layout, table, [name for name in headers if name not in {*grouped, *packed}], words
    )
    if groups or tests:
        filled_by_group = {
            ours for reshape in [*groups, *tests] for ours in {**reshape.columns, **reshape.constants}
        }
        columns = {theirs: ours for theirs, ours in columns.items() if ours not in filled_by_group}
    if (
        tests
        and row_date
        and "sample_date" not in {*columns.values(), *(o for r in tests for o in r.columns.values())}
    ):
        columns[row_date] = "sample_date"
    present = {*columns.values()}
    for reshape in [*groups, *tests]:
        present |= {*reshape.columns.values(), *reshape.constants}
    if not NEEDED[table] <= present or (table == "visits" and len(present) < 3):
        return None
    _enter(feed, columns, repeated, [*groups, *tests])
    feed.n_known = len(columns) + len(grouped)
    feed.why[("file",)] = f"{feed.n_known} of {len(layout.headers)} headings are known in table {table}"
    return feed


def _enter(feed: Feed, columns: dict[str, str], repeated: dict[str, str], reshapes: list[Reshape]) -> None:
    """Adds the columns, groups and packed cells found, with their reasons; columns with our names need no entry."""
    cells = feed.layout.cells
    for theirs, ours in columns.items():
        n = cells.height - cells[theirs].null_count()
        if theirs != ours:
            feed.guess(("columns", theirs), ours, f"a known heading; {n:,} of {cells.height:,} cells filled")
    for number, reshape in enumerate(reshapes):
        section = reshape.model_dump(mode="json", exclude_defaults=True)
        feed.section.setdefault("wide_to_long", []).append(section)
        count = f"{len(list(reshape.groups()))} groups" if reshape.numbers else "columns on the row"
        reason = f"{count}, each filled one a row of {feed.table}"
        feed.why |= {("wide_to_long", number, "columns", theirs): reason for theirs in reshape.columns}
        feed.why |= {
            ("wide_to_long", number, "constants", ours): "by the heading" for ours in reshape.constants
        }
    for name in ("names", "values", "units"):
        if name in feed.section.get("split", {}):
            feed.why[("split", name)] = "its cells hold several parts, as many as the column beside it"
    for theirs, ours in repeated.items():
        feed.list_guess("ignore", theirs, f"{ours} is filled by another column")
    used = {theirs for reshape in reshapes for group, _ in reshape.groups() for theirs in group}
    for part in feed.cells().columns:
        if part not in {*cells.columns, *used}:
            feed.list_guess("ignore", part, "a part of the packed cells that is no test of ours")


def _is_censored(cells: pl.Series, ours: str | None) -> bool:
    """A result written `<5` is a laboratory's: a visit's own column takes numbers only."""
    return ours in ("esr_mm_h", "crp_mg_l") and bool(cells.str.contains(r"^[<>≤≥]").any())


def _holds_digits(cells: pl.Series) -> bool:
    """Most filled cells hold a digit, as dates do; a column that is empty so far may hold them later."""
    filled = cells.drop_nulls()
    return 2 * int(filled.str.contains(r"\d").sum()) >= len(filled)


def _columns(
    layout: Layout, table: TableName, headers: list[str], words: Words
) -> tuple[dict[str, str], dict[str, str]]:
    """Theirs → ours, and those that would fill a column a second time (our own names win, then the first)."""
    meant = {
        name: ours
        for name in headers
        if (ours := words.column_of(table, name))
        and (COLUMNS[table][ours].kind != "date" or _holds_digits(layout.cells[name]))
    }
    filled: dict[str, str] = {}
    for name in sorted(meant, key=lambda name: name != meant[name]):
        filled.setdefault(meant[name], name)
    columns = {name: ours for name, ours in meant.items() if filled[ours] == name}
    return columns, {name: ours for name, ours in meant.items() if name not in columns}


def _pass_over_the_rest(feeds: list[Feed], words: Words) -> None:
    """Asks about headers with two meanings and about those spelt like a known one; the others go under `ignore`."""
    first = feeds[0]
    filled = {ours for feed in feeds for ours in feed.filled()}
    for header in first.layout.headers:
        if header in first.section.get("ignore", ()) or _is_taken(header, feeds):
            continue
        if first.table == "visits" and key(header) in words.clinic and "clinic" not in first.section:
            first.guess(
                ("clinic",),
                header,
                "a known heading; which clinic a visit was at, for checks of units and dates",
            )
            continue
        between = words.ambiguous.get(first.table, {}).get(key(header), [])
        open_ones = [ours for ours in between if ours not in filled]
        if open_ones:
            first.guess(
                ("columns", header), CHOOSE, f"may be {' or '.join(open_ones)}; or none: move it to ignore"
            )
            continue
        near = words.alike(header, words.headers[first.table])
        ours = words.headers[first.table][near] if near else None
        if ours and ours not in filled:
            first.guess(
                ("columns", header),
                CHOOSE,
                f"spelt almost like {near!r}: {ours}? If none of ours, move it to ignore",
            )
            continue
        first.list_guess("ignore", header, "no known heading; if it is one of ours, move it to columns")
    for feed in feeds[1:]:  # what another table of the same file takes is passed over by itself
        ignored = feed.section.pop("ignore", [])
        reasons = [feed.why.pop(("ignore", number)) for number in range(len(ignored))]
        others = [other for other in feeds if other is not feed]
        for name, reason in zip(ignored, reasons, strict=True):
            if not _is_taken(name, others):
                feed.list_guess("ignore", name, reason)
