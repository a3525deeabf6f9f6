"""NHS, CHI and Health and Care numbers: ten digits, the last a check digit (clinical reference 7.3)."""

from __future__ import annotations

import re

import polars as pl

from d2tra.extract.signs import Column, Sign, extracted, n_cells, plain

NHS, CHI, HEALTH_AND_CARE, MAYBE = "NHS number", "CHI number", "H&C number", "possible NHS number"
MIN_CELLS = 5  # from here half of a column's ten-digit cells must pass, below it all of them
REPEATED = "^(?:" + "|".join(f"{digit}{{10}}" for digit in range(10)) + ")$"
WRITTEN = r"\b[0-9]{3}[ -]{1,3}[0-9]{3}[ -]{1,3}[0-9]{4}\b"
AFTER_NHS = r"(?i)\bnhs[^0-9]{0,20}([0-9]{3}[ -]{0,3}[0-9]{3}[ -]{0,3}[0-9]{4})\b"
TEN_DIGITS = rf"^(?:[0-9]{{10}}(?:\.0)?|{WRITTEN}|[0-9]{{6}}[ -][0-9]{{4}})$"
DAY_MONTH = r"^(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])"
NINE_DIGITS = r"[0-9](?:[ .\p{Z}\p{Pd}]{0,3}[0-9]){8}"
NUMBER_WORDS = {"number", "no", "num", "nr", "id", "identifier"}
PSEUDONYM_WORDS = {
    "pseudo",
    "pseudonym",
    "pseudonymised",
    "hash",
    "hashed",
    "encrypted",
    "anon",
    "anonymised",
}


def passes_modulus_11(digits: pl.Expr) -> pl.Expr:
    """Returns whether ten digits have a right check digit (weighted 10 to 1 they add up to a multiple of 11).

    Ten equal digits add up as well, but are placeholders: no.
    """
    total = pl.sum_horizontal(digits.str.slice(i, 1).cast(pl.Int32) * (10 - i) for i in range(10))
    return (total % 11 == 0) & ~digits.str.contains(REPEATED)


def is_snomed_identifier(digits: str) -> bool:
    """Returns whether digits are a SNOMED CT concept or description: partition 00 or 01, and Verhoeff's check digit.

    Those of a national extension (partition 10 or 11) hold a namespace of 7 digits and so have 11 digits or more.
    """
    if not re.fullmatch(r"[1-9][0-9]{2,14}0[01][0-9]|[1-9][0-9]{7,14}1[01][0-9]", digits):
        return False
    state = 0
    for place, digit in enumerate(reversed(digits)):
        permuted = int(digit)
        for _ in range(place % 8):
            permuted = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[permuted]
        state = _dihedral(state, permuted)
    return state == 0


def health_numbers(column: Column, text: pl.DataFrame) -> list[Sign]:
    """Returns the column's health numbers; `text` holds its long cells.

    Ten digits are decided on the column (random ones pass one time in eleven); a valid number written 3-3-4, or after
    the letters NHS, is one wherever it stands, unless the whole column is written 3-3-4. Others that pass are a warning.
    """
    digits = pl.col("value").str.contains(NINE_DIGITS)
    if not column.values.select(digits.any()).item():
        return []
    numeric = _numeric(column)
    ten = _checked(numeric.filter(pl.col("match").str.contains(TEN_DIGITS)), column)
    nine = numeric.filter(
        pl.col("match").str.contains(r"^[0-9]{9}$")
    )  # a CHI number whose zero a spreadsheet ate
    nine = _checked(nine.with_columns(match="0" + pl.col("match")), column)
    nine = nine.with_columns(passes=pl.col("passes") & pl.col("digits").str.contains(DAY_MONTH))
    found = [_checked(extracted(text, AFTER_NHS, group=1), column)]
    n_written = n_cells(ten.filter(pl.col("match").str.contains(WRITTEN)))
    if n_written < MIN_CELLS or 2 * n_written <= column.n_filled:
        found.append(_checked(extracted(text, WRITTEN), column))
    if _says_health_number(column.words):
        found += [cells.with_columns(passes=pl.lit(True)) for cells in (ten, nine)]
    if _mostly_pass(ten):
        found += [ten, nine]
    if n_cells(nine) >= MIN_CELLS and _mostly_pass(nine):
        found.append(nine)
    hits = _passing(found)
    if hits.height:
        return [Sign(_kind_of(hits), n_cells(hits))]
    inside = _checked(extracted(text, r"\b[0-9]{10}\b"), column)
    return [] if column.is_id else [Sign(MAYBE, n_cells(_passing([ten, inside])), stops=False)]


def ten_digit_cells(column: Column) -> tuple[int, int]:
    """Returns how many cells are ten digits, and how many of them pass the check of an NHS number."""
    if not column.values.select(pl.col("value").str.contains(NINE_DIGITS).any()).item():
        return 0, 0
    numeric = _numeric(column)
    ten = _checked(numeric.filter(pl.col("match").str.contains(TEN_DIGITS)), column)
    return n_cells(ten), n_cells(ten.filter("passes"))


def _numeric(column: Column) -> pl.DataFrame:
    numeric = column.values.filter(pl.col("value").str.contains(r"^[0-9][0-9 .\p{Z}\p{Pd}]{8,20}$"))
    return numeric.with_columns(match=plain(pl.col("value")))


def _checked(cells: pl.DataFrame, column: Column) -> pl.DataFrame:
    """Adds `digits` and `passes`; placeholders and, in columns of codes, SNOMED identifiers are left out."""
    digits = pl.col("match").str.strip_suffix(".0").str.replace_all("[^0-9]", "")
    if cells.is_empty():
        return cells.with_columns(digits=pl.lit(""), passes=pl.lit(False))
    cells = cells.with_columns(digits=digits)
    is_candidate = ~pl.col("digits").str.contains(REPEATED)
    if "code" in column.roles or {"code", "codes", "snomed", "concept"} & set(column.words):
        codes = [each for each in cells["digits"].unique() if is_snomed_identifier(each.lstrip("0"))]
        is_candidate &= ~pl.col("digits").is_in(codes)
    passes = passes_modulus_11(pl.col("digits"))
    return cells.lazy().filter(is_candidate).with_columns(passes=passes).collect()


def _passing(found: list[pl.DataFrame]) -> pl.DataFrame:
    cells = pl.concat([each.filter("passes").select("cell", "count", "digits") for each in found])
    return cells.unique("cell", keep="first", maintain_order=True)


def _mostly_pass(cells: pl.DataFrame) -> bool:
    total, passing = n_cells(cells), n_cells(cells.filter("passes"))
    return total > 0 and (2 * passing >= total if total >= MIN_CELLS else passing == total)


def _says_health_number(words: list[str]) -> bool:
    joined, words_said = "".join(words), set(words)
    if words_said & (PSEUDONYM_WORDS | {"trust"}):
        return False
    return (
        joined in {"nhs", "chi", "hcn", "healthandcarenumber"}
        or re.fullmatch(r"(?:nhs|chi|hc|hsc|handc)(?:number|num|no|nr|id)", joined) is not None
        or bool(words_said & {"nhs", "chi"} and words_said & NUMBER_WORDS)
    )


def _kind_of(hits: pl.DataFrame) -> str:
    """Which of the three most hits are, by their range: CHI begins with a day and month, H&C with 32 to 39."""
    for kind, pattern in ((CHI, DAY_MONTH), (HEALTH_AND_CARE, "^3[2-9]")):
        if 2 * n_cells(hits.filter(pl.col("digits").str.contains(pattern))) > n_cells(hits):
            return kind
    return NHS


def _dihedral(a: int, b: int) -> int:
    """The product of two symmetries of a regular pentagon, on which Verhoeff's check digit rests."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5
