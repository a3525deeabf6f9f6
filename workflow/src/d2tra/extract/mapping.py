"""From a site's own shape to the canonical tables, still as text: `config/sites/<site>.yaml` put to work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from d2tra.errors import StudyError, nearest
from d2tra.extract.column_rules import refuse_other_instruments
from d2tra.extract.findings import AS_READ, PLACE, collect, find
from d2tra.extract.packed_cells import packed_columns, packed_names, unpacked
from d2tra.extract.rewrite import Rewriter, Shown
from d2tra.extract.schemas import COLUMNS, require_columns
from d2tra.extract.signs import reads_as_cell
from d2tra.extract.site import REQUIRED_TABLES, TABLES, SiteMapping, TableName, TableSource
from d2tra.extract.whole_table import later_equals
from d2tra.logs import log

TOLD = ("source", "source_row", "place", "is_duplicate")  # beside a row's canonical columns


@dataclass(frozen=True)
class Harmonised:
    """Canonical tables as text (+ source, source_row, place, is_duplicate), and the findings of severity fix so far.

    `as_read_<column>` is there for columns whose cells the mapping rewrites, and holds their text as read. May be lazy.
    """

    tables: Mapping[str, pl.DataFrame | pl.LazyFrame]
    findings: pl.DataFrame


@dataclass(frozen=True)
class Part:
    """One source of a table: its text cells (trimmed, empty = null) with source_row, piece by piece, which can be gone
    through again and again; and the name it goes by."""

    source: TableSource
    cells: Iterable[pl.DataFrame]
    label: str


@dataclass(frozen=True)
class Group:
    """Which source column fills which canonical column (ours → theirs), and what is declared for every row."""

    columns: dict[str, str]
    constants: dict[str, str]
    reshaped: tuple[str, ...] = ()


def harmonise(site: SiteMapping) -> Harmonised:
    """Returns the site's tables under canonical names, as text; a table that the site does not have is no key.

    All of it in memory; raises what `harmonise_in_pieces` raises.
    """
    frames: dict[str, list[pl.DataFrame]] = {}
    for piece in harmonise_in_pieces(site):
        for name, rows in piece.items():
            frames.setdefault(name, []).append(rows)
    findings = collect(frames.pop("findings"))
    return Harmonised({table: pl.concat(pieces) for table, pieces in frames.items()}, findings)


def harmonise_in_pieces(site: SiteMapping) -> Iterator[dict[str, pl.DataFrame]]:
    """Yields some rows of a table under its name, and their `findings`: table by table, the rows in the order read.

    Of a whole table only 16 bytes a row are held. StudyError where a required table or column is missing, or the mapping
    and the files do not agree, even after some rows.
    """
    from d2tra.extract.sources import pieces_of, source_label

    stated = site.sources()
    for table in TABLES:
        if table not in stated:
            if table in REQUIRED_TABLES and not (table == "treatments" and site.has_no(table)):
                raise StudyError(
                    f"{site.path}: {site.source} has no table {table}, which is required. Add it"
                    + (", or say `tables: {treatments: none}`." if table == "treatments" else ".")
                )
            continue
        paths = [site.file_path(source) for source in stated[table]]
        parts = [
            Part(source, cells, source_label(path, source))
            for path, source, cells in zip(paths, stated[table], pieces_of(paths, stated[table]), strict=True)
        ]
        for rows, found in harmonise_table(parts, table, site):
            yield {table: rows, "findings": found}


def harmonise_table(
    parts: list[Part], table: TableName, site: SiteMapping
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yields some of the table's rows (canonical columns as text, source, source_row, place, is_duplicate; clinic where a
    source names it) and their findings, in the order read.

    `is_duplicate` marks the later ones of rows that are equal in every canonical column as read, wherever in the table.
    """
    laid = [_laid_out(part, number, table, site) for number, part in enumerate(parts)]
    filled = {name for each in laid for group in each.groups for name in (*group.columns, *group.constants)}
    present = [name for name in COLUMNS[table] if name in filled]
    clinic = ["clinic"] if any(part.source.clinic for part in parts) else []
    rewriters = [Rewriter(part.source, part.label, table, site, present) for part in parts]
    as_read = sorted(set().union(*(rewriter.rewritten_columns() for rewriter in rewriters)))
    read = [CanonicalRows(each, [*present, *clinic]) for each in laid]
    shown, is_duplicate = _looked_through(read, rewriters, present)
    first = 0
    for each, rewriter, shows in zip(read, rewriters, shown, strict=True):
        for rows, unfit in replace(each, first=first, is_duplicate=is_duplicate):
            first += rows.height
            rows = rows.with_columns(pl.col(as_read).name.prefix(AS_READ))
            rows, found = rewriter.rewrite(rows, shows)
            told = (*(f"{AS_READ}{name}" for name in as_read), *clinic, *TOLD)
            yield rows.select(*present, *told), collect([unfit, found])


def _looked_through(
    read: list[CanonicalRows], rewriters: list[Rewriter], present: list[str]
) -> tuple[list[Shown], pl.Series]:
    """What the columns of each source show as a whole, and which rows of the table equal an earlier one."""
    shown, prints = [], []
    first = 0
    for each, rewriter in zip(read, rewriters, strict=True):
        shows = Shown()
        for rows, _ in replace(each, first=first):
            first += rows.height
            prints.append(_fingerprints(rows, present))
            shows = rewriter.look(rows, shows)
        shown.append(rewriter.count_marks((rows for rows, _ in each), shows))
    return shown, later_equals(pl.concat(prints))


@dataclass(frozen=True)
class Laid:
    """A source of a table, its packed cells found out, and what fills the canonical columns."""

    part: Part
    number: int
    table: TableName
    packed: list[str]
    groups: list[Group] = field(default_factory=list)

    def cells(self) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Yields the cells, packed ones in columns of their own, and the findings where they cannot be told apart."""
        split = self.part.source.split
        for cells in self.part.cells:
            if split is None:
                yield cells, collect([])
                continue
            apart, unfit = unpacked(cells, split, self.packed)
            unfit = unfit.with_columns(source=pl.lit(self.part.label))
            yield apart, find(unfit, self.table, split.values, "packed_cells_disagree", pl.lit(True))


@dataclass(frozen=True)
class CanonicalRows:
    """A source's rows under canonical names, as read, and findings; piece by piece, again and again.

    One per source row, or one per filled group of it: `columns` (text), source, source_row, place, _reading (how the
    mapping reads the cells), _reshaped; row_read, their number in the table from `first` on, and `is_duplicate` once it
    is known of all.
    """

    laid: Laid
    columns: list[str]
    first: int = 0
    is_duplicate: pl.Series | None = None

    def __iter__(self) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        first = self.first
        for cells, unfit in self.laid.cells():
            rows = self._canonical(cells).with_row_index("row_read", first)
            first += rows.height
            if self.is_duplicate is not None:
                rows = rows.with_columns(is_duplicate=self.is_duplicate.gather(rows["row_read"]))
            yield rows, unfit

    def _canonical(self, cells: pl.DataFrame) -> pl.DataFrame:
        part, frames = self.laid.part, []
        for number, group in enumerate(self.laid.groups):
            rows = cells.select(
                "source_row",
                **{ours: pl.col(theirs) for ours, theirs in group.columns.items()},
                **{ours: pl.lit(value.strip() or None, pl.String) for ours, value in group.constants.items()},
                **({"clinic": pl.col(part.source.clinic)} if part.source.clinic else {}),
                _reshaped=pl.lit(list(group.reshaped), dtype=pl.List(pl.String)),
                place=pl.lit(PLACE.format(self.laid.number, number)),
            )
            some = [pl.col(name).is_not_null() for name in group.reshaped]
            frames.append(rows.filter(pl.any_horizontal(some)) if some else rows)
        reading = part.source.model_dump_json(include={"dates", "units", "values", "missing", "decimal"})
        rows = pl.concat(frames, how="diagonal").sort("source_row", maintain_order=True)
        absent = {name: pl.lit(None, pl.String) for name in self.columns if name not in rows.columns}
        return rows.with_columns(source=pl.lit(part.label), _reading=pl.lit(reading), **absent)


def _fingerprints(rows: pl.DataFrame, present: list[str]) -> pl.DataFrame:
    """128 bits of every row: in a registry of 10^9 rows two that differ are alike in them once in 10^20 times."""
    keys = rows.select(*present, "_reading")
    return pl.DataFrame({"one": keys.hash_rows(1), "other": keys.hash_rows(2)})


def _laid_out(part: Part, number: int, table: TableName, site: SiteMapping) -> Laid:
    """How the part's cells come to the canonical columns; StudyError where the mapping and the part do not agree."""
    split = part.source.split
    columns = next(iter(part.cells)).columns
    names = []
    if split:
        for name in packed_columns(split):
            _need(name, columns, part, table, "split")
        names = packed_names(part.cells, split)
    laid = Laid(part, number, table, names)
    columns = next(laid.cells())[0].columns
    groups = _groups(laid, columns, site)
    required = [column.name for column in COLUMNS[table].values() if column.must_exist]
    for group in groups:
        require_columns([*group.columns, *group.constants], table, required, f"{part.label} ({site.path})")
        refuse_other_instruments(group.columns, part.label, site)
    return replace(laid, groups=groups)


def _groups(laid: Laid, there: list[str], site: SiteMapping) -> list[Group]:
    """What fills the canonical columns; StudyError for a column that one side names and the other does not have."""
    part, table, source = laid.part, laid.table, laid.part.source
    base = _turned(source.columns, there, part, table, site, "columns")
    _check_names(source.constants, table, site, "constants")
    groups = [
        (_turned(columns, there, part, table, site, "wide_to_long"), constants)
        for reshape in source.wide_to_long
        for columns, constants in reshape.groups()
    ]
    targets = {*base, *source.constants, *(ours for columns, more in groups for ours in (*columns, *more))}
    if source.clinic:
        _need(source.clinic, there, part, table, "clinic")
    used = {*base.values(), source.clinic, *(theirs for columns, _ in groups for theirs in columns.values())}
    passed_over = {*source.ignore, *site.ignore.get(table, []), *_known_elsewhere(source, table, site)}
    for name in there:
        if name == "source_row" or name in used:
            continue
        if name in COLUMNS[table] and name not in targets:
            base[name] = name
        elif name not in passed_over:
            if any(reads_as_cell(name, cells[name]) for cells, _ in laid.cells()):
                raise StudyError(
                    f"{part.label}: the header of column {there.index(name) + 1} reads as one of its cells. "
                    "Is the row of headers missing? Add it, or say `header_row:` in the mapping."
                )
            known = [*COLUMNS[table], *source.columns]
            why = "is also filled by the mapping." if name in targets else f"is unknown{nearest(name, known)}"
            raise StudyError(
                f"{part.label}: column {name!r} of table {table} {why} Rename it, map it, or list it under ignore in "
                f"{site.path}."
            )
    for ours, value in source.constants.items():
        log.info("%s, table %s: %s is declared for every row: %s", part.label, table, ours, value)
    if not groups:
        return [Group(base, source.constants)]
    for columns, constants in groups:
        _check_names(constants, table, site, "wide_to_long.constants")
        twice = {*base, *source.constants} & {*columns, *constants}
        if twice:
            raise StudyError(f"{site.path}: tables.{table}.wide_to_long fills {min(twice)!r} a second time.")
    return [
        Group({**base, **columns}, {**source.constants, **constants}, tuple(columns))
        for columns, constants in groups
    ]


def _turned(
    columns: dict[str, str], there: list[str], part: Part, table: TableName, site: SiteMapping, key: str
) -> dict[str, str]:
    """Returns ours → theirs of a section that says theirs → ours, both checked."""
    _check_names(columns.values(), table, site, key)
    turned: dict[str, str] = {}
    for theirs, ours in columns.items():
        if theirs not in there:
            raise StudyError(
                f"{site.path}: tables.{table}.{key} names {theirs!r}, which {part.label} does not have"
                f"{nearest(theirs, there)}"
            )
        if ours in turned:
            raise StudyError(f"{site.path}: tables.{table}.{key} fills {ours!r} from two columns.")
        turned[ours] = theirs
    return turned


def _check_names(names: Iterable[str], table: TableName, site: SiteMapping, key: str) -> None:
    for name in names:
        if name not in COLUMNS[table]:
            raise StudyError(
                f"{site.path}: tables.{table}.{key}: {name!r} is no column of table {table}"
                f"{nearest(name, COLUMNS[table])} Its columns: {', '.join(COLUMNS[table])}."
            )


def _known_elsewhere(source: TableSource, table: TableName, site: SiteMapping) -> set[str]:
    """Columns of the same file or sheet that feed another table, or are passed over there."""
    known: set[str] = set()
    if site.format == "canonical":
        return known
    for other, others in site.sources().items():
        for twin in others:
            if other != table and (twin.file, twin.sheet) == (source.file, source.sheet):
                packed = (twin.split.names, twin.split.values, twin.split.units or "") if twin.split else ()
                reshaped = (name for r in twin.wide_to_long for columns, _ in r.groups() for name in columns)
                known.update(COLUMNS[other], twin.columns, twin.ignore, packed, reshaped, [twin.clinic or ""])
    return known


def _need(name: str, there: list[str], part: Part, table: TableName, key: str) -> None:
    if name not in there:
        raise StudyError(
            f"{part.label}: tables.{table}.{key} names {name!r}, which is not there{nearest(name, there)}"
        )
