"""The vocabulary in which definitions are written, and how criteria combine. Unknown is never no."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from operator import and_, or_
from typing import Any, Self

import polars as pl
from pydantic import Field, field_validator, model_validator

from d2tra.config import Closed
from d2tra.definitions.dmard_failures import FailedCsdmards, FailedModesOfAction
from d2tra.definitions.drug_criteria import CsdmardPrerequisite, CsdmardsBeforeBts, FailedMechanisms
from d2tra.definitions.exposure_criteria import Adherence, Exposure, NewBts
from d2tra.definitions.failure_criteria import FailedAllAvailable, FailedDrugs
from d2tra.definitions.glucocorticoid import Glucocorticoid
from d2tra.definitions.history_criteria import FollowUp, MeanOfVisits, NeverLow, SinceDiagnosis
from d2tra.definitions.imaging_criteria import Radiographic, Signs
from d2tra.definitions.inflammation_criteria import (
    ObjectiveInflammation,
    SubjectiveOnly,
    SynovitisInSwollenJoint,
)
from d2tra.definitions.leaf import Leaf
from d2tra.definitions.over_time import OverTime, Persistent, Reached
from d2tra.definitions.psa_criteria import (
    Diagnosed,
    FreeOf,
    ImagingSigns,
    Measured,
    SwollenJoints,
    TargetMissed,
)
from d2tra.definitions.visit_criteria import Activity, Problematic, QualityOfLife, Severity

COMBINATIONS = ("all_of", "any_of", "none_of")


class AtLeastKOf(Closed):
    """So many of the criteria, whichever."""

    k: int = Field(ge=1)
    criteria: tuple[Criterion, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.k > len(self.criteria):
            raise ValueError(f"{self.k} of {len(self.criteria)} criteria can never be met")
        return self


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
    at_least_k_of: AtLeastKOf | None = None
    # criteria at all visits up to the date
    reached: Reached | None = None
    persistent: Persistent | None = None
    # the vocabulary: a new criterion is one line here and one class
    failed_mechanisms: FailedMechanisms | None = None
    csdmard_prerequisite: CsdmardPrerequisite | None = None
    csdmards_before_bts: CsdmardsBeforeBts | None = None
    failed_drugs: FailedDrugs | None = None
    failed_all_available: FailedAllAvailable | None = None
    exposure: Exposure | None = None
    new_bts: NewBts | None = None
    adherence: Adherence | None = None
    activity: Activity | None = None
    severity: Severity | None = None
    never_low: NeverLow | None = None
    mean_of_visits: MeanOfVisits | None = None
    subjective_only: SubjectiveOnly | None = None
    follow_up: FollowUp | None = None
    since_diagnosis: SinceDiagnosis | None = None
    signs: Signs | None = None
    objective_inflammation: ObjectiveInflammation | None = None
    synovitis_in_swollen_joint: SynovitisInSwollenJoint | None = None
    glucocorticoid: Glucocorticoid | None = None
    radiographic: Radiographic | None = None
    quality_of_life: QualityOfLife | None = None
    problematic: Problematic | None = None
    measured: Measured | None = None
    target_missed: TargetMissed | None = None
    swollen_joints: SwollenJoints | None = None
    imaging_signs: ImagingSigns | None = None
    diagnosed: Diagnosed | None = None
    free_of: FreeOf | None = None
    failed_csdmards: FailedCsdmards | None = None
    failed_modes_of_action: FailedModesOfAction | None = None

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
        stated = (getattr(self, name) for name in self.model_fields_set)
        return next((value for value in stated if isinstance(value, Leaf)), None)

    @property
    def children(self) -> tuple[Criterion, ...]:
        """The criteria that this one combines."""
        holder = self.at_least_k_of or self.reached or self.persistent
        return holder.criteria if holder is not None else self.all_of or self.any_of or self.none_of

    def without_presumed(self) -> Criterion:
        """Returns the criterion that counts no presumed failures."""
        if self.children:
            return self.with_children(tuple(child.without_presumed() for child in self.children))
        name, leaf = next((name, value) for name, value in self if isinstance(value, Leaf))
        return self.model_copy(update={name: leaf.without_presumed()})

    def with_children(self, children: tuple[Criterion, ...], **changes: Any) -> Criterion:
        """Returns the criterion with others in the place of those it combines; `changes`: of a criterion over time."""
        for name in COMBINATIONS:
            if getattr(self, name):
                return self.model_copy(update={name: children})
        name, holder = next((name, value) for name, value in self if isinstance(value, AtLeastKOf | OverTime))
        also = changes if isinstance(holder, OverTime) else {}
        return self.model_copy(update={name: holder.model_copy(update={"criteria": children, **also})})

    def in_words(self) -> str:
        """Returns the criterion in plain words; those that it combines by their ids, where they have one."""
        if self.leaf is not None:
            return self.leaf.in_words()
        parts = [child.named() for child in self.children]
        if self.none_of:
            return f"not {' nor '.join(parts)}"
        if self.at_least_k_of is not None:
            return f"at least {self.at_least_k_of.k} of {', '.join(parts)}"
        return (" and " if self.all_of else " or ").join(parts)

    def named(self) -> str:
        """Returns the id, or the criterion in words where it has none."""
        return self.id or f"({self.in_words()})"

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
        if self.at_least_k_of is not None:
            known, possible = (
                pl.sum_horizontal(met.fill_null(unknown).cast(pl.Int64) for met in verdicts)
                for unknown in (False, True)
            )
            enough, enough_possible = known >= self.at_least_k_of.k, possible >= self.at_least_k_of.k
            return pl.when(enough).then(True).when(~enough_possible).then(False)
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


for _holder in (AtLeastKOf, Reached, Persistent, Criterion):
    _holder.model_rebuild(_types_namespace={"Criterion": Criterion})
