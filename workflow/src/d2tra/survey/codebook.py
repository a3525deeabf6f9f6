"""What a survey asked and how its answers are written: `config/surveys/<survey>.yaml`, checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from d2tra.config import Closed, find, load_yaml, parse
from d2tra.errors import StudyError, nearest
from d2tra.extract.site import Text

Kind = Literal["single", "multiple", "scale", "free_text"]
OTHER, NO_THEME = "(other)", "(no theme)"  # choices that no codebook writes itself
ANSWERED, NOT_ANSWERED = "answered, of those asked", "not answered"
ASKED, NOT_KNOWN, STRAY = "asked of", "not known whether asked", "answered though not asked (left out)"
MEDIAN = "median"
SAID, OR = ": ", "; or "  # between a question and its answer, and between answers, where a table names them
LINES = (ANSWERED, NOT_ANSWERED, ASKED, NOT_KNOWN, STRAY, MEDIAN)  # of a question, beside its options
OF_KIND = {
    "single": {"column", "options", "other"},
    "scale": {"column", "options"},
    "multiple": {"column", "columns", "separator", "options", "other", "ticked", "unticked"},
    "free_text": {"column", "themes"},
}
ALWAYS = {"kind", "title", "wording", "missing", "asked_if"}


def _with_label(option: Any) -> Any:
    return {"label": option} if isinstance(option, str | int | float) else option


class _Option(Closed):
    """One answer: what tables call it, and the definition that whoever chose it favours."""

    label: Text
    favours: str | None = None


Option = Annotated[_Option, BeforeValidator(_with_label)]


class AskedIf(Closed):
    """A question that only those were asked who chose one of these answers to an earlier one."""

    question: str
    chosen: list[Text] = Field(min_length=1)


class Question(Closed):
    """One question. `column`: where its answers stand; `columns`: one of ticks per option (their column → option)."""

    kind: Kind
    title: str
    wording: str
    column: str | None = None
    columns: dict[str, Text] = {}
    separator: str | None = Field(default=None, min_length=1)
    options: dict[Text, Option] = {}
    other: str | None = None
    ticked: list[Text] = ["x", "1", "yes", "true"]
    unticked: list[Text] = ["0", "no", "false"]
    missing: list[Text] = []
    themes: dict[str, list[Text]] = {}
    asked_if: AskedIf | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Question:
        foreign = self.model_fields_set - OF_KIND[self.kind] - ALWAYS
        if foreign:
            raise ValueError(f"a question of kind {self.kind} has no {', '.join(sorted(foreign))}")
        if (self.column is None) == (not self.columns):
            raise ValueError("say `column:`, or for multiple choice with a column per option `columns:`")
        if self.kind != "free_text" and not self.options:
            raise ValueError("its `options:` are missing")
        if self.kind == "multiple" and self.column and self.separator is None:
            raise ValueError("several answers in one column need their `separator:`")
        if self.columns and (self.separator or self.other or set(self.columns.values()) != set(self.options)):
            raise ValueError("`columns:` names each of the `options:`, and has no separator and no other")
        if self.kind == "scale" and not all(_is_number(key) for key in self.options):
            raise ValueError("the options of a scale are its points: numbers")
        labels = [option.label for option in self.choices.values()]
        if SAID in self.title or any(OR in label for label in labels):
            raise ValueError(f"a title does not hold {SAID!r}, a label does not hold {OR!r}")
        twice = [label for label in labels if labels.count(label) > 1 or label in LINES]
        if twice:
            raise ValueError(f"two lines would be called {twice[0]!r}")
        return self

    @property
    def choices(self) -> dict[str, _Option]:
        """What is counted of the question: key → option; the themes of a free text, and those that name none."""
        if self.kind == "free_text":
            named = {theme: _Option(label=theme) for theme in self.themes}
            return named | ({NO_THEME: _Option(label="none of these themes")} if named else {})
        return self.options | ({OTHER: _Option(label=self.other)} if self.other else {})

    @property
    def exclusive(self) -> bool:
        """Whether a respondent gives one answer at most."""
        return self.kind in ("single", "scale")


class Responses(Closed):
    """The file of the answers, one row per respondent."""

    file: str
    sheet: str | None = None
    header_row: int = Field(default=1, ge=1)
    encoding: str = "utf-8"
    delimiter: str | None = None


class Printed(Closed):
    """Percentages as somebody printed them, and the number of respondents that they are said to be of."""

    title: str
    of: int = Field(ge=1)
    percentages: dict[str, Text] = Field(min_length=1)
    exclusive: bool = False

    @model_validator(mode="after")
    def _are_percentages(self) -> Printed:
        wrong = [
            text
            for text in self.percentages.values()
            if not re.fullmatch(r"\d+(?:\.\d+)?", text) or float(text) > 100
        ]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no percentage: write 34.8, without a sign")
        return self


class Survey(Closed):
    """A survey: its file of responses, its questions in the order of the tables, and what was printed of it."""

    name: str
    title: str
    synthetic: bool = False
    responses: Responses | None = None
    respondent: str | None = None
    missing: list[Text] = []
    questions: dict[str, Question] = {}
    subgroups: list[str] = []
    ignore: list[str] = []
    printed: list[Printed] = []

    @model_validator(mode="after")
    def _hangs_together(self) -> Survey:
        if (self.responses is None) == bool(self.questions) or not (self.questions or self.printed):
            raise ValueError("say `responses:` and `questions:`, or `printed:` alone")
        for problem in (*self._of_names(), *self._of_conditions(), *self._of_subgroups()):
            raise ValueError(problem)
        return self

    def _of_names(self) -> Iterator[str]:
        named = {
            "`title:`": [question.title for question in self.questions.values()],
            "column": self.columns(),
            "definition under `favours:`": list(self.favours()),
            "title under `printed:`": [printed.title for printed in self.printed],
        }
        for what, names in named.items():
            yield from (f"{what} {name!r} stands there twice" for name in names if names.count(name) > 1)

    def _of_conditions(self) -> Iterator[str]:
        before: dict[str, Question] = {}
        for name, question in self.questions.items():
            asked_if = question.asked_if
            if asked_if is not None:
                parent = before.get(asked_if.question)
                if parent is None or parent.kind == "free_text":
                    yield (
                        f"question {name!r} hangs on {asked_if.question!r}, which is no earlier question with options"
                        f"{nearest(asked_if.question, before)}"
                    )
                    return
                for key in asked_if.chosen:
                    if key not in parent.choices:
                        yield (
                            f"question {name!r} hangs on the answer {key!r}, which {asked_if.question!r} does not have"
                            f"{nearest(key, parent.choices)}"
                        )
            before[name] = question

    def _of_subgroups(self) -> Iterator[str]:
        singles = [name for name, question in self.questions.items() if question.kind == "single"]
        for name in self.subgroups:
            if name not in singles:
                yield f"subgroup {name!r} is no question of kind single{nearest(name, singles)}"

    def columns(self) -> list[str]:
        """Returns every column of the file that the codebook reads, in its order."""
        own = [
            column
            for question in self.questions.values()
            for column in ([question.column] if question.column else question.columns)
        ]
        return [*([self.respondent] if self.respondent else []), *own]

    def favours(self) -> list[str]:
        """Returns the definitions that an answer favours, in the order of the codebook."""
        return [
            option.favours
            for question in self.questions.values()
            for option in question.options.values()
            if option.favours
        ]


def load_survey(name: str) -> Survey:
    """Returns the survey of that name (config/surveys/) or path; StudyError names the file, the key, the nearest choice."""
    path = find("surveys", name)
    survey = parse(Survey, load_yaml(path), path, name=path.stem)
    for definition in survey.favours():
        try:
            find("definitions", definition)
        except StudyError as problem:
            raise StudyError(f"{path}: key 'favours': {problem}") from None
    if survey.responses and not Path(survey.responses.file).is_file():
        raise StudyError(f"{path}: key 'responses.file': {survey.responses.file}: no such file.")
    return survey


def survey_files(name: str | None) -> tuple[list[str], list[str]]:
    """Returns the codebook, and the file of the responses, as lists that are empty where a study has none; StudyError as
    `load_survey`."""
    if name is None:
        return [], []
    survey = load_survey(name)
    return [find("surveys", name).as_posix()], [survey.responses.file] if survey.responses else []


def _is_number(key: str) -> bool:
    return re.fullmatch(r"-?\d+(?:\.\d+)?", key) is not None
