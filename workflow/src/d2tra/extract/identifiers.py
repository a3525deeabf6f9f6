"""How each kind of identifier reads in a column's header and cells (clinical reference 7.3; the screen's spec wins)."""

from __future__ import annotations

import re
from collections.abc import Callable

import polars as pl

from d2tra.extract.health_numbers import CHI, HEALTH_AND_CARE, MAYBE, NHS, health_numbers
from d2tra.extract.person_names import (
    GIVEN_NAMES,
    NAME_HEADERS,
    NO_NAMES,
    PERSON_WORDS,
    STAFF_WORDS,
    THING_WORDS,
)
from d2tra.extract.signs import Column, Sign, extracted, long_cells, n_cells, unified

POSTCODE, EMAIL, PHONE, BIRTH, NAME = "postcode", "e-mail address", "phone number", "date of birth", "name"
HOSPITAL, ADDRESS, FREE_TEXT = "hospital number", "address", "free text"
DEATH, OUTWARD = "exact date of death", "outward postcode"
AGE, MAYBE_HOSPITAL = "age above 90", "possible hospital number"
KINDS = (
    NHS,
    CHI,
    HEALTH_AND_CARE,
    POSTCODE,
    OUTWARD,
    EMAIL,
    PHONE,
    BIRTH,
    DEATH,
    NAME,
    HOSPITAL,
    ADDRESS,
    FREE_TEXT,
    AGE,
)
PROSE_ROLES = frozenset({"drug", "term", "stop_reason"})  # need two postcodes, have no names, may be long
LONGEST_MEAN_LENGTH = 40  # characters; clinical reference 7.3
BIRTHS_END_BEFORE = 15  # years before the extract's last; clinical reference 7.3
MIN_BIRTHS = 5  # distinct days that make old dates a column of births
MIN_OUTWARD = 5  # cells from which half being outward postcodes is no chance
MIN_RECORDS = 5  # distinct cells that make one pattern of record numbers
OLDEST_AGE = 90  # years; who is older goes into one band (clinical reference 7.3)

# Royal Mail's 121 areas, Guernsey, Jersey and the Isle of Man.
AREAS = """
    AB AL B BA BB BD BH BL BN BR BS BT CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN EX FK FY
    G GL GU GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN NP NR
    NW OL OX PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB W WA
    WC WD WF WN WR WS WV YO ZE
"""
_ONE, _TWO = ("|".join(area for area in AREAS.split() if len(area) == length) for length in (1, 2))
OUTWARD_PART = rf"(?:(?:{_TWO})(?:[0-9][A-Z]|[1-9]?[0-9])|(?:{_ONE})(?:[1-9][A-Z]|[1-9][0-9]?))"
INWARD_PART = "[0-9][ABD-HJLNP-UW-Z]{2}"
FULL_POSTCODE = (
    rf"\b(?:{OUTWARD_PART} ?{INWARD_PART}|(?i:{OUTWARD_PART} {INWARD_PART})"
    rf"|{OUTWARD_PART.lower()}{INWARD_PART.lower()})\b"
)
ORDINALS = r"(?i)(?:1ST|2ND|3RD|[0-9]TH)$"
EMAIL_ADDRESS = r"[\p{L}0-9._%+'-]+@[\p{L}0-9-]+(?:\.[\p{L}0-9-]+)*\.\p{L}{2,}"
ABROAD = r"(?:\+|\b00) ?44[ .-]{0,2}(?:\(0\))?[ .-]{0,2}\(?[1-9](?:[ .()-]{0,2}[0-9]){8,9}\b"
AT_HOME = r"(?:^|[^\w.-])\(?0[1-35789][0-9](?:[ .()-]{0,2}[0-9]){8}\b"
UNBROKEN = r"\b0[0-9]{10}\b"
PHONE_WORDS = {
    "phone", "phones", "telephone", "telephones", "tel", "mobile", "landline", "fax", "telno", "phoneno",
}  # fmt: skip
MONTH_NAME = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
# Year first, year last, or a month's name; two-digit years up to 30 are of this century.
DATES = (
    r"^((?:18|19|20)[0-9]{2})[-/.](?:0?[1-9]|1[0-2])[-/.](?:[12][0-9]|3[01]|0?[1-9])(?:[ T].*)?$",
    r"^((?:18|19|20)[0-9]{2})(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])$",
    rf"^[0-9]{{1,2}}(?:st|nd|rd|th)?[-/. ]{{1,2}}(?:[0-9]{{1,2}}|{MONTH_NAME})[-/., ]{{1,2}}((?:18|19|20)[0-9]{{2}})(?: .*)?$",
    rf"^{MONTH_NAME} [0-9]{{1,2}},? ((?:18|19|20)[0-9]{{2}})$",
)
SHORT_YEAR = rf"^[0-9]{{1,2}}[-/. ](?:[0-9]{{1,2}}|{MONTH_NAME})[-/. ]([0-9]{{2}})$"
PIVOT_YEAR = 30
YEAR_OR_MONTH = rf"^(?:[0-9]{{4}}(?:\.0)?|[0-9]{{4}}[-/][0-9]{{1,2}}|[0-9]{{1,2}}[-/][0-9]{{4}}|{MONTH_NAME}[ -][0-9]{{4}})$"
BIRTH_IN_TEXT = r"(?i)\b(?:dob|d\.o\.b\.?|date of birth|born)\b[^0-9]{0,10}[0-9]{1,4}[-/. ](?:[0-9]{1,2}|[a-z]{3,9})[-/. ][0-9]{2,4}\b"
_WORD = r"(?:\p{Lu}['’])?\p{Lu}\p{Ll}+(?:\p{Lu}\p{Ll}+)?(?:[-'’]\p{Lu}?\p{Ll}+)*"
_TITLE = r"(?:Dr|Mr|Mrs|Ms|Miss|Prof|Professor|Sir|Sister)\.?"
PERSON = (
    rf"^(?:(?:{_TITLE} )?{_WORD} (?:(?:{_WORD}|\p{{Lu}}\.?) )?{_WORD}|{_TITLE} (?:\p{{Lu}}\.? )?{_WORD}"
    rf"|\p{{Lu}}\. ?(?:\p{{Lu}}\. ?)?{_WORD}|(?:{_WORD}|\p{{Lu}}{{2,}}), ?(?:{_TITLE} )?{_WORD}(?: {_WORD})?"
    rf"|(?i:(?:{GIVEN_NAMES})[ ,]+[\p{{L}}'’-]{{2,}}|[\p{{L}}'’-]{{2,}}[ ,]+(?:{GIVEN_NAMES})))$"
)
HOSPITAL_NUMBER_HEADERS = {
    "mrn", "hospitalnumber", "hospitalno", "hospitalnum", "hospno", "hospnum", "hospnumber", "unitnumber", "unitno",
    "pasnumber", "pasno", "pasid", "districtnumber", "districtno", "casenote", "casenotenumber", "casenoteno",
    "medicalrecordnumber", "hospitalpatientnumber", "patientmrn", "mrnnumber", "mrnno",
}  # fmt: skip
STREET = (
    r"\b[0-9]{1,4}[A-Za-z]?,? (?:\p{Lu}[\p{L}'’]+ ){1,3}"
    r"(?:Street|Road|Avenue|Lane|Crescent|Terrace|Gardens|Grove|Drive|Close|Mews|Court|Square|Rd|Ave|St)\b"
)


def signs_in_column(column: Column, hospital_number: str | None = None) -> list[Sign]:
    """Returns the signs of every kind that the column's header and cells show, each kind once, stops before warnings.

    Old dates under a header that does not tell are no sign here: see `reads_as_births`.
    """
    if column.values.is_empty():
        return []
    text = long_cells(column.values)
    signs = [_hospital_numbers(column, hospital_number), *health_numbers(column, text)]
    may_show = pl.col("text").str
    looks = text.select(may_show.contains(pattern).any().alias(kind) for kind, pattern in FIRST_LOOK.items())
    for kind, sign_of in IN_CELLS.items():
        if looks[kind].item():
            signs.append(sign_of(column, text))
    if not column.is_title:
        signs += [_births(column), _names(column, text), _prose(column, text), _deaths(column)]
        signs += [_outward_postcodes(column), _record_numbers(column), _addresses(column)]
        signs += [_constant_numbers(column), _ages(column)]
    most: dict[str, Sign] = {}
    for sign in sorted(signs, key=lambda sign: (not sign.stops, -sign.cells)):
        if sign.cells:
            most.setdefault(sign.kind, sign)
    if POSTCODE in most:
        most.pop(OUTWARD, None)
    return list(most.values())


def exempt_kinds(column: Column, hospital_number: str | None = None) -> dict[str, str]:
    """Returns which kinds are not looked for in a column, or only in part, and why."""
    exempt = {} if hospital_number else {HOSPITAL: "by its header only: the mapping declares no pattern"}
    if column.is_title:
        whole = (BIRTH, NAME, FREE_TEXT, DEATH, OUTWARD, HOSPITAL, AGE)
        return exempt | dict.fromkeys(whole, "not as a column: these cells stand above the header")
    if column.is_id:
        exempt |= dict.fromkeys((PHONE, FREE_TEXT), "a declared column of pseudonyms")
    if column.is_pseudonym:
        exempt[HOSPITAL] = "a declared column of pseudonyms"
    if column.roles & PROSE_ROLES:
        exempt |= dict.fromkeys((NAME, FREE_TEXT), "a column of drugs, terms or reasons")
        exempt[POSTCODE] = "two distinct ones are needed in a column of drugs, terms or reasons"
    if column.may_hold_text:
        exempt |= dict.fromkeys((ADDRESS, FREE_TEXT), "allowed by `allow_text`")
    return exempt


def signs_in_name(name: str, hospital_number: str | None = None) -> list[Sign]:
    """Returns what a header, a sheet's or file's name or a document's property shows by itself; each stops."""
    words = " ".join(unified(name).replace("_", " ").split())
    may_show = re.search(r"@|[0-9][A-Za-z]{2}\b|[0-9],? [A-Z]|(?:[0-9][^0-9]*){6}", words) or hospital_number
    values = pl.DataFrame({"cell": [0], "value": [words], "count": [1]})
    signs = signs_in_column(Column("", values, is_title=True), hospital_number) if words and may_show else []
    # Ten digits inside a name may be a time; these ranges hold no time of this century.
    is_allocated = re.search(r"\b(?:[4-79][0-9]{9}|3[2-9][0-9]{8})\b", words) is not None
    signs = [Sign(NHS, 1) if sign.kind == MAYBE and is_allocated else sign for sign in signs]
    surname = r"(?:[^\W\d_]|['’-]){2,}"  # of any letters
    person = rf"(?i)(?:{GIVEN_NAMES})[ ,]+{surname}|{surname}, ?(?:{GIVEN_NAMES})"
    if re.fullmatch(person, words) and not re.search(rf"(?i)\b(?:{NO_NAMES})\b", words):
        signs.append(Sign(NAME, 1))
    return [sign for sign in signs if sign.stops]


def date_years(values: pl.DataFrame) -> pl.DataFrame:
    """Returns value, count, year of the values that are full dates, however written."""
    text = pl.col("value")
    dated = values.filter(text.str.contains(r"^[0-9].{3,}[0-9]|^[A-Za-z]{3,9} [0-9]"))
    full = pl.coalesce(text.str.extract(pattern, 1) for pattern in DATES).cast(pl.Int32)
    short = text.str.extract(SHORT_YEAR, 1).cast(pl.Int32)
    short = pl.when(short <= PIVOT_YEAR).then(2000 + short).otherwise(1900 + short)
    return dated.lazy().with_columns(year=pl.coalesce(full, short)).drop_nulls("year").collect()


def reads_as_births(n_filled: int, dates: pl.DataFrame, last_year: int) -> bool:
    """Returns whether a column is one of full dates of birth: nearly all its cells are dates of 1900 to 15 years
    before the extract's last year, on many distinct days, which are not all the first of a month or a year."""
    if n_cells(dates) < 0.8 * n_filled or dates.height < MIN_BIRTHS:
        return False
    old = dates.filter(pl.col("year").is_between(1900, last_year - BIRTHS_END_BEFORE))
    is_rounded = pl.col("value").str.contains(r"^[0-9]{4}[-/.]?[0-9]{2}[-/.]?(?:01|15)\b|^(?:0?1|15)[-/. ]")
    return n_cells(old) >= 0.95 * n_cells(dates) and n_cells(old.filter(~is_rounded)) >= 0.5 * n_cells(old)


def old_ages(birth_years: pl.DataFrame, last_year: int) -> int:
    """Returns how many cells are years of birth of people above 90 in the extract's last year."""
    year = pl.col("value").str.extract(r"^((?:18|19)[0-9]{2})(?:\.0)?$", 1).cast(pl.Int32)
    return n_cells(birth_years.filter(year < last_year - OLDEST_AGE))


def _ages(column: Column) -> Sign:
    if "age" not in column.words:
        return Sign(AGE, 0)
    years = pl.col("value").str.extract(r"^([0-9]{2,3})(?:\.[0-9]+)?$", 1).cast(pl.Int32)
    return Sign(AGE, column.n_where(years.is_between(OLDEST_AGE + 1, 130)), stops=False)


def _constant_numbers(column: Column) -> Sign:
    """A letter and six or seven digits in nearly every cell of a column that nobody declared."""
    if column.is_id or column.roles:
        return Sign(MAYBE_HOSPITAL, 0)
    built_so = column.values.filter(pl.col("value").str.contains(r"^[A-Za-z][0-9]{6,7}$"))
    is_pattern = built_so.height >= MIN_RECORDS and n_cells(built_so) >= 0.9 * column.n_filled
    return Sign(MAYBE_HOSPITAL, n_cells(built_so) if is_pattern else 0, stops=False)


def _postcodes(column: Column, text: pl.DataFrame) -> Sign:
    found = extracted(text, FULL_POSTCODE).filter(~pl.col("match").str.contains(ORDINALS))
    if column.is_id:  # a pseudonym of letters and digits may chance to look like one
        unspaced = found.filter(~pl.col("match").str.contains(" ")).unique("cell")
        if 2 * n_cells(unspaced) < column.n_filled:
            found = found.filter(pl.col("match").str.contains(" "))
    distinct = found["match"].str.to_uppercase().str.replace(" ", "").n_unique()
    needed = 2 if column.roles & PROSE_ROLES else 1
    return Sign(POSTCODE, n_cells(found.unique("cell")) if distinct >= needed else 0)


def _outward_postcodes(column: Column) -> Sign:
    """Outward parts alone where the header says postcode, or where a column that is not mapped consists of them."""
    joined = "".join(column.words)
    says_so = "postcode" in joined or "outcode" in joined
    if not says_so and (column.roles or "code" in joined):
        return Sign(OUTWARD, 0)
    count = column.n_where(pl.col("value").str.contains(rf"(?i)^{OUTWARD_PART}(?: [0-9])?$"))
    is_whole = 2 * count >= column.n_filled >= MIN_OUTWARD
    return Sign(OUTWARD, count if says_so or is_whole else 0, stops=False)


def _emails(_: Column, text: pl.DataFrame) -> Sign:
    return Sign(EMAIL, n_cells(text.filter(pl.col("text").str.contains(EMAIL_ADDRESS))))


def _births_in_text(_: Column, text: pl.DataFrame) -> Sign:
    return Sign(BIRTH, n_cells(text.filter(pl.col("text").str.contains(BIRTH_IN_TEXT))))


def _phones(column: Column, text: pl.DataFrame) -> Sign:
    if column.is_id:
        return Sign(PHONE, 0)
    if set(column.words) & PHONE_WORDS or "".join(column.words) in {"contactnumber", "contactno"}:
        n_digits = pl.col("text").str.replace_all("[^0-9]", "").str.len_chars()
        is_number = pl.col("text").str.contains(r"^[0-9 ()+./-]+$") & n_digits.is_between(9, 14)
        if under_header := n_cells(text.filter(is_number)):
            return Sign(PHONE, under_header)
    broken_up = pl.col("text").str.replace_all(r"[0-9]{11,}", "")
    unbroken = text.filter(pl.col("text").str.contains(UNBROKEN))
    written = text.filter(pl.col("text").str.contains(ABROAD) | broken_up.str.contains(AT_HOME))
    if 2 * n_cells(unbroken) >= column.n_filled and not column.is_title:
        written = pl.concat([written, unbroken]).unique("cell")
    return Sign(PHONE, n_cells(written))


def _births(column: Column) -> Sign:
    """What stands under a header of birth: any full date; under one of a date of birth all but years and months."""
    words, joined = set(column.words), "".join(column.words)
    if not (words & {"dob", "birth", "born", "birthday"} or joined == "dob" or "birth" in joined):
        return Sign(BIRTH, 0)
    of_date = (
        "dob" in words
        or joined == "dob"
        or bool(re.search("dateofbirth|birth(?:date|day|dt)|dayofbirth", joined))
    )
    is_coarse = pl.col("value").str.contains(YEAR_OR_MONTH) | ~pl.col("value").str.contains("[0-9]")
    says_coarse = bool(words & {"year", "yr", "month", "yyyy", "age"})
    if (of_date or joined in {"birth", "born"}) and not says_coarse:
        return Sign(BIRTH, column.n_where(~is_coarse))
    return Sign(BIRTH, n_cells(date_years(column.values)))


def _names(column: Column, text: pl.DataFrame) -> Sign:
    """A header of names, or more than half of the cells reading as two capitalised words that are no clinic's words."""
    words, joined = set(column.words), "".join(column.words)
    if column.roles & PROSE_ROLES:
        return Sign(NAME, 0)
    says_so = (
        joined in NAME_HEADERS
        or bool(
            words
            & {"surname", "forename", "forenames", "initial", "initials", "nok", "firstname", "lastname"}
        )
        or bool("name" in words and words & PERSON_WORDS and not words & THING_WORDS)
        or ("name" in words and all(len(word) <= 2 for word in words - {"name"}))  # a_name, name 2
        or "nextofkin" in joined
    )
    if says_so and not column.roles - {"patient_id"}:
        return Sign(NAME, column.n_filled)
    is_staff = bool(words & STAFF_WORDS) and not column.roles  # under `consultant` one word is a name
    if text.is_empty() or (words & THING_WORDS and not is_staff):
        return Sign(NAME, 0)
    reads_so = pl.col("text").str.contains(rf"{PERSON}|^{_WORD}$" if is_staff else PERSON)
    is_other = pl.col("text").str.contains(
        rf"(?i)\b(?:{NO_NAMES}|{'|'.join(sorted(STAFF_WORDS - {'dr'}))})\b"
    )
    people = n_cells(text.filter(reads_so).filter(~is_other))
    return Sign(NAME, people if 2 * people > column.n_filled else 0)


def _prose(column: Column, text: pl.DataFrame) -> Sign:
    """Cells of more than 40 characters in the mean; cells that are no `text` are shorter than 11."""
    if text.is_empty() or column.may_hold_text or column.is_id or column.roles & PROSE_ROLES:
        return Sign(FREE_TEXT, 0)
    length = (pl.col("value").str.len_chars().cast(pl.Int64) * pl.col("count")).sum()
    is_long = column.values.select(length).item() > LONGEST_MEAN_LENGTH * column.n_filled
    return Sign(FREE_TEXT, column.n_filled if is_long else 0)


def _deaths(column: Column) -> Sign:
    says_so = bool({"dod", "deceased", "died"} & set(column.words)) or "death" in "".join(column.words)
    says_so = says_so or "death_month" in column.roles
    return Sign(DEATH, n_cells(date_years(column.values)) if says_so else 0, stops=False)


def _hospital_numbers(column: Column, pattern: str | None) -> Sign:
    if pattern is None:
        return Sign(HOSPITAL, 0)
    whole_words = rf"(?:^|[^\w-])(?:{pattern})(?:[^\w-]|$)"
    return Sign(HOSPITAL, column.n_where(pl.col("value").str.contains(whole_words)))


def _record_numbers(column: Column) -> Sign:
    joined = "".join(column.words)
    says_so = joined in HOSPITAL_NUMBER_HEADERS or "mrn" in column.words
    return Sign(HOSPITAL, column.n_filled if says_so and not column.is_pseudonym else 0)


def _addresses(column: Column) -> Sign:
    words = set(column.words)
    says_so = bool(words & {"address", "addr", "street", "addresses"}) or re.match(
        r"address[0-9]|addressline|housen(?:umber|ame|o)$", "".join(column.words)
    )
    other = bool(words & {"email", "ip", "mac", "web", "mail"}) or column.may_hold_text
    return Sign(ADDRESS, column.n_filled if says_so and not other else 0)


def _streets(column: Column, text: pl.DataFrame) -> Sign:
    if column.may_hold_text:
        return Sign(ADDRESS, 0)
    return Sign(ADDRESS, n_cells(text.filter(pl.col("text").str.contains(STREET))))


# Most columns show none of these at a first look, which spares the closer one.
FIRST_LOOK = {
    POSTCODE: r"(?i)[0-9][A-Z]{2}\b",
    EMAIL: "@",
    PHONE: r"[0-9](?:[^0-9]{0,3}[0-9]){8}",
    ADDRESS: STREET,
    BIRTH: BIRTH_IN_TEXT,
}
IN_CELLS: dict[str, Callable[[Column, pl.DataFrame], Sign]] = {
    POSTCODE: _postcodes,
    EMAIL: _emails,
    PHONE: _phones,
    ADDRESS: _streets,
    BIRTH: _births_in_text,
}
