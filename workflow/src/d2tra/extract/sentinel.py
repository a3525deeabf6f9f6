"""Is a column in the unit it is declared in? Judged as a whole and by file, clinic, year and stated unit; never rescaled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from d2tra.config import Closed, parse, setting
from d2tra.errors import StudyError, nearest
from d2tra.extract.cells import NUMBER, plain_unit, read_date, read_lab_results, read_number
from d2tra.extract.mapping import Harmonised
from d2tra.extract.site import SiteMapping
from d2tra.extract.validate import Validated

JUDGED: dict[str, pl.DataType] = {
    "table": pl.String(), "column": pl.String(), "by": pl.String(), "group": pl.String(), "n": pl.Int64(),
    "median": pl.Float64(), "verdict": pl.String(), "looks": pl.String(), "multiply": pl.Float64(),
}  # fmt: skip
# In the order in which a swap is told: a file as a whole rather than each of its years.
GROUPINGS = ("source", "clinic", "year", "unit", "column")
UPPER = 0.75
TOP = 0.98  # "nearly all": a few cells of the right unit among swapped ones, or slips, do not hide or make a swap
CRP = "crp_mg_l"
Numbers = npt.NDArray[np.float64]


class Signs(Closed):
    """What the values of a group show, all of it. Limits are in the column's unit and exclude the number itself.

    `nearly_all_below`: the 98th percentile. `beyond`: at least `percent` of the values, and `at_least` of them, lie
    above it (and not above `up_to`). `ratio_below`, `ratio_above`: upper quartile over that of the other groups.
    """

    median_below: float | None = None
    median_above: float | None = None
    nearly_all_below: float | None = None
    beyond: float | None = None
    up_to: float = float("inf")
    percent: float = 0
    at_least: int = 1
    ratio_below: float | None = None
    ratio_above: float | None = None

    def shown_by(self, values: Numbers, others: Numbers | None = None) -> bool:
        """Returns true if the values show every sign; ratios need `others`."""
        n_beyond = int(((values > (self.beyond or 0)) & (values <= self.up_to)).sum())
        checks = [
            self.median_below is None or np.median(values) < self.median_below,
            self.median_above is None or np.median(values) > self.median_above,
            self.nearly_all_below is None or np.quantile(values, TOP) < self.nearly_all_below,
            self.beyond is None or n_beyond >= max(self.at_least, self.percent * len(values) / 100),
        ]
        if others is not None:
            mine, theirs = np.quantile(values, UPPER), np.quantile(others, UPPER)
            checks.append(self.ratio_below is None or mine < self.ratio_below * theirs)
            checks.append(self.ratio_above is None or mine > self.ratio_above * theirs)
        return all(checks)


class Swap(Closed):
    """One mistake of unit: what the values then look like, and what they must be multiplied by (null: no such number).

    A group shows it by `always`, and by `beside` where there are other groups that do not show it, else by `alone`.
    """

    looks: str
    multiply: float | None = None
    always: Signs
    alone: Signs = Signs()
    beside: Signs = Signs()
    source: str

    def shown_alone(self, values: Numbers) -> bool:
        """Returns true if the values show the swap whatever other groups hold."""
        return self.always.shown_by(values) and self.alone.shown_by(values)

    def shown_beside(self, values: Numbers, others: Numbers) -> bool:
        """Returns true if the values show the swap beside values that do not."""
        return self.always.shown_by(values) and self.beside.shown_by(values, others)


class Watched(Closed):
    """A column under watch: the least number of values on which a group is judged, and the swaps it knows."""

    values_at_least: int = Field(ge=1)
    swaps: list[Swap]


def watched() -> dict[str, Watched]:
    """Returns every watched column by name, as `unit_sentinel` of config/quality.yaml states it."""
    stated = setting("quality")["unit_sentinel"]
    return {
        name: parse(Watched, section, f"config/quality.yaml, unit_sentinel.{name}")
        for name, section in stated.items()
    }


def judge_units(harmonised: Harmonised, site: SiteMapping) -> pl.DataFrame:
    """Returns one row per group judged or too small: table, column, by (source, clinic, year, unit, column), group, n.

    median (in the unit as declared) · verdict (`as declared`, `swapped`, `confirmed`: it looks swapped, but the mapping
    says units_confirmed, `not judged`: fewer values than values_at_least) · looks, multiply: of the swap, else null.
    Values are those of the harmonised tables, before anything out of range is emptied; duplicates count once. A group
    of which half is told by a wider grouping already is not told again. StudyError for a units_confirmed of no column.
    """
    columns = watched()
    known = list(dict.fromkeys([*columns, *setting("quality")["other_instruments"]]))
    for name in site.units_confirmed:
        if name not in known:
            raise StudyError(
                f"{site.path}: units_confirmed: {name!r} is no column under watch{nearest(name, known)} "
                f"Those are {', '.join(known)}."
            )
    found: list[dict[str, Any]] = []
    for table, name, values in _values(harmonised.tables, site, columns):
        found += _judged_column(table, name, values, columns[name], name in site.units_confirmed)
    return pl.DataFrame(found, schema=JUDGED, orient="row")


def guard_units(
    harmonised: Harmonised, site: SiteMapping, valid: Mapping[str, pl.DataFrame | pl.LazyFrame],
    validate: Callable[[Harmonised], Validated], label: Callable[[Mapping[str, pl.DataFrame]], Any],
) -> pl.DataFrame:  # fmt: skip
    """Returns what `judge_units` found; StudyError where a unit looks swapped: which, where, and what it would do.

    `valid`: the valid tables · `validate`: validates the rescaled tables, `label`: valid tables → an object whose
    `labels` hold patient_id and status; called only where the run stops, to count the labels that would be others.
    """
    judged = judge_units(harmonised, site)
    swapped = judged.filter(verdict="swapped")
    if swapped.is_empty():
        return judged
    found = "; ".join(_sentence(row) for row in swapped.iter_rows(named=True))
    declared = {table: rows.lazy().collect() for table, rows in valid.items()}
    now, then = (
        label(tables).labels.select("patient_id", "status")
        for tables in (declared, validate(rescaled(harmonised, swapped)).tables)
    )
    both = now.join(then, on="patient_id", suffix="_rescaled")
    n_flipped = both.filter(pl.col("status") != pl.col("status_rescaled")).height
    raise StudyError(
        f"{site.path}: units look swapped: {found}. Left as it is, that changes the label of {n_flipped} of {both.height} "
        "patients (primary definition). Nothing was rescaled. Declare the unit under `units:` (laboratory results: `unit`, or crp_unit), "
        "or correct the export; if the values are right as they are declared, say "
        f"`units_confirmed: [{', '.join(swapped['column'].unique(maintain_order=True))}]`."
    )


def rescaled(harmonised: Harmonised, swapped: pl.DataFrame) -> Harmonised:
    """Returns the tables with the swapped values multiplied right, or emptied where no number makes them right."""
    tables = {table: rows.lazy().collect() for table, rows in harmonised.tables.items()}
    for row in swapped.iter_rows(named=True):
        rows = _with_groups(tables[row["table"]], row["table"])
        mine = pl.lit(True) if row["by"] == "column" else pl.col(row["by"]) == row["group"]
        name, by = row["column"], row["multiply"]
        if row["table"] == "labs":
            name, mine = "value", mine & (pl.col("test") == "crp")
        text = pl.col(name)
        number = read_number(text.str.extract(f"({NUMBER})", 1))
        right = pl.lit(None, dtype=pl.String)
        if by is not None:
            mended = pl.concat_str(text.str.extract(r"^([^0-9.+-]*)", 1), (number * by).cast(pl.String))
            right = pl.coalesce(mended, text)
        rows = rows.with_columns(pl.when(mine.fill_null(False)).then(right).otherwise(text).alias(name))
        tables[row["table"]] = rows.select(tables[row["table"]].columns)
    return Harmonised(tables, harmonised.findings)


def _read(rows: pl.DataFrame | pl.LazyFrame, *names: str) -> pl.DataFrame:
    """These columns, as far as they are there, of the rows that are no duplicates."""
    lazy = rows.lazy()
    there = [name for name in lazy.collect_schema().names() if name in names]
    return lazy.filter(~pl.col("is_duplicate")).select(there).collect()


def _with_groups(rows: pl.DataFrame, table: str) -> pl.DataFrame:
    """The table with the groups that its rows belong to: source, clinic, year, unit (String; null: not known)."""
    date = "visit_date" if table == "visits" else "sample_date"
    nothing = pl.lit(None, dtype=pl.String)
    clinic = pl.col("clinic") if "clinic" in rows.columns else nothing
    unit = nothing
    if table == "labs":
        stated = plain_unit(pl.col("unit")) if "unit" in rows.columns else nothing
        unit = pl.coalesce(stated, pl.lit("none stated"))
    year = read_date(pl.col(date)).dt.year().cast(pl.String)
    return rows.with_columns(clinic=clinic, year=year, unit=unit)


def _values(
    tables: Mapping[str, pl.DataFrame | pl.LazyFrame], site: SiteMapping, columns: Mapping[str, Watched]
) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """Every watched column: its table, its name, and its numbers (`value`, none null) with their groups."""
    groups = [name for name in GROUPINGS if name != "column"]
    visits = _with_groups(_read(tables["visits"], *groups, "visit_date"), "visits").select(groups)
    for name in columns:
        for value in _read(tables["visits"], name):
            numbers = value.to_frame().select(value=read_number(pl.col(name))).to_series()
            yield "visits", name, visits.with_columns(numbers).drop_nulls("value")
    if "labs" in tables:
        labs = _read(tables["labs"], *groups, "sample_date", "test", "value").filter(pl.col("test") == "crp")
        if "unit" not in labs.columns:
            labs = labs.with_columns(unit=pl.lit(None, dtype=pl.String))
        number = read_lab_results(labs, site.crp_unit, site.censored)["number"]
        results = _with_groups(labs, "labs").select(groups).with_columns(value=number)
        yield "labs", CRP, results.drop_nulls("value")


def _judged_column(
    table: str, name: str, values: pl.DataFrame, rule: Watched, confirmed: bool
) -> Iterator[dict[str, Any]]:
    numbers = values["value"].to_numpy()
    told = np.zeros(len(numbers), dtype=bool)
    for by in GROUPINGS:
        groups = pl.repeat(name, values.height, eager=True) if by == "column" else values[by]
        members = {
            key: (groups == key).fill_null(False).to_numpy() for key in groups.drop_nulls().unique().sort()
        }
        parts = {key: numbers[mine] for key, mine in members.items()}
        judged = [key for key, part in parts.items() if len(part) >= rule.values_at_least]
        shown = _swaps_of(parts, judged, rule)
        for key, mine in members.items():
            swap = shown.get(key)
            if swap and told[mine].mean() >= 0.5:
                continue
            if swap:
                told |= mine
            looks_right = "as declared" if key in judged else "not judged"
            yield {
                "table": table, "column": name, "by": by, "group": key, "n": int(mine.sum()),
                "median": float(np.median(numbers[mine])),
                "verdict": looks_right if swap is None else "confirmed" if confirmed else "swapped",
                "looks": swap and swap.looks, "multiply": swap and swap.multiply,
            }  # fmt: skip


def _swaps_of(parts: Mapping[str, Numbers], judged: list[str], rule: Watched) -> dict[str, Swap]:
    """The first swap that each group judged shows, compared with all others that do not show that swap by themselves."""
    found: dict[str, Swap] = {}
    for swap in rule.swaps:
        alone = [key for key in judged if swap.shown_alone(parts[key])]
        for key in judged:
            clean = [part for other, part in parts.items() if other != key and other not in alone]
            others = np.concatenate([np.empty(0), *clean])
            enough = len(others) >= rule.values_at_least
            if swap.shown_beside(parts[key], others) if enough else key in alone:
                found.setdefault(key, swap)
    return found


def _sentence(row: Mapping[str, Any]) -> str:
    where = {"source": "file", "unit": "unit stated:", "column": "the whole column"}.get(row["by"], row["by"])
    group = "" if row["by"] == "column" else f" {row['group']}"
    return (
        f"{row['table']}.{row['column']}, {where}{group}: {row['n']} values with a median of {row['median']:.3g} "
        f"look like {row['looks']}"
    )
