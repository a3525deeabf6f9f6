"""What a concept or source value of the OMOP CDM stands for: `config/codelists/omop.csv`, and the database's own vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from d2tra.config import codelist
from d2tra.errors import StudyError

DOMAINS = ("sex", "ethnicity", "recorded", "word", "unit", "operator", "drug", "stop_reason")
COLUMNS = ("domain", "concept_id", "vocabulary", "code", "stands_for", "unit")


@dataclass(frozen=True)
class Codes:
    """The code list, and what the CDM's own table `concept` says of the concepts in use (it may be empty).

    `concepts`: concept_id, concept_name, vocabulary_id, concept_code (all text).
    """

    concepts: pl.DataFrame

    @cached_property
    def listed(self) -> pl.DataFrame:
        """The lines of the code list, as text; StudyError for a domain or a column that is not known."""
        path = codelist("omop")
        lines = pl.read_csv(path, infer_schema=False)
        missing = [name for name in COLUMNS if name not in lines.columns]
        unknown = (
            [domain for domain in lines["domain"].unique() if domain not in DOMAINS] if not missing else []
        )
        if missing or unknown:
            said = f"column {missing[0]!r} is missing" if missing else f"domain {unknown[0]!r} is unknown"
            raise StudyError(f"{path}: {said}. Its domains: {', '.join(DOMAINS)}.")
        return lines.with_columns(pl.col("code").str.to_lowercase(), pl.col("stands_for").fill_null(""))

    def by_id(self, domain: str) -> dict[str, str]:
        """Returns concept_id → what it stands for: the ids of the list, and those whose vocabulary and code are listed."""
        lines = self.listed.filter(domain=domain)
        coded = self.concepts.with_columns(code=pl.col("concept_code").str.to_lowercase()).join(
            lines.select("vocabulary", "code", "stands_for"),
            left_on=["vocabulary_id", "code"],
            right_on=["vocabulary", "code"],
        )
        stated = lines.drop_nulls("concept_id")
        return dict(coded.select("concept_id", "stands_for").rows()) | dict(
            stated.select("concept_id", "stands_for").rows()
        )

    def by_code(self, domain: str) -> dict[str, str]:
        """Returns source value in small letters → what it stands for: codes of any vocabulary, and plain words."""
        return dict(self.listed.filter(domain=domain).drop_nulls("code").select("code", "stands_for").rows())

    def meaning(self, domain: str, *concepts: str, source: str | None = None) -> pl.Expr:
        """Returns what a row stands for (String, null: nothing listed): the first of its concept columns that is listed,
        else its source value."""
        ids, codes = self.by_id(domain), self.by_code(domain)
        found = [_looked_up(pl.col(name), ids) for name in concepts]
        if source:
            found.append(_looked_up(pl.col(source).str.strip_chars().str.to_lowercase(), codes))
        return pl.coalesce(found)

    def name_of(self, concept: str) -> pl.Expr:
        """Returns the concept's name as the vocabulary of the CDM has it; null where it has none."""
        return self._told(concept, "concept_name")

    def vocabulary_of(self, concept: str) -> pl.Expr:
        """Returns the concept's vocabulary; null where it is not in the CDM's own list."""
        return self._told(concept, "vocabulary_id")

    def code_of(self, concept: str) -> pl.Expr:
        """Returns the concept's code in its vocabulary; null where it is not in the CDM's own list."""
        return self._told(concept, "concept_code")

    def default_unit(self, meaning: str) -> pl.Expr:
        """Returns the unit of a value that carries none, by what the row stands for (column `meaning`)."""
        lines = self.listed.filter(domain="recorded").drop_nulls("unit")
        return _looked_up(pl.col(meaning), dict(lines.select("stands_for", "unit").rows()))

    def _told(self, concept: str, column: str) -> pl.Expr:
        known = self.concepts.filter(pl.col("concept_id") != "0").drop_nulls(["concept_id", column])
        return _looked_up(pl.col(concept), dict(known.select("concept_id", column).rows()))


def _looked_up(key: pl.Expr, known: dict[str, str]) -> pl.Expr:
    if not known:
        return pl.lit(None, dtype=pl.String)
    return key.replace_strict(known, default=None, return_dtype=pl.String)
