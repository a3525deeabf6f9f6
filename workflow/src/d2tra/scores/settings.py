"""What `config/scores.yaml` declares about the scores, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from d2tra.config import Closed, parse, setting
from d2tra.scores.bands import Edge, Limit


class Scheme(Closed):
    """Bands in ascending order; all but the last end at a number (`below` or `up_to`)."""

    bands: list[Edge] = Field(min_length=2)
    source: str

    @field_validator("bands")
    @classmethod
    def _ascend(cls, bands: list[Edge]) -> list[Edge]:
        ends = [edge.below if edge.below is not None else edge.up_to for edge in bands]
        numbers = [end for end in ends[:-1] if end is not None]
        if len(numbers) < len(bands) - 1 or bands[-1] != Edge(band=bands[-1].band):
            raise ValueError("every band but the last ends with `below` or `up_to`; the last has no edge")
        if numbers != sorted(set(numbers)):
            raise ValueError("the bands do not ascend")
        return bands

    def cut_offs(self) -> list[float]:
        """Returns the numbers at which the bands end, ascending."""
        return [end for edge in self.bands for end in (edge.below, edge.up_to) if end is not None]


class Score(Closed):
    """One score: a formula, or items of which so many are needed."""

    title: str
    unit: str
    range: str
    source: str
    formula: str | None = None
    bands: str | None = None
    items: list[dict[str, Limit]] | None = None
    needed: int | None = None
    disease: Literal["RA", "PsA"] | None = None

    @model_validator(mode="after")
    def _be_a_formula_or_items(self) -> Score:
        if (self.formula is None) == (self.items is None) or (self.items is None) != (self.needed is None):
            raise ValueError("a score has a `formula`, or `items` and how many are `needed`")
        return self


class Response(Closed):
    """EULAR response: the levels of the later DAS28 and the improvements that count."""

    levels: str
    large: Limit
    some: Limit
    source: str


class IndexResponse(Closed):
    """By how many percent an index must fall."""

    minor: Limit
    moderate: Limit
    major: Limit
    source: str


class ScoreSettings(Closed):
    """The whole of `config/scores.yaml`."""

    lab_window_days: int = Field(ge=0)
    esr_floor_mm_h: float = Field(gt=0)
    near_cutoff_below: float
    subjective_crp_up_to: float
    schemes: dict[str, Scheme]
    scores: dict[str, Score]
    eular_response: Response
    index_responses: dict[str, IndexResponse]

    @model_validator(mode="after")
    def _name_known_schemes(self) -> ScoreSettings:
        named = {score.bands for score in self.scores.values()} | {self.eular_response.levels}
        if unknown := named - {None} - set(self.schemes):
            raise ValueError(f"no scheme of that name: {', '.join(sorted(map(str, unknown)))}")
        return self

    def bands_of(self, score: str) -> list[Edge]:
        """Returns the bands of a score, none where it has no bands (yes-or-no scores)."""
        scheme = self.scores[score].bands
        return self.schemes[scheme].bands if scheme else []


def load_score_settings(changes: Mapping[str, Any] | None = None) -> ScoreSettings:
    """Returns `config/scores.yaml` with the top-level keys of `changes` put in; StudyError names a faulty key."""
    return parse(ScoreSettings, {**setting("scores"), **(changes or {})}, "config/scores.yaml")
