"""Drug names: what a hospital writes, and which molecule is meant. Specification of the labels 2.1."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2tra.codelists import dmards, drug_words
from d2tra.treatment import recognise_drugs
from tables import frame

SPELLED = list(dmards().select("molecule", "spellings").explode("spellings").iter_rows())
LOOK_ALIKES = [
    "mercaptopurine", "metolazone", "sulfadiazine", "hydroxycarbamide", "penicillin", "ritonavir", "alefacept",
]  # fmt: skip


def molecules(*names: str | None) -> list[str | None]:
    return recognise_drugs(names)["molecule"].to_list()


def problem(name: str | None, code: str | None = None) -> str | None:
    return recognise_drugs([name], [code])["problem"].item()


RECOGNISED = frame("""
    written                                                   | molecule
    adalimumab                                                | adalimumab
    HUMIRA                                                    | adalimumab
    Adalimumab (Amgevita) 40 mg s/c pen                       | adalimumab
    (home) adalimumab 40mg/0.8ml pen (Amgevita)               | adalimumab
    Humira 40mg/0.4ml solution for injection pre-filled pens  | adalimumab
    adalimumab humira                                         | adalimumab
    Humira / adalimumab                                       | adalimumab
    adalimumab-atto                                           | adalimumab
    adalimumab-atto 40 mg every 2 weeks                       | adalimumab
    Imraldi™ 40 mg eow                                        | adalimumab
    (adalimumab)                                              | adalimumab
    40 mg s/c (adalimumab)                                    | adalimumab
    adalimumab [brand: Hyrimoz (Sandoz)]                      | adalimumab
    ADA                                                       | adalimumab
    ADA 40mg sc                                               | adalimumab
    etanercept-szzs 50 mg weekly                              | etanercept
    certolizumab pegol 200mg/1ml                              | certolizumab pegol
    rituximab 1 g iv D1 + D15                                 | rituximab
    rituximab 1000mg infusion day 1 and 15                    | rituximab
    tocilizumab 162 mg/0.9 ml weekly sc                       | tocilizumab
    infliximab 5mg/kg                                         | infliximab
    canakinumab                                               | canakinumab
    canakinumab 150 mg                                        | canakinumab
    upadacitinib 15mg m/r tablets                             | upadacitinib
    MTX 15 mg po weekly                                       | methotrexate
    methotrexate 2.5 mg tabs x 6                              | methotrexate
    methotrexate 15-20 mg                                     | methotrexate
    Metoject PEN 15 mg/0.3 ml                                 | methotrexate
    metotrexate 10 mg                                         | methotrexate
    Hydroxychloroquine 200mg tablets                          | hydroxychloroquine
    Salazopyrin EN-Tabs 500mg                                 | sulfasalazine
    sulphasalazine                                            | sulfasalazine
    d-pen 250mg                                               | penicillamine
    Depo-Medrone 40mg/ml                                      | methylprednisolone
    prednisolone 5 mg od reducing                             | prednisolone
    gold                                                      | sodium aurothiomalate
    im gold                                                   | sodium aurothiomalate
    gold 50 mg i.m. monthly                                   | sodium aurothiomalate
    oral gold                                                 | auranofin
    Oral Gold 3 mg                                            | auranofin
    gold 3 mg oral                                            | auranofin
    gold 3 mg capsules po                                     | auranofin
""")


@pytest.mark.parametrize(("written", "molecule"), RECOGNISED.rows())
def test_a_name_is_found_among_strengths_routes_forms_and_brands(written, molecule):
    assert recognise_drugs([written]).select("molecule", "problem", "suggestion").row(0) == (
        molecule,
        None,
        None,
    )


NOT_RECOGNISED = frame(
    """
    written                                  | problem       | suggestion
    trial drug                               | unknown       |
    biologic                                 | unknown       |
    0                                        | unknown       |
    40 mg s/c                                | unknown       |
    (home)                                   | unknown       |
    adalimumimab                             | unknown       | adalimumab
    rituxi mab 1 g                           | unknown       | rituximab
    humria                                   | unknown       | humira
    cyclosporyne                             | unknown       | ciclosporin
    adalimumab weekly then stopped           | unknown       | adalimumab
    anti-TNF (adalimumab)                    | unknown       | adalimumab
    adalimumab-attos                         | unknown       | adalimumab
    betamethasone 0.1% cream                 | unknown       | betamethasone
    triamcinolone 40mg intra-articular       | unknown       | triamcinolone
    methotrexate + folic acid                | unknown       | methotrexate
    MTX + folic acid                         | unknown       |
    MTX/SSZ/HCQ                              | two_molecules |
    Etanercept + MTX                         | two_molecules |
    methotrexate (adalimumab)                | two_molecules |
    adalimumab switched to etanercept        | two_molecules |
    prednisolone/prednisone                  | two_molecules |
    hydrocortisone 10 mg + prednisolone 5 mg | two_molecules |
    sulfadiazine                             | look_alike    |
    Sulfadiazine 500 mg tablets              | look_alike    |
    adalimumab (ritonavir)                   | look_alike    |
""",
    suggestion=pl.String,
)


@pytest.mark.parametrize(("written", "problem", "suggestion"), NOT_RECOGNISED.rows())
def test_what_is_not_listed_is_set_aside_and_never_guessed(written, problem, suggestion):
    found = recognise_drugs([written])
    assert found.select("molecule", "kind", "mechanism", "suppresses_crp").row(0) == (None, None, None, None)
    assert found.select("problem", "suggestion").row(0) == (problem, suggestion)


def test_every_listed_spelling_in_any_case_means_its_molecule():
    written = [f"  {spelling.upper()} " for _, spelling in SPELLED]
    assert recognise_drugs(written)["molecule"].to_list() == [molecule for molecule, _ in SPELLED]


def test_every_listed_name_is_found_with_a_strength_behind_it():
    names = [(molecule, name) for molecule, name in SPELLED if len(name) > 3]
    assert recognise_drugs([f"{name} 20 mg" for _, name in names])["molecule"].to_list() == [
        m for m, _ in names
    ]


def test_a_molecule_never_comes_out_as_another_whatever_surrounds_it():
    words = [word for word in drug_words() if word not in ("oral", "po")]
    for molecule in ("adalimumab", "methotrexate", "prednisolone", "rituximab"):
        assert set(molecules(*(f"{molecule} {word}" for word in words))) == {molecule}


@pytest.mark.parametrize("name", LOOK_ALIKES)
@pytest.mark.parametrize("code", [None, "A07EC01", "L01FA01", "nonsense"])
def test_a_look_alike_is_set_aside_whatever_its_code(name, code):
    assert recognise_drugs([name], [code]).select("molecule", "problem").row(0) == (None, "look_alike")


def test_a_known_molecule_is_itself_although_another_one_warns_of_it():
    warned = dmards().filter(molecule="certolizumab pegol")["look_alikes"].item().to_list()
    assert warned == ["canakinumab"]
    assert recognise_drugs(["canakinumab"]).select("molecule", "mechanism", "problem").row(0) == (
        "canakinumab",
        "il1",
        None,
    )


CODES = frame("""
    name               | code      | molecule    | problem
    Humira             | L04AB04   | adalimumab  |
    Humira             | L04AA17   | adalimumab  |
    Humira             | l04ab04 ␣ | adalimumab  |
    Humira             | L04AB01   |             | atc_disagrees
    Humira             | L04AB     | adalimumab  |
    Humira             | X99XX99   | adalimumab  |
    Humira             |           | adalimumab  |
    biologic           | L04AB04   | adalimumab  |
                       | L04AB04   | adalimumab  |
    biologic           | L01XC02   | rituximab   |
    biologic           | L01FA01   | rituximab   |
    biologic           | L04AA13   | leflunomide |
    biologic           | L01FA02   | ofatumumab  |
    biologic           | X99XX99   |             | unknown
    biologic           |           |             | unknown
                       |           |             | unknown
    MTX/SSZ            | L04AX03   |             | two_molecules
    sulfadiazine       | A07EC01   |             | look_alike
    prednisolone       | H02AB07   |             | atc_disagrees
""")


@pytest.mark.parametrize(("name", "code", "molecule", "problem"), CODES.rows())
def test_text_and_code_together_decide(name, code, molecule, problem):
    code = code and code.replace("␣", " ")
    assert recognise_drugs([name], [code]).select("molecule", "problem").row(0) == (molecule, problem)


def test_a_code_that_decides_leaves_no_suggestion():
    assert recognise_drugs(["adalimumimab"], ["L04AB04"]).select("molecule", "suggestion").row(0) == (
        "adalimumab",
        None,
    )


def test_rows_keep_their_order_and_their_repeats():
    names = ["mtx", None, "Humira", "mtx", "unheard of", "Humira", ""]
    found = recognise_drugs(
        pl.Series(names), pl.Series(["L04AB04", "L04AX03", None, None, "L01XC02", "L04AB01", None])
    )
    assert found["name"].to_list() == names
    assert found["molecule"].to_list() == [
        None,
        "methotrexate",
        "adalimumab",
        "methotrexate",
        "rituximab",
        None,
        None,
    ]


def test_no_names_give_no_rows():
    assert recognise_drugs([]).columns == [
        "name", "molecule", "kind", "mechanism", "suppresses_crp", "suggestion", "problem",
    ]  # fmt: skip
    assert recognise_drugs([], []).height == 0
    assert recognise_drugs([None, None])["problem"].to_list() == ["unknown", "unknown"]


def test_kind_and_mechanism_come_with_the_molecule():
    found = recognise_drugs(["mtx", "pred", "Kevzara", "Olumiant", "Otezla"])
    assert found.select("kind", "mechanism", "suppresses_crp").rows() == [
        ("csdmard", None, False), ("glucocorticoid", None, True), ("bdmard", "il6r", True), ("tsdmard", "jak", True),
        ("tsdmard", "pde4", False),
    ]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="()[]/+,-. 0123456789mgxdaylscivumab", max_size=60))
def test_any_text_has_either_a_molecule_or_a_problem(text):
    found = recognise_drugs([text]).row(0, named=True)
    assert (found["molecule"] is None) == (found["problem"] is not None)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SPELLED), st.sampled_from(SPELLED))
def test_two_names_in_one_text_are_one_molecule_or_set_aside(first, second):
    found = recognise_drugs([f"{first[1]} / {second[1]}"]).row(0, named=True)
    if first[0] != second[0]:
        assert (found["molecule"], found["problem"]) in [(None, "two_molecules"), (None, "unknown")]
    else:
        assert found["molecule"] in (None, first[0])


@pytest.mark.parametrize("piece", ["1,", "1 ", "x1", "every ", "(", "mab-", "1-1-", "mg/", "()"])
def test_a_long_text_of_odd_pieces_is_read_in_no_time(piece):
    assert problem(piece * 3000) == "unknown"


def test_no_word_that_is_removed_is_a_drug():
    spellings = {spelling for _, spelling in SPELLED}
    assert not spellings & set(drug_words())
    assert all(re.fullmatch(r"[a-z0-9./ -]+", word) for word in drug_words())
