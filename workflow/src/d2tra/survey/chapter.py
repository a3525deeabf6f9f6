"""The chapter «survey» of a study, beside its cohorts: its tables, before disclosure control."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from d2tra.config import Study
from d2tra.definitions import load_definition
from d2tra.errors import StudyError
from d2tra.survey.answers import read_answers
from d2tra.survey.codebook import Survey
from d2tra.survey.count import COUNTS, count_answers
from d2tra.survey.tables import survey_tables
from d2tra.tables import Table


def describe_survey(
    study: Study, survey: Survey, prevalence: Mapping[str, pl.DataFrame], synthetic: bool
) -> list[Table]:
    """Returns the chapter's tables. `prevalence`: cohort → prevalence.csv; `synthetic`: whether the patients are.

    StudyError where the answers are synthetic and the patients are not: what is shown of both could not be told apart.
    """
    if survey.synthetic and not synthetic:
        raise StudyError(
            f"study {study.name}: key 'survey': the answers of {survey.name} are synthetic, the patients are not. "
            "Name a survey that was held, or leave the key out."
        )
    counts = count_answers(read_answers(survey), survey) if survey.responses else pl.DataFrame(schema=COUNTS)
    under_policy = {
        cohort: own.filter(pl.col("criterion_3_policy") == study.if_criterion_3_unrecorded)
        for cohort, own in prevalence.items()
    }
    definitions = {name: load_definition(name) for name in survey.favours()}
    return survey_tables(survey, counts, under_policy, definitions, study.definition_names[0], synthetic)
