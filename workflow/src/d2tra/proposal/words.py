"""What departments call things: `config/mapping_words.yaml`, by table, column and word."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from d2tra.codelists import dmards
from d2tra.config import setting
from d2tra.errors import StudyError
from d2tra.extract.schemas import COLUMNS

Scheme = dict[str, str]  # a word's key → ours


@lru_cache(maxsize=100_000)
def key(text: str) -> str:
    """Returns the text in small letters without accents, blanks and signs: `Größe (cm)` is grossecm; of signs alone
    themselves (`+`)."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if letter.isalnum()) or text.strip()


def split_unit(header: str, units: Mapping[str, str]) -> tuple[str, str | None]:
    """Returns a header without the unit at its end, and that unit as ours: `Pain (cm)` is Pain, cm; none: null."""
    found = re.match(r"^(.*\w)[\s_.,/-]*[\s_(\[]([A-Za-z%/0-9]+)[)\]]?\s*$", header)
    pieces = re.match(r"^(.*\w)[\s_]([A-Za-z]+[_ /][A-Za-z0-9]+)$", header)
    for match in (found, pieces):
        unit = match and units.get(re.sub(r"[\s_]", "", match[2]).casefold())
        if match and unit:
            return match[1], unit
    return header, None


def drug_names() -> frozenset[str]:
    """Returns every name and spelling of the drug list, in small letters."""
    listed = dmards()
    return frozenset(name for column in ("names", "spellings") for names in listed[column] for name in names)


@dataclass(frozen=True)
class Words:
    """The words, by key: headers per table and column, values per column, and the bounds of the evidence."""

    headers: dict[str, dict[str, str]]
    known: frozenset[str]
    ambiguous: dict[str, dict[str, list[str]]]
    clinic: set[str]
    forms: dict[str, str]
    places: dict[str, set[str]]
    numbered: set[str]
    units: dict[str, str]
    values: dict[str, list[Scheme]]
    missing: dict[str, list[str]]
    dates: list[str]
    separators: list[str]
    drug_separators: list[str]
    evidence: dict[str, Any]

    def is_heading(self, cell: str) -> bool:
        """Returns whether a cell is a known heading of any table."""
        return key(cell) in self.known or key(split_unit(cell, self.units)[0]) in self.known

    def column_of(self, table: str, header: str) -> str | None:
        """Returns the canonical column that a header means in a table, its unit taken off if need be; else null."""
        known = self.headers[table]
        return known.get(key(header)) or known.get(key(split_unit(header, self.units)[0]))

    def scheme(self, column: str, present: Iterable[str]) -> Scheme:
        """Returns key → ours for a column's words: of rival schemes the one that knows most of those present."""
        there = {key(word) for word in present}
        return max(self.values.get(column, [{}]), key=lambda scheme: len(there & set(scheme)))

    def alike(self, word: str, known: Iterable[str]) -> str | None:
        """Returns the known word that is spelt most like this one, if it is very like; a suggestion, never a guess."""
        keys = {key(each): each for each in known}
        near = difflib.get_close_matches(key(word), list(keys), n=1, cutoff=self.evidence["suggestion"])
        return keys[near[0]] if near and len(key(word)) > 3 else None


def words() -> Words:
    """Returns the words of the folder of the command, else those shipped; StudyError for a word with two meanings."""
    return _words(Path.cwd())


@cache
def _words(_folder: Path) -> Words:
    stated = setting("mapping_words")
    headers = {}
    for table, columns in COLUMNS.items():
        listed = {**stated["every_table"], **stated["columns"].get(table, {})}
        # our own names first: a file that uses them needs no list
        headers[table] = _by_key(
            {**{name: [name, *listed.get(name, [])] for name in columns}}, f"columns.{table}"
        )
    values: dict[str, list[Scheme]] = {}
    for column, schemes in stated["values"].items():
        rivals = schemes if isinstance(schemes, list) else [schemes]
        values[column] = [_by_key(scheme, f"values.{column}") for scheme in rivals] if column not in (
            "true", "false") else []  # fmt: skip
    values["bool"] = [_by_key({each: stated["values"][each] for each in ("true", "false")}, "values")]
    return Words(
        headers=headers,
        known=frozenset(word for named in headers.values() for word in named),
        ambiguous={
            table: {key(word): between for word, between in named.items()}
            for table, named in stated["ambiguous"].items()
        },
        clinic={key(word) for word in stated["clinic"]},
        forms={key(word): form for word, form in stated["das28_forms"].items()},
        places={table: {key(word) for word in named} for table, named in stated["places"].items()},
        numbered={key(word) for word in stated["numbered"]},
        units={str(theirs).casefold(): ours for theirs, ours in stated["units"].items()},
        values=values,
        missing=stated["missing"],
        dates=stated["dates"],
        separators=stated["separators"],
        drug_separators=stated["drug_separators"],
        evidence=stated["evidence"],
    )


def _by_key(named: Mapping[str, Iterable[str]], where: str) -> Scheme:
    found: Scheme = {}
    for ours, theirs in named.items():
        for word in theirs:
            if found.setdefault(key(str(word)), ours) != ours:
                raise StudyError(
                    f"config/mapping_words.yaml, {where}: {word!r} stands for {found[key(str(word))]} and for {ours}. "
                    "Keep one."
                )
    return found
