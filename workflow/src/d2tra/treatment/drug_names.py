"""Which molecule is meant by what a hospital wrote? Never a guess: what is not listed is set aside."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import nlargest

import polars as pl

from d2tra.codelists import dmards, drug_words

ALIKE = 0.7  # least likeness (0–1) of a spelling that is suggested; choice
N_COMPARED = 8  # spellings that share most pairs of letters are compared in full
SHORT = 3  # an abbreviation of at most three letters is no name inside a longer text (clinical reference 6, row 35)
NUMBER = r"\d+(?:[.,]\d+)*"
UNIT = r"(?:micrograms?|mcg|µg|μg|ug|mg|g|grams?|units?|iu|mls?|%|x|hours?|hrs?|h|days?|wks?|weeks?|months?|mins?)"
DOSE_NUMBER = rf"(?:days?|d|weeks?|wk|cycles?|courses?|doses?|infusions?|x)\s*{NUMBER}(?:\s*(?:and|,|&|\+|-|/)\s*{NUMBER})*"
STRENGTH = (
    rf"(?:every |per )?{NUMBER}\s*(?:-\s*{NUMBER}\s*)?{UNIT}?"
    rf"(?:\s*(?:/|per|in|-)\s*(?:{NUMBER}\s*)?{UNIT}|/kg|/m2)*"
)
AMOUNT = re.compile(rf"(?<![\w-])(?:{DOSE_NUMBER}|{STRENGTH})(?![\w-])")
BRACKETED = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
SEPARATOR = re.compile(r"\s*[/+&,;|]\s*|\s+(?:and|with|plus|then|or)\s+")
BIOSIMILAR_SUFFIX = re.compile(r"(?:(?<=mab)|(?<=cept))-[a-z]{4}\b")
TRADE_MARK = re.compile("[®™©]")
EDGES = " \t.,;:/+&-–*_()[]{}"
Reading = tuple[str | None, str | None, str | None]  # molecule, problem, suggestion


def recognise_drugs(
    names: Sequence[str | None] | pl.Series, atc_codes: Sequence[str | None] | pl.Series | None = None
) -> pl.DataFrame:
    """Returns one row per name, in the same order, with the molecule that it means.

    name (as given) · molecule, kind, mechanism, suppresses_crp: null where the drug is not recognised (mechanism also
    for csDMARDs and glucocorticoids) · suggestion: nearest known spelling of an unknown name, null where none is alike ·
    problem: null, `unknown`, `two_molecules` (in one text), `look_alike` (a drug that only looks like a DMARD, whatever
    its code) or `atc_disagrees` (text and code are two molecules). A known text without a known code is enough; a known
    code decides where the text is unknown. Source: `config/codelists/dmards.csv`, specification of the labels 2.1.
    """
    text = pl.Series("name", names, dtype=pl.String)
    codes = pl.Series("atc_code", [None] * len(text) if atc_codes is None else atc_codes, dtype=pl.String)
    spellings = Spellings.listed()
    distinct = text.unique(maintain_order=True)
    schema = {"by_text": pl.String, "problem": pl.String, "suggestion": pl.String}
    read = pl.DataFrame(
        [spellings.read(name) for name in distinct], schema=schema, orient="row"
    ).with_columns(distinct)
    listed = dmards()
    by_code = (
        listed.select(pl.col("atc_codes").alias("code"), by_code="molecule").explode("code").drop_nulls()
    )
    both = (
        pl.DataFrame([text, codes])
        .join(read, on="name", how="left", nulls_equal=True, maintain_order="left")
        .with_columns(code=pl.col("atc_code").str.strip_chars().str.to_uppercase())
        .join(by_code, on="code", how="left", maintain_order="left")
    )
    disagree = pl.col("by_text") != pl.col("by_code")
    decided_by_code = (pl.col("problem") == "unknown") & pl.col("by_code").is_not_null()
    problem = (
        pl.when(disagree)
        .then(pl.lit("atc_disagrees"))
        .when(~decided_by_code.fill_null(False))
        .then("problem")
    )
    molecule = pl.when(pl.col("decided").is_null()).then(pl.coalesce("by_text", "by_code"))
    return (
        both.with_columns(decided=problem)
        .with_columns(
            molecule=molecule, suggestion=pl.when(pl.col("decided") == "unknown").then("suggestion")
        )
        .join(listed, on="molecule", how="left", maintain_order="left")
        .select("name", "molecule", "kind", "mechanism", "suppresses_crp", "suggestion", problem="decided")
    )


def recognised(treatments: pl.DataFrame) -> pl.DataFrame:
    """Returns the rows in their order with molecule, kind, mechanism, suppresses_crp and prednisolone_factor.

    What the frame has of these stays; a missing molecule is recognised from `drug` and `atc_code` (null: not known),
    the rest looked up by the molecule.
    """
    if "molecule" not in treatments.columns:
        drugs = recognise_drugs(treatments["drug"], treatments.get_column("atc_code", default=None))
        treatments = treatments.with_columns(drugs["molecule"])
    known = ["kind", "mechanism", "suppresses_crp", "prednisolone_factor"]
    missing = [column for column in known if column not in treatments.columns]
    if not missing:
        return treatments
    return treatments.join(
        dmards().select("molecule", *missing), on="molecule", how="left", maintain_order="left"
    )


@dataclass(frozen=True)
class Spellings:
    """Every spelling that means a molecule, the names that must not be taken for one, and what may stand around them."""

    molecules: dict[str, str]
    shown_as: dict[str, str]
    look_alikes: frozenset[str]
    around: tuple[str, ...]

    @classmethod
    def listed(cls) -> Spellings:
        """The spellings of the code lists. A molecule is itself, also where another one's list warns of it."""
        drugs = dmards()
        spelled = drugs.select("molecule", "names", "spellings").explode("spellings")
        molecules = dict(zip(spelled["spellings"], spelled["molecule"], strict=True))
        shown_as = {
            each["spellings"]: each["spellings" if each["spellings"] in each["names"] else "molecule"]
            for each in spelled.to_dicts()
        }
        warned = drugs["look_alikes"].explode().drop_nulls()
        return cls(molecules, shown_as, frozenset(warned) - frozenset(molecules), tuple(drug_words()))

    def read(self, text: str | None) -> Reading:
        """Returns molecule, problem and suggestion of one text: as it stands, else without what surrounds a name."""
        name = _plain(text or "")
        if name in self.molecules:
            return self.molecules[name], None, None
        name = BIOSIMILAR_SUFFIX.sub("", name)
        mentioned = set(self._mentioned.findall(name))
        if mentioned & self.look_alikes:
            return None, "look_alike", None
        found = {self.molecules[spelling] for spelling in mentioned} | self._listed_together(name)
        if len(found) > 1:
            return None, "two_molecules", None
        outside = _without_brackets(name)
        parts = [outside] if self._bare(outside) else BRACKETED.findall(name)
        for part in parts:
            molecule = self._named(_tidy(part), found)
            if molecule:
                return molecule, None, None
        return None, "unknown", self._nearest(mentioned, self._bare(outside))

    def _named(self, part: str, found: set[str]) -> str | None:
        """The molecule that nothing but names, strengths, routes, forms and frequencies speak of."""
        without_strength, bare = _tidy(AMOUNT.sub(" ", part)), self._bare(part)
        for left in (part, without_strength):
            if left in self.molecules:
                return self.molecules[left]
        words = self._around.findall(without_strength)
        told_by_route = {
            self.molecules.get(pair) for word in words for pair in (f"{word} {bare}", f"{bare} {word}")
        } - {None}
        if (
            len(told_by_route) == 1
        ):  # oral gold is another molecule than gold, in whatever order it is written
            return told_by_route.pop()
        if bare in self.molecules:
            return self.molecules[bare]
        return min(found) if found and not _tidy(self._mentioned.sub(" ", bare)) else None

    def _bare(self, part: str) -> str:
        return _tidy(self._around.sub(" ", AMOUNT.sub(" ", part)))

    def _listed_together(self, name: str) -> set[str]:
        """The molecules of `MTX/SSZ`, `etanercept + MTX`: several parts that are all known, else none."""
        parts = SEPARATOR.split(self._bare(_without_brackets(name)))
        molecules = {self.molecules.get(self._bare(part)) for part in parts}
        return (
            set()
            if len(parts) == 1
            else {molecule for molecule in molecules if molecule and None not in molecules}
        )

    def _nearest(self, mentioned: set[str], bare: str) -> str | None:
        """Returns the known name most like an unknown text, or like one of its words; null where none is alike."""
        if mentioned:
            return self.shown_as[min(mentioned)]
        words = [bare, *(word for word in re.findall(r"[^\W\d_][\w-]*", bare) if len(word) > SHORT)]
        likeness, _, spelling = max(
            (self._alike(word)[0], -place, self._alike(word)[1]) for place, word in enumerate(words)
        )
        return self.shown_as[spelling] if likeness >= ALIKE else None

    def _alike(self, word: str) -> tuple[float, str]:
        """The likeness (0–1) of the known spelling most like a word, and that spelling; 0 where none shares a pair."""
        if word not in self._compared:
            shared = Counter(spelling for pair in _pairs(word) for spelling in self._with_pair.get(pair, ()))
            closest = nlargest(
                N_COMPARED, shared, key=lambda spelling: (shared[spelling] / len(spelling), spelling)
            )
            compared = (
                (difflib.SequenceMatcher(None, word, spelling, autojunk=False).ratio(), spelling)
                for spelling in closest
            )
            self._compared[word] = max(compared, default=(0.0, ""))
        return self._compared[word]

    @cached_property
    def _compared(self) -> dict[str, tuple[float, str]]:
        return {}

    @cached_property
    def _with_pair(self) -> dict[str, list[str]]:
        spellings = [spelling for spelling in self.molecules if len(spelling) > SHORT]
        return {
            pair: [spelling for spelling in spellings if pair in spelling]
            for pair in sorted({pair for spelling in spellings for pair in _pairs(spelling)})
        }

    @cached_property
    def _around(self) -> re.Pattern[str]:
        return _any_of(self.around)

    @cached_property
    def _mentioned(self) -> re.Pattern[str]:
        long_enough = [spelling for spelling in (*self.molecules, *self.look_alikes) if len(spelling) > SHORT]
        return _any_of(sorted(long_enough, key=lambda spelling: (-len(spelling), spelling)))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", TRADE_MARK.sub(" ", text)).casefold().split())


def _tidy(text: str) -> str:
    return " ".join(text.split()).strip(EDGES)


def _without_brackets(text: str) -> str:
    while BRACKETED.search(text):
        text = BRACKETED.sub(" ", text)
    return _tidy(text)


def _any_of(words: Sequence[str]) -> re.Pattern[str]:
    """Any of the words, standing by itself; the first that fits counts, so the longest come first."""
    return re.compile(r"(?<![\w-])(" + "|".join(map(re.escape, words)) + r")(?![\w-])\.?")


def _pairs(word: str) -> set[str]:
    return {word[i : i + 2] for i in range(len(word) - 1)}
