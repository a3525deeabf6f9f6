"""The vocabulary in which definitions are written, and how criteria combine. Unknown is never no."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from operator import and_, or_
from typing import Any, Self

import polars as pl
from pydantic import field_validator, model_validator

from d2tra.config import Closed
from d2tra.definitions.drug_criteria import CsdmardPrerequisite, CsdmardsBeforeBts, FailedMechanisms
from d2tra.definitions.glucocorticoid import Glucocorticoid
from d2tra.definitions.imaging_criteria import Radiographic, Signs
from d2tra.definitions.leaf import Leaf
from d2tra.definitions.visit_criteria import Activity, Problematic, QualityOfLife, Severity

COMBINATIONS = ("all_of", "any_of", "none_of")


class Criterion(Closed):
    """A node of a definition: a combination of criteria, a criterion of the vocabulary, or one defined elsewhere.

    Where a list of criteria is expected, a bare `2a` stands for the criterion 2a of the same definition, and
    `eular_2021/2b` for that of another. A criterion with an `id` has a line of evidence of its own.
    """

    id: str | None = None
    title: str | None = None
    same_as: str | None = None
    all_of: tuple[Criterion, ...] = ()
    any_of: tuple[Criterion, ...] = ()
    none_of: tuple[Criterion, ...] = ()
    # the vocabulary: a new criterion is one line here and one class
    failed_mechanisms: FailedMechanisms | None = None
    csdmard_prerequisite: CsdmardPrerequisite | None = None
    csdmards_before_bts: CsdmardsBeforeBts | None = None
    activity: Activity | None = None
    severity: Severity | None = None
    signs: Signs | None = None
    glucocorticoid: Glucocorticoid | None = None
    radiographic: Radiographic | None = None
    quality_of_life: QualityOfLife | None = None
    problematic: Problematic | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_name_is_a_reference(cls, section: Any) -> Any:
        return {"same_as": str(section)} if isinstance(section, str | int) else section

    @field_validator("id", mode="before")
    @classmethod
    def _id_is_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        stated = self.model_fields_set - {"id", "title"}
        if len(stated) != 1:
            choices = ", ".join(
                name for name in type(self).model_fields if name not in ("id", "title", "same_as")
            )
            raise ValueError(
                f"one criterion needs exactly one of {choices}; it has {', '.join(sorted(stated)) or 'none'}"
            )
        if self.id is not None and self.title is None and self.same_as is None:
            raise ValueError(f"criterion {self.id} has an id and needs a title too")
        return self

    @property
    def leaf(self) -> Leaf | None:
        """The criterion of the vocabulary, if this is one."""
        return next((value for _, value in self if isinstance(value, Leaf)), None)

    @property
    def combination(self) -> str:
        """all_of, any_of or none_of."""
        return next(name for name in COMBINATIONS if getattr(self, name))

    @property
    def children(self) -> tuple[Criterion, ...]:
        """The criteria that this one combines."""
        return self.all_of or self.any_of or self.none_of

    def walk(self) -> Iterator[Criterion]:
        """Yields this criterion, then everything below it, in the order written."""
        yield self
        for child in self.children:
            yield from child.walk()

    def met(self, leaf_met: Callable[[Leaf], pl.Expr], optional: frozenset[str]) -> pl.Expr:
        """Returns the verdict (Boolean, null = unknown); `leaf_met` gives that of a criterion of the vocabulary.

        An optional criterion that is unknown is left out of an any_of; if all are left out, that is unknown.
        """
        if self.leaf is not None:
            return leaf_met(self.leaf)
        verdicts = [child.met(leaf_met, optional) for child in self.children]
        if self.all_of:
            return reduce(and_, verdicts)
        if self.none_of:
            return ~reduce(or_, verdicts)
        may_be_left_out = [child.id in optional for child in self.children]
        counted = [
            met.fill_null(False) if left_out else met
            for met, left_out in zip(verdicts, may_be_left_out, strict=True)
        ]
        if not all(may_be_left_out):
            return reduce(or_, counted)
        nothing_known = pl.all_horizontal(met.is_null() for met in verdicts)
        return pl.when(~nothing_known).then(reduce(or_, counted))
