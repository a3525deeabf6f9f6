"""Definitions are data: one YAML each in config/definitions/, read, checked, put together from criteria, and said in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from d2tra.config import Closed, find, load_yaml, parse
from d2tra.definitions.criteria import Criterion
from d2tra.definitions.drug_criteria import CountsFailures
from d2tra.errors import StudyError, nearest


class Source(Closed):
    """Where a definition was published; journal and doi are absent where it was not."""

    authors: str
    year: int
    title: str | None = None
    journal: str | None = None
    doi: str | None = None


class OpenPoint(Closed):
    """What the paper leaves open, and how it was settled here."""

    left_open: str
    settled: str


class Definition(Closed):
    """A definition; met where all of `criteria` are met. `optional`: ids left out of their any_of where unknown.

    `stands_for`: diagnosis concepts that the definition is about though no criterion reads them: no factor against it.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    title: str
    disease: Literal["RA", "PsA"]
    source: Source
    optional: tuple[str, ...] = ()
    stands_for: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    open_points: tuple[OpenPoint, ...]

    @property
    def tree(self) -> Criterion:
        """All criteria as one."""
        return Criterion(all_of=self.criteria)

    @property
    def listed(self) -> dict[str, Criterion]:
        """Id → criterion, in the order written; a criterion used twice is listed once."""
        return {node.id: node for node in self.tree.walk() if node.id is not None}

    @property
    def counting(self) -> CountsFailures:
        """How the definition counts failed drugs; as EULAR 2021 where it does not count them."""
        for node in self.tree.walk():
            if isinstance(node.leaf, CountsFailures):
                return CountsFailures(
                    count_intolerance=node.leaf.count_intolerance, count_presumed=node.leaf.count_presumed
                )
        return CountsFailures(count_intolerance=True, count_presumed=True)

    def in_words(self) -> list[str]:
        """Returns the definition as a numbered list, one line per criterion that has an id, in plain words."""
        lines = [f"Met where {self.tree.in_words()}."]
        for name, criterion in self.listed.items():
            left_out = " (left out where unknown)" if name in self.optional else ""
            lines.append(f"{name}. {criterion.title}{left_out}: {criterion.in_words()}.")
        return lines


def load_definition(definition: str | Path | Mapping[str, Any] | Definition) -> Definition:
    """Returns a definition by name, by path to a YAML, or as a mapping, with all references replaced by their criteria.

    StudyError naming the file, the key, what is allowed and the nearest choice.
    """
    if isinstance(definition, Definition):
        return definition
    return _load(definition, ())


def definition_files(name: str | Path) -> list[Path]:
    """Returns the files a definition is made of: its own, and those of the definitions it refers to, sorted."""
    files: set[Path] = set()
    _load(name, (), files)
    return sorted(files)


def _load(
    source: str | Path | Mapping[str, Any], above: tuple[str, ...], files: set[Path] | None = None
) -> Definition:
    if isinstance(source, Mapping):
        where = f"definition {source.get('name', 'without a name')}"
        definition = parse(Definition, dict(source), where)
    else:
        path = find("definitions", str(source))
        where = path.as_posix()
        definition = _read(path, path.stat().st_mtime_ns)
        if files is not None:
            files.add(path)
    if not isinstance(source, Mapping) and definition.name != path.stem:
        raise StudyError(
            f"{where}: key 'name': {definition.name!r} must be the stem of its file, {path.stem!r}."
        )
    references = _References(where, (*above, definition.name), definition.optional, files, {})
    definition = definition.model_copy(
        update={"criteria": tuple(map(references.resolve, definition.criteria))}
    )
    _check_optional(definition, where)
    return definition


@cache  # definitions refer to each other: unread again while the file is unchanged
def _read(path: Path, _changed: int) -> Definition:
    return parse(Definition, load_yaml(path), path.as_posix())


@dataclass(frozen=True)
class _References:
    """Replaces references by the criteria they stand for, in the order written, so that none can go round in a circle."""

    where: str
    above: tuple[str, ...]  # the definitions being read, from the one asked for down to this one
    optional: tuple[str, ...]
    files: set[Path] | None
    known: dict[str, Criterion]

    def resolve(self, node: Criterion) -> Criterion:
        if node.same_as is not None:
            found = self._look_up(node.same_as)
            named = {key: getattr(node, key) for key in ("id", "title") if getattr(node, key) is not None}
            node = found.model_copy(update=named)
        elif node.children:
            children = tuple(self.resolve(child) for child in node.children)
            node = node.with_children(children, optional=self.optional)
        for part in node.walk():
            if part.id is not None and self.known.setdefault(part.id, part) != part:
                raise StudyError(
                    f"{self.where}: two different criteria have the id {part.id!r}. Give one another id."
                )
        return node

    def _look_up(self, reference: str) -> Criterion:
        other, _, name = reference.rpartition("/")
        if other in self.above:
            raise StudyError(
                f"{self.where}: {reference!r} goes round in a circle ({' → '.join((*self.above, other))})."
            )
        known = self._load_other(other) if other else self.known
        if name not in known:
            raise StudyError(
                f"{self.where}: no criterion {name!r} {f'in {other}' if other else 'above this line'}"
                f"{nearest(name, known)} Known: {', '.join(known) or 'none'}."
            )
        return known[name]

    def _load_other(self, other: str) -> dict[str, Criterion]:
        try:
            find("definitions", other)
        except StudyError as problem:
            raise StudyError(f"{self.where}: {problem}") from None
        return _load(other, self.above, self.files).listed


def _check_optional(definition: Definition, where: str) -> None:
    eligible = [child.id for node in definition.tree.walk() for child in node.any_of if child.id is not None]
    for name in definition.optional:
        if name not in eligible:
            raise StudyError(
                f"{where}: key 'optional': {name!r} is no part of an any_of{nearest(name, eligible)} "
                f"Allowed: {', '.join(eligible) or 'none'}."
            )
