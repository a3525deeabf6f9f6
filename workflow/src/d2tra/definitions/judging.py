"""Which criterion is asked at which visits: the cheap ones first, and what they settle is asked no further."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from d2tra.definitions.facts import Facts

if TYPE_CHECKING:
    from d2tra.definitions.criteria import Criterion
    from d2tra.definitions.leaf import Leaf

UNKNOWN = pl.lit(None, dtype=pl.Boolean)


class Question(NamedTuple):
    """A criterion, whatever it combines; the ids left out of their any_of where unknown; at which of the facts' `dates` it
    is asked (Boolean)."""

    criterion: Criterion
    optional: frozenset[str]
    where: pl.Series


def answer(facts: Facts, questions: Mapping[str, Question]) -> pl.DataFrame:
    """Returns one column per question, called by its name: the verdict at each of the facts' `dates` (Boolean, null =
    unknown, or not asked there).

    The criteria of the vocabulary are asked stage by stage (`Leaf.stage`), each only where a question that holds it is
    still open. What is open is judged without leaving anything out as unknown, so what is settled stays settled.
    """
    leaves = {name: dict(leaves_by_key(question.criterion)) for name, question in questions.items()}
    of_stage: dict[int, dict[str, Leaf]] = {}
    for key, leaf in (item for of_question in leaves.values() for item in of_question.items()):
        of_stage.setdefault(leaf.stage(facts.choices), {})[key] = leaf
    still_open = {name: question.where for name, question in questions.items()}
    known: dict[str, pl.Series] = {}
    for _, asked in sorted(of_stage.items()):
        for key, leaf in asked.items():
            where = reduce(or_, (still_open[name] for name in questions if key in leaves[name]))
            known[key] = facts.ask(leaf, where)
        verdicts = _verdicts(facts, known, questions, leave_out=False)
        still_open = {name: still_open[name] & verdicts[name].is_null() for name in questions}
    verdicts = _verdicts(facts, known, questions, leave_out=True)
    return verdicts.select(
        pl.when(question.where).then(pl.col(name)).alias(name) for name, question in questions.items()
    )


def leaves_by_key(criterion: Criterion) -> Iterator[tuple[str, Leaf]]:
    """Yields key and criterion of the vocabulary; one over time asks what it is made of itself."""
    if criterion.leaf is not None:
        yield criterion.leaf.key, criterion.leaf
    else:
        for child in criterion.children:
            yield from leaves_by_key(child)


def _verdicts(
    facts: Facts, known: Mapping[str, pl.Series], questions: Mapping[str, Question], leave_out: bool
) -> pl.DataFrame:
    """The verdict of each question, from the criteria that have been asked; the others are unknown."""
    asked = facts.dates.select("visit").with_columns(verdicts.alias(key) for key, verdicts in known.items())

    def met(leaf: Leaf) -> pl.Expr:
        return pl.col(leaf.key) if leaf.key in known else UNKNOWN

    return asked.with_columns(
        question.criterion.met(met, question.optional if leave_out else frozenset()).alias(name)
        for name, question in questions.items()
    ).select(list(questions))
