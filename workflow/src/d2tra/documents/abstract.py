"""abstract.md: a draft in the form that a conference asks for, each number from a released cell; and how long it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from pydantic import Field, model_validator

from d2tra.config import Closed, parse, setting, setting_path
from d2tra.documents.layout import templates
from d2tra.errors import StudyError, nearest
from d2tra.tables import Table
from d2tra.tables.cells import Cell, format_cell

TO_WRITE = "[to be written by the authors]"
ADJUSTED = "Multivariable"  # how the headings of such models begin
DESCRIBED = ("Seropositive (RF and anti-CCP)", "Obese (BMI 30 or above)", "Fibromyalgia")


class AtMost(Closed):
    words: int | None = Field(default=None, gt=0)
    characters: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one(self) -> AtMost:
        if (self.words is None) == (self.characters is None):
            raise ValueError("say either words or characters")
        return self


class Conference(Closed):
    """One profile of config/conferences.yaml; `checked`: when it was last compared with the call for abstracts."""

    name: str
    title: str
    at_most: AtMost
    a_table_counts: int = Field(ge=0)
    headings: list[str] = Field(min_length=1)
    checked: str
    source: str

    def length(self, text: str) -> tuple[int, int, str]:
        """Returns how long a text is, how long it may be, and in what: words or characters (spaces counted).

        Markdown's signs, the title and the banners do not count; a Markdown table counts as the profile says.
        """
        lines = [line for line in text.splitlines() if not line.startswith(("# ", "**", "<!--"))]
        is_row = [line.startswith("|") for line in lines]
        n_tables = sum(row and not above for row, above in zip(is_row, [False, *is_row], strict=False))
        prose = [line.removeprefix("## ") for line, row in zip(lines, is_row, strict=True) if not row]
        if self.at_most.words is not None:
            n_words = sum(len(line.split()) for line in prose)
            return n_words + n_tables * self.a_table_counts, self.at_most.words, "words"
        joined = re.sub(r"\n{2,}", "\n", "\n".join(prose).strip())
        return len(joined), self.at_most.characters or 0, "characters"

    def lint(self, text: str) -> list[str]:
        """Returns what the conference would send the abstract back for, in words."""
        n, at_most, unit = self.length(text)
        found = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
        missing = [heading for heading in self.headings if heading not in found]
        return [
            *([f"{n} {unit}: at most {at_most} are allowed"] if n > at_most else []),
            *(f"the heading «{heading}» is missing" for heading in missing),
            *([f"{text.count(TO_WRITE)} places are still to be written"] if TO_WRITE in text else []),
        ]


def load_conference(name: str) -> Conference:
    """Returns a profile of config/conferences.yaml; StudyError names the nearest known one."""
    conferences = setting("conferences")["conferences"]
    if name not in conferences:
        known = ", ".join(conferences)
        raise StudyError(
            f"{setting_path('conferences')}: no conference {name!r}{nearest(name, conferences)} Known: {known}."
        )
    return parse(
        Conference, conferences[name], f"{setting_path('conferences')}: conferences.{name}", name=name
    )


def abstract_text(contents: Mapping[str, Any], tables: Sequence[Table], conference: Conference) -> str:
    """Returns abstract.md: what the program knows in sentences, the rest left to the authors; its length as a comment."""
    said = {heading: [TO_WRITE] for heading in conference.headings}
    said["Methods"] = [f"{contents['where']}.", "Unknown was never counted as no; 95 % intervals throughout."]
    said["Results"] = [contents["summary"][0], *_results({table.name: table for table in tables})]
    template = templates(escape=False).get_template("abstract.md.j2")  # Markdown
    text = template.render(
        title=contents["title"], banners=contents["banners"], headings=conference.headings, said=said
    )
    n, at_most, unit = conference.length(text)
    note = f"<!-- {conference.title}: {n} of {at_most} {unit} (rules checked {conference.checked}) -->"
    return f"{note}\n{text}"


def _results(tables: Mapping[str, Table]) -> list[str]:
    """Who the patients are, and what goes with being difficult to treat: of the tables that are there."""
    sentences = []
    if "d2t_characteristics" in tables:
        shares = _rows(tables["d2t_characteristics"].cells, "Met")
        named = [f"{row}: {format_cell(shares[row])}" for row in DESCRIBED if row in shares]
        sentences += [f"Among those who met it, {'; '.join(named)}."] if named else []
    if "odds_ratios" in tables:
        estimates = tables["odds_ratios"].cells.filter(pl.col("kind") == "estimate")
        adjusted = estimates.filter(pl.col("column").str.starts_with(ADJUSTED))["column"].unique(
            maintain_order=True
        )
        for column in adjusted[
            :1
        ]:  # the study's first such model; the word "exploratory" is part of its heading
            named = [f"{row} {format_cell(cell)}" for row, cell in _rows(estimates, column).items()]
            sentences.append(f"{column} odds ratios: {'; '.join(named)}.")
    return sentences


def _rows(cells: pl.DataFrame, column: str) -> dict[str, Cell]:
    """Row → its first cell in that column."""
    found = cells.filter((pl.col("column") == column) & (pl.col("kind") != "text"))
    return {cell["row"]: cell for cell in found.unique("row", keep="first", maintain_order=True).to_dicts()}
