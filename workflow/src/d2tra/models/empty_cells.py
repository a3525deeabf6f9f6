"""Before an unpenalised fit: the factors with a level of which every patient has the outcome, or none has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from d2tra.models.checks import count_levels, find_empty_cells
from d2tra.models.design import NotEstimableError, design_matrix
from d2tra.models.logistic import read_outcome


def refuse_empty_cells(
    data: pl.DataFrame,
    outcome: str,
    groups: Sequence[Sequence[str]],
    references: Mapping[str, str],
    unit_steps: Mapping[str, float],
) -> dict[str, str]:
    """Returns factor → reason, naming its levels, of those with an empty cell against the outcome.

    `groups`: the factors that are fitted together; each group is judged in the patients in whom all of it is known. An
    outcome that all or none have is no matter of a factor, and is left to the fit.
    """
    event = read_outcome(data, outcome)
    judged, reasons = data.filter(event.is_not_null()), {}
    for terms in groups:
        try:
            design = design_matrix(judged, terms, references, unit_steps)
        except NotEstimableError:
            continue  # the fit says why
        happened = event.drop_nulls().filter(design.complete)
        if happened.n_unique() < 2:
            continue
        empty = find_empty_cells(count_levels(design, happened.to_numpy()))
        for term, levels in empty.group_by("term", maintain_order=True).agg("level").iter_rows():
            reasons[term] = (
                f"an empty cell against the outcome ({', '.join(f'{term}: {level}' for level in levels)}), where maximum "
                "likelihood has no finite estimate; the method firth has one"
            )
    return reasons
