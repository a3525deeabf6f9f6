"""One characteristic in one group of patients, as cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from d2tra.risk_factor_plan import Characteristic
from d2tra.tables.cells import Cell, count_cell, proportion_cell, value_cell
from d2tra.tables.comparison import smallest_count, standardised_difference
from d2tra.tables.results import NOT_RECORDED


def describe(characteristic: Characteristic, groups: Mapping[str, pl.DataFrame]) -> list[Cell]:
    """Returns the characteristic's cells, a column per group: n/N of the patients in whom it is known (yes/no: one row;
    categories: a row per level that anybody has), or median [IQR] or mean (SD) as declared; then how many have it not
    recorded, unless it is recorded in all."""
    values = {column: group[characteristic.name] for column, group in groups.items()}
    row = row_label(characteristic)
    cells: list[Cell] = []
    for level in levels_shown(characteristic, groups):
        for column, given in values.items():
            known = given.drop_nulls()
            if characteristic.coding == "number":
                cells.append(_number(characteristic, known, column))
            else:
                n = int((known == (True if level is None else level)).sum())
                cells.append(proportion_cell(row, column, n, len(known), level))
    n_missing = {column: given.null_count() for column, given in values.items()}
    if any(n_missing.values()):
        cells += [count_cell(row, column, n, NOT_RECORDED) for column, n in n_missing.items()]
    return cells


def describe_side_by_side(
    characteristic: Characteristic,
    groups: Mapping[str, pl.DataFrame],
    differences: Mapping[str, tuple[str, str]],
) -> list[Cell]:
    """Returns the cells of `describe`, then a standardised difference for each of `differences`: its column → two groups."""
    cells = describe(characteristic, groups)
    level = next(iter(levels_shown(characteristic, groups)), None)
    for column, (first, second) in differences.items():
        pair = (groups[first][characteristic.name], groups[second][characteristic.name], characteristic)
        place: dict[str, Any] = {"level": level, "smallest": smallest_count(*pair)}
        gap = standardised_difference(*pair)
        cells.append(value_cell("number", row_label(characteristic), column, gap, **place))
    return cells


def in_use(characteristics: Iterable[Characteristic], members: pl.DataFrame) -> list[Characteristic]:
    """Returns the characteristics without the optional ones that nobody has: most sites do not measure them."""
    return [c for c in characteristics if not c.optional or members[c.name].count()]


def levels_shown(characteristic: Characteristic, groups: Mapping[str, pl.DataFrame]) -> list[str | None]:
    """Returns a category's levels that anybody has, in their order; [None] for all else, which has one row."""
    if characteristic.coding != "category":
        return [None]
    found = {level for group in groups.values() for level in group[characteristic.name].unique()}
    return [level for level in characteristic.levels if level in found]


def _number(characteristic: Characteristic, known: pl.Series, column: str) -> Cell:
    """Quartiles interpolate linearly (R's type 7, NumPy's default)."""
    row = row_label(characteristic)
    values = known.to_numpy().astype(float)
    if not len(values):
        return value_cell(characteristic.describe, row, column, None, n=0)
    if characteristic.describe == "mean_sd":
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return value_cell("mean_sd", row, column, float(np.mean(values)), spread, n=len(values))
    low, median, high = (float(quartile) for quartile in np.quantile(values, (0.25, 0.5, 0.75)))
    return value_cell("median_iqr", row, column, median, low, high, n=len(values))


def row_label(characteristic: Characteristic) -> str:
    """Returns the characteristic's title, with its unit where it is a number."""
    return f"{characteristic.title}, {characteristic.unit}" if characteristic.unit else characteristic.title
