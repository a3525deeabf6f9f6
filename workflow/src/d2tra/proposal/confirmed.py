"""The sources of a confirmed mapping, and which file or sheet of the next extract takes the place of which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from d2tra.errors import StudyError
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.site import SiteMapping, TableName, TableSource
from d2tra.extract.sources import read_cells
from d2tra.proposal.draft import Path
from d2tra.proposal.layout import Layout

LEAST_SHARED = 0.5  # of the mapped columns, for a file of another name to take a source's place


@dataclass(frozen=True)
class Confirmed:
    """One source of the confirmed mapping, where it stands in it, and the columns of theirs that it names."""

    table: TableName
    at: Path
    source: TableSource

    @property
    def named(self) -> set[str]:
        """The columns of theirs that the source speaks of."""
        source = self.source
        grouped = {
            theirs for reshape in source.wide_to_long for columns, _ in reshape.groups() for theirs in columns
        }
        packed = (
            {source.split.names, source.split.values, source.split.units or ""} if source.split else set()
        )
        return {*source.columns, *grouped, *packed, *source.ignore, source.clinic or ""}

    @property
    def wanted(self) -> set[str]:
        """The columns by which a file of another name is known: those mapped, else those that the table must have."""
        needed = {column.name for column in COLUMNS[self.table].values() if column.must_exist}
        return (self.named - {*self.source.ignore, self.source.clinic or ""}) or needed

    def share_in(self, headers: Iterable[str]) -> float:
        """Returns how much of the wanted columns is among these headers, 0 to 1."""
        return len(self.wanted & {*headers}) / len(self.wanted)


def confirmed_sources(site: SiteMapping) -> list[Confirmed]:
    """Returns every source of a site's mapping; its place in the mapping as if every table were a list."""
    return [
        Confirmed(table, ("tables", table, number), source)
        for table, sources in site.sources().items()
        for number, source in enumerate(sources)
    ]


def read_as_confirmed(layouts: list[Layout], confirmed: list[Confirmed]) -> list[Layout]:
    """Returns the layouts; a file of a known name is read as the mapping says, if its columns are found so."""
    return [_read_again(layout, confirmed) for layout in layouts]


def _read_again(layout: Layout, confirmed: list[Confirmed]) -> Layout:
    for each in confirmed:
        told = {name: getattr(each.source, name) for name in ("header_row", "encoding", "delimiter")}
        source = layout.source.model_copy(update=told)
        if source == layout.source or not _is_called_alike(layout, each):
            continue
        try:
            cells = read_cells(layout.path, source)
        except StudyError:
            continue
        if each.share_in(cells.columns) >= LEAST_SHARED:
            return Layout(layout.path, source, {}, cells)
    return layout


def _is_called_alike(layout: Layout, each: Confirmed) -> bool:
    return layout.source.file == each.source.file and each.source.sheet in (None, layout.source.sheet)


def take_places(confirmed: list[Confirmed], layouts: list[Layout]) -> dict[Path, Layout]:
    """Returns which file or sheet takes the place of which source: of the same name, else the one that shares most of
    its columns; of one table's sources each another."""
    pairs = [
        (2.0 if _is_called_alike(layout, each) else each.share_in(layout.headers), each, layout)
        for each in confirmed
        for layout in layouts
    ]
    taken: dict[Path, Layout] = {}
    for share, each, layout in sorted(pairs, key=lambda pair: -pair[0]):
        others = [taken[other.at] for other in confirmed if other.at in taken and other.table == each.table]
        if share >= LEAST_SHARED and each.at not in taken and layout not in others:
            taken[each.at] = layout
    return taken


def as_it_reads(each: Confirmed, layout: Layout) -> TableSource:
    """Returns the confirmed source as it would read the file that takes its place; groups that are not there left out."""
    there = {*layout.cells.columns}
    columns = {
        theirs: ours for theirs, ours in each.source.columns.items() if theirs in there or each.source.split
    }
    groups = [
        reshape
        for reshape in each.source.wide_to_long
        if each.source.split or all({*columns} <= there for columns, _ in reshape.groups())
    ]
    place = {name: getattr(layout.source, name) for name in ("file", "sheet", "header_row", "encoding")}
    return each.source.model_copy(update={**place, "columns": columns, "wide_to_long": groups})
