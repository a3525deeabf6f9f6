"""Columns that become rows: numbered groups (`Biologic 1`, `Start 1` …), laboratory columns, packed cells."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from d2tra.extract.site import Reshape
from d2tra.proposal.words import Words, drug_names, key

MOST_GROUPS = 30
MOST_NAMES = 40
SHARE_PACKED = 0.95
BESIDE_A_TEST = r"(?i)[\s_,-]*\b(result|value|level|titre|titer|serum|blood)s?$|\s*[\[(].*[\])]$"


def numbered_groups(headers: list[str], words: Words) -> list[Reshape]:
    """Returns the groups of treatment columns that a number tells apart, or a drug's name in the header."""
    templates: dict[str, dict[int, str]] = {}
    for header in headers:
        for found in re.finditer(r"(?<!\d)([1-9]\d?)(?!\d)", header):
            if int(found[1]) <= MOST_GROUPS:
                template = f"{header[: found.start()]}{{n}}{header[found.end() :]}"
                templates.setdefault(template, {})[int(found[1])] = header
    meant = {
        template: ours
        for template, numbers in templates.items()
        if 1 in numbers and (ours := _of_treatments(template.replace("{n}", " "), words))
    }
    by_number: dict[int, dict[str, str]] = {}
    for template, ours in meant.items():
        for number in templates[template]:
            group = by_number.setdefault(number, {})
            if ours not in group.values():
                group[template] = ours
    usable = {n: group for n, group in by_number.items() if {"drug", "start_date"} <= {*group.values()}}
    runs: list[tuple[int, int, dict[str, str]]] = []
    for number in sorted(usable):
        if runs and runs[-1][1] == number - 1 and runs[-1][2] == usable[number]:
            runs[-1] = (runs[-1][0], number, usable[number])
        else:
            runs.append((number, number, usable[number]))
    found_groups = [Reshape(columns=columns, numbers=(first, last)) for first, last, columns in runs]
    return found_groups + _by_drug(headers, words)


def _of_treatments(text: str, words: Words) -> str | None:
    """The treatments column that a numbered header means, its number taken out."""
    pieces = re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text))
    own = [piece for piece in pieces if key(piece) not in words.numbered]
    if not own:
        return "drug"
    return words.column_of("treatments", " ".join(own)) or words.column_of("treatments", text)


def _by_drug(headers: list[str], words: Words) -> list[Reshape]:
    """Groups such as `Methotrexate start`, `Methotrexate stop`: the drug is a constant. Listed names only."""
    names = drug_names()
    groups: dict[str, dict[str, str]] = {}
    for header in headers:
        name, _, rest = header.replace("_", " ").partition(" ")
        ours = words.column_of("treatments", rest) if name.casefold() in names and rest else None
        if ours and ours != "drug":
            groups.setdefault(name, {})[header] = ours
    return [
        Reshape(columns=columns, constants={"drug": name})
        for name, columns in groups.items()
        if "start_date" in columns.values()
    ]


def lab_columns(headers: list[str], words: Words) -> list[Reshape]:
    """Returns one group per laboratory test that has a column of its own; `RF unit`, `RF date` belong to it."""
    tests = words.scheme("test", ())
    groups: dict[str, dict[str, str]] = {}
    for header in headers:
        short = re.sub(BESIDE_A_TEST, "", header)
        if key(short) in tests:
            groups.setdefault(tests[key(short)], {})[header] = "value"
            continue
        first, _, last = header.replace("_", " ").rpartition(" ")
        beside = words.column_of("labs", last)
        if key(first) in tests and beside in ("unit", "sample_date", "upper_limit"):
            groups.setdefault(tests[key(first)], {})[header] = beside
    has_date = ["sample_date" in columns.values() for columns in groups.values()]
    if not all(has_date):  # one date column serves all groups, or each has its own
        groups = {
            test: {theirs: ours for theirs, ours in columns.items() if ours != "sample_date"}
            for test, columns in groups.items()
        }
    return [
        Reshape(columns=columns, constants={"test": test})
        for test, columns in groups.items()
        if "value" in columns.values() and len({*columns.values()}) == len(columns)
    ]


def packed_cells(cells: pl.DataFrame, headers: list[str], words: Words) -> dict[str, Any]:
    """Returns {split: {names, values, units, separator}} where two columns hold as many parts in each cell, one of them
    names of laboratory tests; else an empty section."""
    tests = words.scheme("test", ())
    for separator in words.separators:
        holds = pl.col(headers).str.contains(separator, literal=True)
        most = cells.select(holds.sum() * 2 > holds.count()).row(0, named=True) if headers else {}
        several = [name for name, is_packed in most.items() if is_packed]
        parts = {name: cells[name].str.split(separator) for name in several}
        for name in several:
            distinct = parts[name].drop_nulls().explode().str.strip_chars().unique().to_list()
            if len(distinct) > MOST_NAMES or not any(key(each) in tests for each in distinct if each):
                continue
            beside = [other for other in several if other != name and _agree(parts[name], parts[other])]
            values = [other for other in beside if words.column_of("labs", other) != "unit"]
            units = [other for other in beside if other not in values]
            if values:
                split = {"names": name, "values": values[0], "separator": separator}
                return {"split": split | ({"units": units[0]} if units else {})}
    return {}


def _agree(one: pl.Series, other: pl.Series) -> bool:
    both = one.list.len() == other.list.len()
    return int(both.sum()) >= SHARE_PACKED * max(one.drop_nulls().len(), 1)
