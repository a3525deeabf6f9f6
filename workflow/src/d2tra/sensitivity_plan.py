"""What a study's sensitivity grid asks for, as far as it must be known before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

from d2tra.config import Study, find
from d2tra.errors import StudyError, nearest
from d2tra.treatment.rules import FailureRules, load_failure_rules

PRIMARY = "primary"  # config/exposure.yaml as it stands


def grid_cohorts(study: Study) -> list[str]:
    """Returns the cohorts for which the grid is made: all, or those named; none where the study declares no grid."""
    if study.sensitivity is None:
        return []
    named = study.sensitivity.cohorts
    return study.cohort_names if named is None else _known(study, "cohorts", named, study.cohort_names)


def grid_definitions(study: Study) -> list[str]:
    """Returns the names of the grid's definitions, the primary one first."""
    asked = study.sensitivity.definitions if study.sensitivity else []
    known = study.definition_names
    return list(dict.fromkeys([known[0], *_known(study, "definitions", asked, known)]))


def alternative_rules(study: Study) -> list[FailureRules]:
    """Returns the failure rules beside the primary ones, in the order of the study."""
    asked = study.sensitivity.failure_rules if study.sensitivity else []
    return [load_failure_rules(name) for name in dict.fromkeys(asked) if name != PRIMARY]


def grid_files(study: Study) -> list[str]:
    """Returns the files of the grid's model and failure rules; none where the study declares no grid.

    StudyError names a definition, cohort, model or failure rules that do not exist, and the nearest that do.
    """
    if study.sensitivity is None:
        return []
    grid_cohorts(study)
    grid_definitions(study)
    rules = [name for name in dict.fromkeys(study.sensitivity.failure_rules) if name != PRIMARY]
    alternative_rules(study)
    files = [find("models", study.sensitivity.model), *(find("failure_rules", name) for name in rules)]
    return [file.as_posix() for file in files]


def _known(study: Study, key: str, asked: Iterable[str], known: list[str]) -> list[str]:
    for name in asked:
        if name not in known:
            raise StudyError(
                f"study {study.name}: key 'sensitivity.{key}': {name!r} is none of the study's{nearest(name, known)}"
                f" They are: {', '.join(known)}."
            )
    return list(asked)
