"""refractory_confirmed and pseudo_refractory: D2T with objective inflammation and nothing else behind it, or the contrary."""

import pytest

from ra_vignettes import D2T, TWO_FAILED, ra, reasons_of, statuses

INFLAMED = D2T | {"crp_mg_l": 11.0}  # 6 swollen joints
FELT = D2T | {"sjc28": 0, "crp_mg_l": 10.0}  # DAS28-CRP active, no swollen joint, normal CRP
NEITHER = FELT | {"crp_mg_l": 10.1}  # no swollen joint, but raised CRP
FM, OA, DEPRESSION, OTHER = "2020-01-01 M79.7", "2020-01-01 M17.1", "2020-01-01 F32.1", "2020-01-01 E11"
JAK_TAKEN = "baricitinib 2021-06-01 - -"


def d2t(*drugs, adherence="adherent", **given):
    return ra(*TWO_FAILED, *drugs, adherence=adherence, **given)


CASES = {  # name: patient, confirmed, pseudo-refractory
    "adherent, inflamed, nothing else": (d2t(**INFLAMED), "met", "not_met"),
    "adherence not recorded": (d2t(adherence=None, **INFLAMED), "not_assessable", "not_met"),
    "adherence unknown": (d2t(adherence="unknown", **INFLAMED), "not_assessable", "not_met"),
    "not adherent": (d2t(adherence="non_adherent", **INFLAMED), "not_met", "not_met"),
    "fibromyalgia, inflamed": (d2t(codes=[FM], **INFLAMED), "not_met", "not_met"),
    "osteoarthritis, inflamed": (d2t(codes=[OA], **INFLAMED), "not_met", "not_met"),
    "depression, inflamed": (d2t(codes=[DEPRESSION], **INFLAMED), "not_met", "not_met"),
    "diabetes, inflamed": (d2t(codes=[OTHER], **INFLAMED), "met", "not_met"),
    "fibromyalgia recorded today": (d2t(codes=["2022-01-01 M79.7"], **INFLAMED), "not_met", "not_met"),
    "fibromyalgia, not inflamed": (d2t(codes=[FM], **NEITHER), "not_met", "met"),
    "osteoarthritis, not inflamed": (d2t(codes=[OA], **NEITHER), "not_met", "not_met"),
    "not inflamed, nothing else": (d2t(**NEITHER), "not_met", "not_met"),
    "felt only: none swollen, CRP 10": (d2t(**FELT), "not_met", "met"),
    "swollen, CRP 10": (d2t(codes=[FM], **D2T | {"crp_mg_l": 10.0}), "not_met", "met"),
    "swollen, CRP 10.1": (d2t(codes=[FM], **D2T | {"crp_mg_l": 10.1}), "not_met", "not_met"),
    "swollen, normal CRP on a JAK inhibitor": (d2t(JAK_TAKEN, codes=[FM], **D2T | {"crp_mg_l": 1.0}), "not_met", "not_assessable"),
    "the same, nothing else": (d2t(JAK_TAKEN, **D2T | {"crp_mg_l": 1.0}), "not_assessable", "not_met"),
    "the same, MRI without inflammation": (d2t(JAK_TAKEN, codes=[FM], images=["2021-06-01 mri synovitis 0"], **D2T | {"crp_mg_l": 1.0}), "not_met", "met"),
    "the same, power Doppler 1": (d2t(JAK_TAKEN, images=["2021-06-01 ultrasound power_doppler_grade 1"], **D2T | {"crp_mg_l": 1.0}), "met", "not_met"),
    "inflamed, MRI without inflammation": (d2t(images=["2021-06-01 mri synovitis 0"], **INFLAMED), "met", "not_met"),
    "nobody looked for inflammation": (d2t(codes=[FM], **D2T), "not_met", "not_assessable"),
    "not difficult to treat": (ra("methotrexate 2015-01-01 - -", adherence="adherent", **INFLAMED), "not_met", "not_met"),
}  # fmt: skip
CONFIRMED, PSEUDO = statuses("refractory_confirmed", CASES), statuses("pseudo_refractory", CASES)


@pytest.mark.parametrize("name", CASES)
def test_confirmed_and_pseudo_refractory(name):
    assert (CONFIRMED[name], PSEUDO[name]) == CASES[name][1:]


def test_without_diagnoses_contributing_factors_are_unknown():
    without = {"without": ["diagnoses"]}
    confirmed, pseudo = (
        statuses(name, CASES, **without) for name in ("refractory_confirmed", "pseudo_refractory")
    )
    assert confirmed["adherent, inflamed, nothing else"] == "not_assessable"
    assert (pseudo["felt only: none swollen, CRP 10"], pseudo["fibromyalgia, not inflamed"]) == (
        "met",
        "not_assessable",
    )


def test_the_last_b_tsdmard_record_that_tells_decides_on_adherence():
    def told(*words):
        one = d2t(**INFLAMED)
        rows = [row for row in one["treatments"] if row["drug"] != "methotrexate"]
        for row, word in zip(rows, words, strict=True):
            row["adherence"] = word
        return one

    def same_day(*words):
        one = told("adherent", "adherent")
        one["treatments"] += [
            {"drug": "tocilizumab", "start_date": one["visits"][-1]["visit_date"], "adherence": word}
            for word in words
        ]
        return one

    cases = {
        "not at first": (told("non_adherent", "adherent"),),
        "no longer": (told("adherent", "non_adherent"),),
        "the last does not tell": (told("adherent", None),),
        "two of one day": (same_day("non_adherent", "adherent"),),
        "elsewhere": CASES["diabetes, inflamed"],
    }
    assert statuses("refractory_confirmed", cases) == {
        "not at first": "met", "no longer": "not_met", "the last does not tell": "met", "two of one day": "not_met",
        "elsewhere": "met",
    }  # fmt: skip


def test_the_reasons_hold_the_records():
    patients = {name: case[0] for name, case in CASES.items()} | {"nothing": ra()}
    confirmed, pseudo = (reasons_of(name, patients) for name in ("refractory_confirmed", "pseudo_refractory"))
    assert confirmed["adherent, inflamed, nothing else", "4"] == "adherent to abatacept (begun 2018-01-01)"
    assert (
        confirmed["adherence unknown", "4"] == "no b/tsDMARD record tells of adherence; one would settle it"
    )
    assert pseudo["swollen, normal CRP on a JAK inhibitor", "4o"] == (
        "a swollen joint with normal CRP and ESR at the visit of 2022-01-01, while a drug that suppresses the acute phase is "
        "taken; ultrasound or MRI would settle it"
    )
    assert pseudo["fibromyalgia, not inflamed", "5"] == "5a met: recorded: fibromyalgia (2020-01-01)"
    assert pseudo["felt only: none swollen, CRP 10", "5b"].startswith("das28_crp 4.2")
    assert pseudo["nothing", "5b"].startswith("no DAS28 with sjc28 and CRP at a visit between")
