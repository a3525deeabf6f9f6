"""One characteristic in one group of patients, as cells."""

from __future__ import annotations

import numpy as np
import polars as pl

from d2tra.risk_factor_plan import Characteristic
from d2tra.tables.cells import Cell, proportion_cell, value_cell
from d2tra.tables.comparison import levels_of
from d2tra.tables.results import NOT_RECORDED


def describe(characteristic: Characteristic, group: pl.DataFrame, column: str) -> list[Cell]:
    """Returns the characteristic's cells in one column: n/N of the patients in whom it is known (yes/no: one row;
    categories: a row per level), or median [IQR] or mean (SD) as declared; then how many have it not recorded."""
    values = group[characteristic.name]
    known = values.drop_nulls()
    row, total = row_label(characteristic), len(known)
    cells: list[Cell] = []
    if characteristic.coding == "yes_no":
        cells.append(proportion_cell(row, column, int(known.sum() or 0), total))
    elif characteristic.coding == "category":
        cells += [
            proportion_cell(row, column, int((known == level).sum()), total, str(level))
            for level in levels_of(characteristic)
        ]
    else:
        cells.append(_number(characteristic, known, column))
    n_missing = len(values) - total
    return [*cells, proportion_cell(row, column, n_missing, len(values), NOT_RECORDED)]


def _number(characteristic: Characteristic, known: pl.Series, column: str) -> Cell:
    """Quartiles interpolate linearly (R's type 7, NumPy's default)."""
    row = row_label(characteristic)
    values = known.to_numpy().astype(float)
    if not len(values):
        return value_cell(characteristic.describe, row, column, None, n=0)
    if characteristic.describe == "mean_sd":
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return value_cell("mean_sd", row, column, float(np.mean(values)), (spread, None), n=len(values))
    low, median, high = (float(quartile) for quartile in np.quantile(values, (0.25, 0.5, 0.75)))
    return value_cell("median_iqr", row, column, median, (low, high), n=len(values))


def row_label(characteristic: Characteristic) -> str:
    """Returns the characteristic's title, with its unit where it is a number."""
    return f"{characteristic.title}, {characteristic.unit}" if characteristic.unit else characteristic.title
