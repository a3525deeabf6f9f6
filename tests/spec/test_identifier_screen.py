"""The identifier screen, kind by kind: what stops the run and what merely looks alike."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import polars as pl
import pytest
from pydantic import ValidationError

from d2tra.errors import StudyError
from d2tra.extract.screen import Screening, raise_if_identifiers, screen_extract
from d2tra.extract.site import SiteMapping
from extracts import CLEAN, site_of, with_row, write_extract
from tables import frame


def with_check_digit(nine: str) -> str:
    """Nine digits and their check digit: 11 − the weighted sum's remainder, 11 is 0 (clinical reference 7.3)."""
    check = 11 - sum(int(digit) * weight for digit, weight in zip(nine, range(10, 1, -1), strict=True)) % 11
    assert check != 10, "no such number"
    return nine + str(check % 11)


VALID_NHS = "9434765919"  # the example of clinical reference 7.3
VALID = [VALID_NHS, *map(with_check_digit, ["450557710", "632879796", "700615228", "485777345", "999000001"])]
INVALID = [number[:9] + str((int(number[9]) + 1) % 10) for number in VALID]
CHI = [with_check_digit(nine) for nine in ("010150001", "020260003", "311299008", "091145122", "050533117")]
HEALTH_AND_CARE = with_check_digit("320000005")


def test_the_check_digit_of_the_published_example_is_right() -> None:
    assert with_check_digit("943476591") == VALID_NHS


def screened(
    folder: Path, column: str, cells: list[str], table: str = "patients", **declared: object
) -> Screening:
    """Screens visits of 2020 and one table of two columns, patient_id and `column` (or this one alone)."""
    write_extract(folder, visits=CLEAN["visits"])
    ids = {"patient_id": [f"P{i}" for i in range(len(cells))]} if column != "patient_id" else {}
    pl.DataFrame({**ids, column: cells}).write_csv(folder / f"{table}.csv")
    return screen_extract(site_of(folder, **declared))


def kinds(screening: Screening) -> list[tuple[str, int]]:
    return [(hit.kind, hit.count) for hit in screening.hits]


def test_a_clean_extract_passes_without_a_warning(tmp_path: Path) -> None:
    screening = screen_extract(site_of(write_extract(tmp_path, **CLEAN)))
    assert (screening.hits, screening.warnings, screening.stop_message()) == ((), (), "")
    raise_if_identifiers(screening)


IN_ANY_TEXT_CELL = frame("""
    kind           | cell
    NHS number     | 943 476 5919
    NHS number     | 943-476-5919
    NHS number     | seen 943 476 5919 today
    NHS number     | NHS 9434765919
    NHS number     | nhs no: 9434765919, seen
    NHS number     | NHS number 943-476 5919
    e-mail address | jane.smith@example.org
    e-mail address | write to j_smith+1@mail.nhs.uk.
    postcode       | LS9 7TF
    postcode       | LS97TF
    postcode       | lives at sw1a 1aa now
    postcode       | m11ae
    postcode       | EC1A 1BB
    postcode       | W1A 0AX
    postcode       | B33 8TH?, then CR0 2YR
    postcode       | JE2 3AB
    phone number   | +44 113 496 0000
    phone number   | +441134960000
    phone number   | 0044 (0)20 7946 0958
    phone number   | +44 16977 3555
    phone number   | 0113 496 0000
    phone number   | (0113) 496 0000
    phone number   | ring 07700 900123
    phone number   | 020-7946-0958
    phone number   | 01632 960 001
    date of birth  | DOB 12/05/1945
    date of birth  | born 3 March 1951, seen
    address        | 12 High Street
    address        | lives at 4a, Old Mill Lane
""")


SPACED = [("CHI number", CHI[0]), ("H&C number", HEALTH_AND_CARE)]
SPACED = [(kind, f"no {number[:3]} {number[3:6]} {number[6:]}") for kind, number in SPACED]


@pytest.mark.parametrize(("kind", "cell"), [*IN_ANY_TEXT_CELL.rows(), *SPACED])
def test_one_cell_among_others_that_holds_an_identifier_stops(tmp_path: Path, kind: str, cell: str) -> None:
    screening = screened(tmp_path, "remark", ["ok", "M05 9", cell, "see letter", "none", "seen"])
    assert kinds(screening) == [(kind, 1)]
    with pytest.raises(StudyError) as caught:
        raise_if_identifiers(screening)
    assert "patients.csv, column 'remark'" in str(caught.value)
    assert cell not in str(caught.value)


LOOK_ALIKES = frame("""
    why                                   | cell
    wrong check digit                     | 943 476 5918
    an ICD-10 code and letters            | M05 9AB
    no UK area                            | RA1 2AB
    no UK area                            | QQ9 7TF
    a letter no inward part has           | LS9 7TC
    a disc and an ordinal                 | disc L4 5TH
    ordinals                              | W1 1ST, W1 2ND, W1 3RD
    an LSOA code                          | E01012345
    a Read code                           | G33zz
    an ATC code                           | L04AB01
    a drug with its dose                  | Humira Pen 40mg
    ISO dates                             | 2020-01-02 to 2021-03-04
    dates with points                     | 01.02.2020 123
    a number with many decimals           | 0.3333333333
    a laboratory number                   | 210345-1234
    eleven digits of no column of phones  | 01134960000
    twelve digits in groups               | 0113 496 00001
    a handle, no address                  | @rheum team
    an ordinal flare                      | 2nd flare
    a time                                | 2021-03-04 10:30:00
    units                                 | 30 mm/hr
""")


@pytest.mark.parametrize(("why", "cell"), LOOK_ALIKES.rows())
def test_a_cell_that_merely_looks_alike_passes(tmp_path: Path, why: str, cell: str) -> None:
    assert kinds(screened(tmp_path, "remark", ["ok", cell, "see letter", "none", "seen"])) == [], why


@pytest.mark.parametrize(
    ("passing", "failing", "stops"),
    [
        (3, 3, True),  # half of six
        (2, 3, False),  # two of five
        (3, 2, True),  # three of five
        (4, 0, True),  # fewer than five: all
        (3, 1, False),
        (1, 0, True),
        (1, 1, False),
        (0, 6, False),
    ],
)
def test_ten_digits_are_decided_on_the_column(
    tmp_path: Path, passing: int, failing: int, stops: bool
) -> None:
    screening = screened(tmp_path, "ref", [*VALID[:passing], *INVALID[:failing], "n/a", "12"])
    assert kinds(screening) == ([("NHS number", passing)] if stops else [])
    assert [w.kind for w in screening.warnings] == ([] if stops or not passing else ["possible NHS number"])


def test_a_pseudonym_of_valid_nhs_numbers_stops_too(tmp_path: Path) -> None:
    assert kinds(screened(tmp_path, "patient_id", VALID)) == [("NHS number", 6)]


@pytest.mark.parametrize(
    "header", ["nhs_number", "NHSNo", "NHS", "Patient NHS number", "chi", "HCN", "CHI no."]
)
def test_ten_digits_under_a_header_that_says_so_stop_whatever_their_check_digit(
    tmp_path: Path, header: str
) -> None:
    assert kinds(screened(tmp_path, header, INVALID)) == [("NHS number", 6)]


@pytest.mark.parametrize("header", ["nhs_number_hash", "nhs_trust_id", "lab_number", "nhs_funded"])
def test_ten_digits_under_another_header_pass(tmp_path: Path, header: str) -> None:
    assert kinds(screened(tmp_path, header, INVALID)) == []


def test_placeholders_of_ten_equal_digits_are_no_numbers(tmp_path: Path) -> None:
    assert kinds(screened(tmp_path, "ref", ["9999999999"] * 6)) == []


def test_a_column_written_3_3_4_is_decided_as_a_column(tmp_path: Path) -> None:
    def written(number: str) -> str:
        return f"{number[:3]}-{number[3:6]}-{number[6:]}"

    ids = [written(number) for number in [VALID[0], *INVALID]]
    assert kinds(screened(tmp_path, "patient_id", ids)) == []
    assert kinds(screened(tmp_path, "patient_id", [written(number) for number in VALID])) == [
        ("NHS number", 6)
    ]


def test_chi_numbers_whose_leading_zero_a_spreadsheet_ate_are_found(tmp_path: Path) -> None:
    eaten = [number.removeprefix("0") for number in CHI]
    assert kinds(screened(tmp_path, "ref", eaten)) == [("CHI number", 5)]
    assert kinds(screened(tmp_path, "ref", [CHI[0][1:]] * 5)) == [("CHI number", 5)]
    assert kinds(screened(tmp_path, "ref", ["123456789"] * 5)) == []
    assert kinds(screened(tmp_path, "ref", [f"{number[:6]} {number[6:]}" for number in CHI])) == [
        ("CHI number", 5)
    ]


def test_ten_digit_snomed_codes_pass_although_they_pass_modulus_11(tmp_path: Path) -> None:
    row = "P1 | 2020-01-01 | snomed | 1162313005 | Rheumatoid arthritis"  # passes both checks
    extract = with_row("diagnoses", row)
    assert kinds(screen_extract(site_of(write_extract(tmp_path, **extract)))) == []
    row = f"P1 | 2020-01-01 | snomed | {VALID_NHS} | Rheumatoid arthritis"
    assert kinds(screen_extract(site_of(write_extract(tmp_path, **with_row("diagnoses", row))))) == [
        ("NHS number", 1)
    ]


@pytest.mark.parametrize("table", ["drug", "term", "stop_reason"])
def test_two_distinct_postcodes_are_needed_in_columns_of_prose(tmp_path: Path, table: str) -> None:
    treatment, diagnosis = "P1 | {} | | 2010-01-01 | 2010-02-01 | {} | ", "P1 | 2011-01-01 | local | X | {}"

    def extract(cell: str) -> dict[str, str]:
        if table == "term":
            return with_row("diagnoses", diagnosis.format(cell))
        return with_row(
            "treatments", treatment.format(*(cell, "other") if table == "drug" else ("MTX", cell))
        )

    def found(name: str, cell: str) -> list[tuple[str, int]]:
        return kinds(screen_extract(site_of(write_extract(tmp_path / name, **extract(cell)))))

    assert found("one", "LS9 7TF") == []
    assert found("same", "LS9 7TF and ls97tf") == []
    assert found("two", "LS9 7TF and LS9 8TF") == [("postcode", 1)]


def test_phone_numbers_without_separators_need_half_a_column_or_a_phone_header(tmp_path: Path) -> None:
    numbers = ["01134960000", "01134960001"]
    assert kinds(screened(tmp_path, "ref", [*numbers, "x1", "x2", "x3"])) == []
    assert kinds(screened(tmp_path, "ref", [*numbers, "x1", "x2"])) == [("phone number", 2)]
    assert kinds(screened(tmp_path, "Mobile", [*numbers, "x1", "x2", "x3"])) == [("phone number", 2)]
    assert kinds(screened(tmp_path, "telephone", ["113 496 0000", "x1", "x2"])) == [("phone number", 1)]
    assert kinds(screened(tmp_path, "telephone_review", ["yes", "no", "2020-01-02"])) == []


def test_phone_numbers_are_never_found_in_declared_id_columns(tmp_path: Path) -> None:
    numbers = ["01134960000", "0113-4960001"]
    assert kinds(screened(tmp_path, "patient_id", numbers)) == []
    assert kinds(screened(tmp_path, "episode", numbers, id_columns=["episode"])) == []
    assert kinds(screened(tmp_path, "episode", numbers)) == [("phone number", 2)]


BIRTHS = ["1945-05-12", "1951-03-03", "1960-11-30", "1972-07-21", "1938-02-28", "1966-09-09"]


@pytest.mark.parametrize(
    "header", ["dob", "D.O.B.", "DateOfBirth", "birth_date", "Date of birth", "born", "pt_dob"]
)
@pytest.mark.parametrize("cells", [BIRTHS, ["12/05/45", "03 Mar 1951", "x"], ["18264"]])
def test_a_header_of_birth_stops(tmp_path: Path, header: str, cells: list[str]) -> None:
    assert [kind for kind, _ in kinds(screened(tmp_path, header, cells))] == ["date of birth"]


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("birth_year", ["1945", "1951"]),
        ("birth_year", ["1945.0", "19x5"]),
        ("dob", ["1945", "1951-03", "05/1951", "unknown"]),
        ("sex_at_birth", ["male", "female"]),
        ("born_in_uk", ["yes", "no"]),
    ],
)
def test_years_and_months_of_birth_pass(tmp_path: Path, header: str, cells: list[str]) -> None:
    assert kinds(screened(tmp_path, header, cells)) == []


def test_a_full_date_under_a_year_of_birth_stops(tmp_path: Path) -> None:
    assert kinds(screened(tmp_path, "birth_year", ["1945", "1951-03-03"])) == [("date of birth", 1)]


@pytest.mark.parametrize("written", ["%Y-%m-%d", "%d/%m/%Y", "%d %b %Y", "%d.%m.%y", "%Y%m%d"])
def test_a_column_of_dates_that_read_as_births_stops_under_any_header(tmp_path: Path, written: str) -> None:
    cells = pl.Series(BIRTHS).str.to_date().dt.strftime(written).to_list()
    assert kinds(screened(tmp_path, "x1", cells)) == [("date of birth", 6)]


def test_birth_like_dates_are_judged_by_the_extracts_cut(tmp_path: Path) -> None:
    to_2005 = ["2005-12-31", *BIRTHS]
    assert kinds(screened(tmp_path, "x1", to_2005, data_cut_date="2020-06-30")) == [("date of birth", 7)]
    late = [date.replace("19", "20", 1)[:2] + "06" + date[4:] for date in BIRTHS]  # all of 2006
    assert kinds(screened(tmp_path, "x1", late, data_cut_date="2020-06-30")) == []
    assert kinds(screened(tmp_path, "x1", late, data_cut_date="2021-06-30")) == [("date of birth", 6)]


def test_canonical_dates_recent_dates_and_dates_rounded_to_a_month_are_no_births(tmp_path: Path) -> None:
    assert kinds(screened(tmp_path, "diagnosis_date", BIRTHS)) == []
    assert (
        kinds(
            screened(
                tmp_path, "referred", [date.replace("19", "20", 1)[:2] + "19" + date[4:] for date in BIRTHS]
            )
        )
        == []
    )
    assert kinds(screened(tmp_path, "x1", [date[:8] + "01" for date in BIRTHS])) == []
    assert kinds(screened(tmp_path, "x1", BIRTHS[:4])) == []  # four are not many


@pytest.mark.parametrize(
    "header",
    ["name", "Surname", "FORENAME", "first_name", "LastName", "title", "initials", "next of kin", "NOK", "GP name",
     "patient_name", "PatientName", "consultant name", "clinician_name"],
)  # fmt: skip
def test_a_header_of_names_stops(tmp_path: Path, header: str) -> None:
    assert kinds(screened(tmp_path, header, ["Smith", "x"])) == [("name", 2)]


@pytest.mark.parametrize(
    "cells",
    [
        ["Jane Smith", "John O'Neill", "Mary-Ann McDonald", "x"],
        ["Dr Smith", "Prof. Jones", "x"],
        ["Smith, Jane", "SMITH, John", "x"],
        ["JANE SMITH", "smith john", "x"],
        ["J. Smith", "J. K. Jones", "x"],
        ["Zoë Brontë", "Ngozi Adichie", "x"],
    ],
)
def test_values_that_are_names_of_people_stop_above_half_of_the_rows(
    tmp_path: Path, cells: list[str]
) -> None:
    assert kinds(screened(tmp_path, "x1", cells)) == [("name", len(cells) - 1)]
    padded = [*cells, *["y"] * (len(cells) - 2)]  # now exactly half
    assert kinds(screened(tmp_path, "x1", padded)) == []


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("x1", ["Rheumatoid Arthritis", "Psoriatic Arthritis"]),
        ("x1", ["White British", "Black African", "Any Other"]),
        ("x1", ["Humira Pen", "Folic Acid"]),
        ("x1", ["Weak Positive", "Never Smoker", "Left Wrist", "Power Doppler"]),
        ("hospital", ["Chapel Allerton"]),
        ("drug_name", ["Enbrel Myclic", "Roactemra Actpen"]),
        ("consultant", ["C1", "C2"]),
        ("clinician", ["Nurse", "Consultant", "Registrar"]),
    ],
)
def test_capitalised_words_that_are_no_people_pass(tmp_path: Path, header: str, cells: list[str]) -> None:
    assert kinds(screened(tmp_path, header, cells)) == []


def test_a_single_surname_is_a_name_under_a_header_of_staff(tmp_path: Path) -> None:
    assert kinds(screened(tmp_path, "consultant", ["Smith", "Jones", "x"])) == [("name", 2)]


@pytest.mark.parametrize("role", ["drug", "term", "stop_reason"])
def test_drugs_terms_and_stop_reasons_have_no_test_of_names_or_length(tmp_path: Path, role: str) -> None:
    table = "diagnoses" if role == "term" else "treatments"
    long = "Lack of effect after many weeks at the highest dose"
    assert kinds(screened(tmp_path, role, ["Jane Smith", "John Jones"], table)) == []
    assert kinds(screened(tmp_path, role, [long], table)) == []


def test_hospital_numbers_are_found_where_the_mapping_declares_their_pattern(tmp_path: Path) -> None:
    cells = ["K123456", "see K123457.", "RAK1234567"]
    assert kinds(screened(tmp_path, "ref", cells)) == []
    assert kinds(screened(tmp_path, "ref", cells, hospital_number="[A-Z][0-9]{6}")) == [
        ("hospital number", 2)
    ]
    assert kinds(screened(tmp_path, "patient_id", ["K123456"], hospital_number="^K[0-9]{6}$")) == [
        ("hospital number", 1)
    ]
    with pytest.raises(ValidationError, match="no regular expression"):
        screened(tmp_path, "ref", cells, hospital_number="[")


def test_a_header_of_hospital_numbers_stops_unless_it_is_declared_a_pseudonym(tmp_path: Path) -> None:
    assert kinds(screened(tmp_path, "Hospital No", ["A1", "A2"])) == [("hospital number", 2)]
    assert kinds(screened(tmp_path, "MRN", ["A1"])) == [("hospital number", 1)]
    assert kinds(screened(tmp_path, "MRN", ["A1"], id_columns=["MRN"])) == []
    assert kinds(screened(tmp_path, "hospital", ["A1"])) == []


def test_addresses_and_free_text_stop_unless_allowed(tmp_path: Path) -> None:
    assert kinds(screened(tmp_path, "address_line_1", ["x"])) == [("address", 1)]
    assert kinds(screened(tmp_path, "address_line_1", ["x"], allow_text=["address_line_1"])) == []
    assert kinds(screened(tmp_path, "email_address_given", ["yes"])) == []
    assert kinds(screened(tmp_path, "letter", ["x" * 41])) == [("free text", 1)]
    assert kinds(screened(tmp_path, "letter", ["x" * 41], allow_text=["letter"])) == []
    assert kinds(screened(tmp_path, "letter", ["x" * 41 + " LS9 7TF"], allow_text=["letter"])) == [
        ("postcode", 1)
    ]


def test_free_text_is_longer_than_40_characters_in_the_mean(tmp_path: Path) -> None:
    assert kinds(screened(tmp_path, "letter", ["x" * 40])) == []
    assert kinds(screened(tmp_path, "letter", ["x" * 50, "x" * 30, ""])) == []
    assert kinds(screened(tmp_path, "letter", ["x" * 51, "x" * 30, ""])) == [("free text", 2)]


def test_long_pseudonyms_are_no_free_text(tmp_path: Path) -> None:
    assert kinds(screened(tmp_path, "patient_id", ["a1" * 32])) == []


def test_an_exact_date_of_death_and_an_outward_postcode_are_warnings(tmp_path: Path) -> None:
    death = screened(tmp_path, "date_of_death", ["2019-03-04", "2019-05"])
    assert (kinds(death), [(w.kind, w.count) for w in death.warnings]) == ([], [("exact date of death", 1)])
    month = screened(tmp_path, "death_month", ["2019-03", "2019-05-06"])
    assert [(w.kind, w.count) for w in month.warnings] == [("exact date of death", 1)]
    outward = screened(tmp_path, "postcode", ["LS9", "LS10", ""])
    assert (kinds(outward), [(w.kind, w.count) for w in outward.warnings]) == ([], [("outward postcode", 2)])
    raise_if_identifiers(outward)
    assert outward.as_dict()["warnings"][0]["file"] == "patients.csv"


def test_ignored_columns_are_screened(tmp_path: Path) -> None:
    screening = screened(tmp_path, "contact", ["jane@example.org"], ignore={"patients": ["contact"]})
    assert kinds(screening) == [("e-mail address", 1)]


def test_several_kinds_are_all_listed_with_how_to_remove_them(tmp_path: Path) -> None:
    write_extract(tmp_path, **CLEAN)
    columns = {"patient_id": ["P1", "P2"], "dob": BIRTHS[:2], "surname": ["Smith", "Jones"], "ref": VALID[:2]}
    pl.DataFrame(columns).write_csv(tmp_path / "patients.csv")
    pl.DataFrame({"patient_id": ["P1"], "mail": ["jane@example.org"]}).write_csv(tmp_path / "labs.csv")
    with pytest.raises(StudyError) as caught:
        raise_if_identifiers(screen_extract(site_of(tmp_path)))
    message = str(caught.value)
    for part in (
        "patients.csv, column 'dob': date of birth, 2 cells. Give the year of birth",
        "patients.csv, column 'surname': name, 2 cells. Remove the column",
        "patients.csv, column 'ref': NHS number, 2 cells. Replace it by a pseudonym",
        "labs.csv, column 'mail': e-mail address, 1 cell. Remove the column",
    ):
        assert part in message
    for value in (*BIRTHS[:2], "Smith", "Jones", *VALID[:2], "jane@example.org"):
        assert value not in message


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("943 476 5919", "NHS number"),
        (VALID_NHS, "NHS number"),
        (f"ref_{VALID_NHS}", "NHS number"),
        ("jane@example.org", "e-mail address"),
        ("LS9 7TF", "postcode"),
        ("LS9_7TF", "postcode"),
        ("0113 496 0000", "phone number"),
        ("Jane Smith", "name"),
        ("smith, jane", "name"),
        ("12 High Street", "address"),
    ],
)
def test_a_header_sheet_or_file_name_that_is_an_identifier_is_named_by_its_number(
    tmp_path: Path, name: str, kind: str
) -> None:
    header = screened(tmp_path / "header", name, ["dr jones@example.org"])
    assert (header.hits[0].column, header.hits[0].kind) == ("header of column 2", kind)
    assert ("column 2", "e-mail address") in [(hit.column, hit.kind) for hit in header.hits]
    book = openpyxl.Workbook()
    book.active.title = "patients"
    book.create_sheet(name)["A1"] = "jane@example.org"
    path = tmp_path / f"{name}.xlsx"
    book.save(path)
    workbook = screen_extract(
        SiteMapping(name="site", path="site.yaml", source=str(path), format="canonical")
    )
    assert [(hit.file, hit.column, hit.kind) for hit in workbook.hits] == [
        ("file 1", "name of the file", kind),
        ("file 1 [sheet 2]", "name of the sheet", kind),
        ("file 1 [sheet 2]", "header of column 1", "e-mail address"),
    ]
    for screening in (header, workbook):
        assert name not in screening.stop_message()
        assert "example.org" not in screening.stop_message()


@pytest.mark.parametrize(
    "name", ["tjc28", "Biologic 10", "export_20240131", "Visits 2015-2019", "labs_1700000000", "Dr Global"]
)
def test_ordinary_names_pass(tmp_path: Path, name: str) -> None:
    assert kinds(screened(tmp_path, name, ["1"])) == []


def test_properties_of_a_workbook_stop_or_warn(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "patients"
    book.active.append(["patient_id"])
    book.properties.creator, book.properties.keywords = "Jane Smith", "LS9 7TF"
    book.properties.description, book.properties.subject = "ring 0113 496 0000", "jane@example.org"
    book.properties.title, book.properties.category = "NHS 943 476 5919", "K123456"
    book.save(tmp_path / "register.xlsx")
    site = SiteMapping(
        name="site", path="s.yaml", source=str(tmp_path), format="canonical", hospital_number="K[0-9]{6}"
    )
    screening = screen_extract(site)
    assert sorted(hit.kind for hit in screening.hits) == [
        "NHS number",
        "e-mail address",
        "phone number",
        "postcode",
    ]
    assert [warning.kind for warning in screening.warnings] == ["author's name"]
    for value in ("Jane Smith", "LS9", "0113", "example.org", "943"):
        assert value not in screening.stop_message() + str(screening.as_dict())


def test_files_that_are_no_table_of_the_site_are_not_read(tmp_path: Path) -> None:
    write_extract(tmp_path, **CLEAN)
    (tmp_path / "notes.csv").write_bytes(b"dob,nhs\n\xff1945-05-12,943 476 5919\n")
    (tmp_path / "jane@example.org.csv").write_text("dob\n1945-05-12\n")
    screening = screen_extract(site_of(tmp_path))
    assert (screening.hits, screening.warnings) == ((), ())
    assert {column.file for column in screening.columns} == {f"{table}.csv" for table in CLEAN}
