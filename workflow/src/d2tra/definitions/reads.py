"""What a criterion or a factor looks at: columns and concepts of the extract, and over which dates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from d2tra.codelists import BTS_KINDS
from d2tra.scores.visits import components_of


class Read(NamedTuple):
    """A source read in [t − within_days, t], t being the date of judgement; None: on every day up to it.

    `source`: `visits.tjc28`, `patients.diagnosis_date`, `labs.rf`, `imaging.osteitis`, `biomarkers.<marker>`,
    `diagnoses.<concept>`, `treatments.adherence`; `courses.<kind>` (which drugs of the kind were given, and how that
    ended) and `courses.<kind>.start_date` (when they were begun: only where the date is what is asked about, not where
    it merely says what came by then).
    """

    source: str
    within_days: int | None = None


def read_visits(columns: Iterable[str], within_days: int | None = None) -> tuple[Read, ...]:
    """Returns the reads of columns of the scored visits; a score counts as its components."""
    components = dict.fromkeys(part for column in columns for part in components_of(column))
    return tuple(Read(f"visits.{name}", within_days) for name in components)


def read_courses(kinds: Iterable[str] = BTS_KINDS) -> tuple[Read, ...]:
    """Returns the reads of all courses of these kinds of drug."""
    return tuple(Read(f"courses.{kind}") for kind in kinds)


def read_starts(kinds: Iterable[str], within_days: int | None = None) -> tuple[Read, ...]:
    """Returns the reads of the dates on which drugs of these kinds were begun."""
    return tuple(Read(f"courses.{kind}.start_date", within_days) for kind in kinds)


def read_imaging(measures: Iterable[str], within_days: int) -> tuple[Read, ...]:
    """Returns the reads of measures of images."""
    return tuple(Read(f"imaging.{measure}", within_days) for measure in measures)
