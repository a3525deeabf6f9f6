"""From a site's own shape to the canonical tables, still as text: `config/sites/<site>.yaml` put to work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import polars as pl

from d2tra.errors import StudyError, nearest
from d2tra.extract.cells import NUMBER, UNITS, plain_unit, read_number
from d2tra.extract.column_rules import read_decimal_commas, refuse_other_instruments
from d2tra.extract.dates import read_dates
from d2tra.extract.findings import AS_READ, PLACE, collect, find
from d2tra.extract.schemas import COLUMNS, require_columns
from d2tra.extract.signs import reads_as_cell
from d2tra.extract.site import REQUIRED_TABLES, TABLES, Dates, SiteMapping, Split, TableName, TableSource
from d2tra.extract.whole_table import later_equals
from d2tra.logs import log

V = TypeVar("V")
TOLD = ("clinic", "source", "source_row", "place", "is_duplicate")  # beside a row's canonical columns
MAYBE_UNIT = r"[^0-9.,\s]"  # what a unit begins with; a column without any such sign holds numbers alone


@dataclass(frozen=True)
class Harmonised:
    """Canonical tables as text (+ source, source_row, place, is_duplicate), and the findings of severity fix so far.

    `as_read_<column>` is there for columns whose cells the mapping rewrites, and holds their text as read. May be lazy.
    """

    tables: Mapping[str, pl.DataFrame | pl.LazyFrame]
    findings: pl.DataFrame


@dataclass(frozen=True)
class Part:
    """One source of a table as read: its text cells with source_row, and the name it goes by."""

    source: TableSource
    cells: pl.DataFrame
    label: str


@dataclass(frozen=True)
class Group:
    """Which source column fills which canonical column (ours → theirs), and what is declared for every row."""

    columns: dict[str, str]
    constants: dict[str, str]
    reshaped: tuple[str, ...] = ()


def harmonise(site: SiteMapping) -> Harmonised:
    """Returns the site's tables under canonical names, as text; a table that the site does not have is no key.

    StudyError where a required table or column is missing, or the mapping and the files do not agree.
    """
    from d2tra.extract.sources import read_cells, source_label

    stated = site.sources()
    tables: dict[str, pl.DataFrame] = {}
    findings = []
    for table in TABLES:
        if table not in stated:
            if table in REQUIRED_TABLES and not (table == "treatments" and site.has_no(table)):
                raise StudyError(
                    f"{site.path}: {site.source} has no table {table}, which is required. Add it"
                    + (", or say `tables: {treatments: none}`." if table == "treatments" else ".")
                )
            continue
        parts = []
        for source in stated[table]:
            path = site.file_path(source)
            parts.append(Part(source, read_cells(path, source), source_label(path, source)))
        tables[table], found = harmonise_table(parts, table, site)
        findings.append(found)
    return Harmonised(tables, collect(findings))


def harmonise_table(
    parts: list[Part], table: TableName, site: SiteMapping
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns the table's rows (canonical columns as text, source, source_row, place, is_duplicate) and its fix findings.

    `is_duplicate` marks the later ones of rows that are equal in every canonical column as read. `parts` lose their rows.
    """
    read, findings = [], []
    for number, part in enumerate(parts):
        parts[number] = replace(part, cells=part.cells.clear())  # there may be no room for them twice
        part, unsplit = split_packed_cells(part, table)
        findings.append(unsplit)
        read.append(
            _canonical_rows(part, table, site).with_columns(
                _part=pl.lit(number), place=pl.format(PLACE, pl.lit(number), "_group")
            )
        )
        del part
    rows = pl.concat(read, how="diagonal")
    read.clear()
    present = [name for name in COLUMNS[table] if name in rows.columns]
    rows = rows.with_columns(later_equals(rows.select(*present, "_reading")).alias("is_duplicate"))
    rows = rows.with_columns(pl.col(_translated(parts, table, site, present)).name.prefix(AS_READ))
    each = [rows] if len(parts) == 1 else [rows.filter(pl.col("_part") == n) for n in range(len(parts))]
    del rows
    done = []
    for part in parts:
        mine, found = _repair(each.pop(0), part, table, site)
        findings.extend(found)
        mine, found = read_dates(_translate(mine, part, table, site), part.source.dates, table)
        findings.extend(found)
        done.append(mine)
    whole = pl.concat(done)
    as_read = [name for name in whole.columns if name.startswith(AS_READ)]
    told = [name for name in TOLD if name in whole.columns]
    return whole.select(*present, *as_read, *told), collect(findings)


def split_packed_cells(part: Part, table: TableName) -> tuple[Part, pl.DataFrame]:
    """Returns the part with its packed cells as columns of their own, and findings where they cannot be told apart."""
    split: Split | None = part.source.split
    if split is None:
        return part, collect([])
    packed = [name for name in (split.names, split.values, split.units) if name]
    for name in packed:
        _need(name, part, table, "split")
    lists = part.cells.select("source_row", *(pl.col(name).str.split(split.separator) for name in packed))
    n_names = pl.col(split.names).list.len()
    fits = pl.all_horizontal(pl.col(name).list.len() == n_names for name in packed) & (
        pl.col(split.names).list.n_unique() == n_names
    )
    long = lists.filter(fits).explode(*packed).with_columns(pl.col(packed).str.strip_chars())
    cells = part.cells.drop(packed)
    for content, ending in ((split.values, ""), (split.units, " unit")):
        if content and not long.is_empty():
            wide = long.pivot(on=split.names, index="source_row", values=content, maintain_order=True)
            wide = wide.rename(
                {column: f"{column}{ending}" for column in wide.columns if column != "source_row"}
            )
            cells = cells.join(wide, on="source_row", how="left", validate="1:1", maintain_order="left")
    some = pl.any_horizontal(pl.col(name).is_not_null() for name in packed)
    unfit = part.cells.join(lists.filter(some & ~fits.fill_null(False)), on="source_row", how="semi")
    found = find(
        unfit.with_columns(source=pl.lit(part.label)),
        table,
        split.values,
        "packed_cells_disagree",
        pl.lit(True),
    )
    return Part(part.source, cells, part.label), found


def _canonical_rows(part: Part, table: TableName, site: SiteMapping) -> pl.DataFrame:
    """The part's rows under canonical names, as read: one per source row, or one per filled group of it."""
    required = [column.name for column in COLUMNS[table].values() if column.must_exist]
    frames = []
    for number, group in enumerate(_groups(part, table, site)):
        require_columns([*group.columns, *group.constants], table, required, f"{part.label} ({site.path})")
        refuse_other_instruments(group.columns, part.label, site)
        rows = part.cells.select(
            "source_row",
            **{ours: pl.col(theirs) for ours, theirs in group.columns.items()},
            **{ours: pl.lit(value) for ours, value in group.constants.items()},
            **({"clinic": pl.col(part.source.clinic)} if part.source.clinic else {}),
            _reshaped=pl.lit(list(group.reshaped), dtype=pl.List(pl.String)),
        )
        frames.append(rows.filter(_is_filled(group.reshaped)).with_columns(_group=pl.lit(number)))
    reading = part.source.model_dump_json(include={"dates", "units", "values", "missing", "decimal"})
    rows = pl.concat(frames, how="diagonal").sort("source_row", "_group", maintain_order=True)
    return rows.with_columns(source=pl.lit(part.label), _reading=pl.lit(reading))


def _is_filled(reshaped: Iterable[str]) -> pl.Expr:
    """True where any reshaped cell holds text; rows that were not reshaped all count as filled."""
    cells = [pl.col(name).str.strip_chars().fill_null("") != "" for name in reshaped]
    return pl.any_horizontal(cells) if cells else pl.lit(True)


def _groups(part: Part, table: TableName, site: SiteMapping) -> list[Group]:
    """What fills the canonical columns; StudyError for a column that one side names and the other does not have."""
    source = part.source
    base = _turned(source.columns, part, table, site, "columns")
    _check_names(source.constants, table, site, "constants")
    groups = [
        (_turned(columns, part, table, site, "wide_to_long"), constants)
        for reshape in source.wide_to_long
        for columns, constants in reshape.groups()
    ]
    targets = {*base, *source.constants, *(ours for columns, more in groups for ours in (*columns, *more))}
    if source.clinic:
        _need(source.clinic, part, table, "clinic")
    used = {*base.values(), source.clinic, *(theirs for columns, _ in groups for theirs in columns.values())}
    passed_over = {*source.ignore, *site.ignore.get(table, []), *_known_elsewhere(source, table, site)}
    for name in part.cells.columns:
        if name == "source_row" or name in used:
            continue
        if name in COLUMNS[table] and name not in targets:
            base[name] = name
        elif name not in passed_over:
            if reads_as_cell(name, part.cells[name]):
                raise StudyError(
                    f"{part.label}: the header of column {part.cells.columns.index(name) + 1} reads as one of its cells. "
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
    columns: dict[str, str], part: Part, table: TableName, site: SiteMapping, key: str
) -> dict[str, str]:
    """Returns ours → theirs of a section that says theirs → ours, both checked."""
    _check_names(columns.values(), table, site, key)
    turned: dict[str, str] = {}
    for theirs, ours in columns.items():
        if theirs not in part.cells.columns:
            raise StudyError(
                f"{site.path}: tables.{table}.{key} names {theirs!r}, which {part.label} does not have"
                f"{nearest(theirs, part.cells.columns)}"
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


def _repair(
    rows: pl.DataFrame, part: Part, table: TableName, site: SiteMapping
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Trims the cells, empties declared sentinels, takes a number's own unit off; logs every repair once."""
    present = [name for name in COLUMNS[table] if name in rows.columns]
    trimmed = pl.col(present).str.strip_chars()
    rows = rows.lazy().with_columns(pl.when(trimmed != "").then(trimmed)).collect()
    findings = []
    fresh = ~pl.col("is_duplicate")
    for name, words in _by_column(part.source.missing, part, table, site, "missing", present).items():
        plain = [word.strip().lower() for word in words]
        numbers = (
            pl.Series(plain).to_frame("word").select(read_number(pl.col("word"))).to_series().drop_nulls()
        )
        is_sentinel = pl.col(name).str.to_lowercase().is_in(plain) | read_number(pl.col(name)).is_in(
            numbers.implode()
        )
        findings.append(find(rows, table, name, "declared_missing", is_sentinel & fresh))
        rows = rows.with_columns(pl.when(~is_sentinel.fill_null(False)).then(pl.col(name)).alias(name))
    rows, found = read_decimal_commas(rows, part.source, table)
    findings.extend(found)
    for name, (number, has_unit) in _own_units(part, table, site, present).items():
        if not rows[name].str.contains(MAYBE_UNIT).any():
            continue
        findings.append(find(rows, table, name, "own_unit", has_unit & fresh))
        rows = rows.with_columns(pl.when(has_unit).then(number).otherwise(pl.col(name)).alias(name))
    emptied = (pl.col("_reshaped").list.len() > 0) & ~pl.any_horizontal(
        pl.col(name).is_not_null() & pl.col("_reshaped").list.contains(name) for name in present
    )
    return rows.filter(~emptied), findings


def _own_units(
    part: Part, table: TableName, site: SiteMapping, present: list[str]
) -> dict[str, tuple[pl.Expr, pl.Expr]]:
    """For every measured column: the number of a cell that carries a unit, and whether that unit is its own."""
    declared = _by_column(part.source.units, part, table, site, "units", present)
    pattern = rf"^({NUMBER})\s*({MAYBE_UNIT}.*)$"
    found = {}
    for name in present:
        unit = COLUMNS[table][name].unit
        if unit:
            factor = _factor(name, declared, table, site)
            own = [other for other, theirs in UNITS[unit].items() if theirs == factor]
            fits = plain_unit(pl.col(name).str.extract(pattern, 2)).is_in(own).fill_null(False)
            found[name] = (pl.col(name).str.extract(pattern, 1), fits)
    return found


def _translated(parts: list[Part], table: TableName, site: SiteMapping, present: list[str]) -> list[str]:
    """Columns whose cells are rewritten in some part: their text as read is kept for the findings."""
    names: set[str] = set()
    for part in parts:
        names.update(_by_column(part.source.values, part, table, site, "values", present))
        names.update(_by_column(part.source.units, part, table, site, "units", present))
        if part.source.dates != Dates():
            names.update(name for name in present if COLUMNS[table][name].kind in ("date", "month"))
    return sorted(names)


def _translate(rows: pl.DataFrame, part: Part, table: TableName, site: SiteMapping) -> pl.DataFrame:
    """Words through `values`, numbers into the canonical unit; what does not fit is left as it is."""
    source, present = part.source, rows.columns
    for name, words in _by_column(source.values, part, table, site, "values", present).items():
        _check_targets(words, table, name, site)
        plain = {theirs.strip().lower(): ours for theirs, ours in words.items()}
        translated = (
            pl.col(name).str.to_lowercase().replace_strict(plain, default=None, return_dtype=pl.String)
        )
        rows = rows.with_columns(pl.coalesce(translated, name).alias(name))
    declared = _by_column(source.units, part, table, site, "units", present)
    for name in declared:
        factor = _factor(name, declared, table, site)
        if factor != 1:
            converted = (read_number(pl.col(name)) * factor).cast(pl.String)
            rows = rows.with_columns(pl.coalesce(converted, name).alias(name))
    return rows


def _factor(name: str, declared: dict[str, str], table: TableName, site: SiteMapping) -> float:
    """What turns a column's declared unit into the canonical one; StudyError for a unit that is not understood."""
    unit = COLUMNS[table][name].unit
    stated = declared.get(name)
    if stated is None:
        return 1
    known = UNITS[unit] if unit else {}
    plain = "".join(stated.split()).lower()
    if plain not in known:
        choices = f"understood: {', '.join(known)}" if known else "the column takes no unit"
        raise StudyError(
            f"{site.path}: tables.{table}.units.{name}: {stated!r} is not understood{nearest(plain, known)} ({choices})."
        )
    return known[plain]


def _check_targets(words: dict[str, str], table: TableName, name: str, site: SiteMapping) -> None:
    column = COLUMNS[table][name]
    allowed = {"enum": column.allowed, "bool": ("true", "false")}.get(column.kind)
    for ours in words.values():
        if allowed and ours not in allowed:
            raise StudyError(
                f"{site.path}: tables.{table}.values.{name}: {ours!r} is not one of {', '.join(allowed)}"
                f"{nearest(ours, allowed)}"
            )


def _by_column(
    section: dict[str, V], part: Part, table: TableName, site: SiteMapping, key: str, present: Iterable[str]
) -> dict[str, V]:
    """Returns the section by canonical column; its keys may be canonical or source columns. StudyError otherwise."""
    ours_of = dict(part.source.columns)
    for reshape in part.source.wide_to_long:
        for columns, _ in reshape.groups():
            ours_of |= columns
    found: dict[str, V] = {}
    for name, content in section.items():
        ours = name if name in COLUMNS[table] else ours_of.get(name)
        if ours is None or ours not in present:
            known = [*(name for name in COLUMNS[table] if name in present), *ours_of]
            raise StudyError(
                f"{site.path}: tables.{table}.{key}: {part.label} has no column {name!r}{nearest(name, known)}"
            )
        found[ours] = content
    return found


def _need(name: str, part: Part, table: TableName, key: str) -> None:
    if name not in part.cells.columns:
        raise StudyError(
            f"{part.label}: tables.{table}.{key} names {name!r}, which is not there{nearest(name, part.cells.columns)}"
        )
