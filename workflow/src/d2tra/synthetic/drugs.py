"""The drugs of the demo extract as a department writes them: brands with their years, misspellings, reasons to stop."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Biologic:
    """A b/tsDMARD: its mechanism, weights as first and as later drug, first day in routine use, and how it is written."""

    mechanism: str
    first: float
    later: float
    available: dt.date
    names: tuple[str, ...]
    biosimilars: tuple[str, ...] = ()
    biosimilars_from: dt.date = dt.date(2100, 1, 1)
    other_spellings: tuple[str, ...] = ()


def _day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


BIOLOGICS = {
    "adalimumab": Biologic(
        "tnf", 0.30, 0.06, _day("2004-01-01"), ("Humira",),
        ("Amgevita", "Imraldi", "Hyrimoz", "Idacio", "Yuflyma"), _day("2018-11-01"),
        ("adalimumab", "adalimumap", "HUMIRA 40 mg s/c", "ADA"),
    ),
    "etanercept": Biologic(
        "tnf", 0.32, 0.06, _day("2002-01-01"), ("Enbrel",),
        ("Benepali", "Erelzi"), _day("2017-10-01"), ("etanercept", "entanercept", "Enbrel 50 mg", "ETN"),
    ),
    "infliximab": Biologic(
        "tnf", 0.04, 0.01, _day("2002-01-01"), ("Remicade",),
        ("Inflectra", "Remsima"), _day("2015-06-01"), ("infliximab", "inflixamab", "IFX"),
    ),
    "golimumab": Biologic("tnf", 0.06, 0.03, _day("2010-03-01"), ("Simponi",), other_spellings=("golimumab", "golimimab")),
    "certolizumab pegol": Biologic(
        "tnf", 0.08, 0.04, _day("2010-03-01"), ("Cimzia",), other_spellings=("certolizumab", "certoluzimab", "CZP")
    ),
    "tocilizumab": Biologic(
        "il6r", 0.07, 0.18, _day("2010-09-01"), ("RoActemra",), ("RoActemra", "Tyenne"), _day("2023-11-15"),
        ("tocilizumab", "tociluzimab", "RoActemra 162 mg s/c", "TCZ"),
    ),
    "sarilumab": Biologic("il6r", 0.02, 0.06, _day("2017-11-15"), ("Kevzara",), other_spellings=("sarilumab",)),
    "rituximab": Biologic(
        "cd20", 0.03, 0.20, _day("2007-09-01"), ("MabThera",), ("Truxima", "Rixathon"), _day("2017-09-01"),
        ("rituximab", "ritoximab", "RTX"),
    ),
    "abatacept": Biologic("ctla4_ig", 0.04, 0.14, _day("2011-09-01"), ("Orencia",), other_spellings=("abatacept", "abetacept")),
    "anakinra": Biologic("il1", 0.0, 0.01, _day("2003-01-01"), ("Kineret",), other_spellings=("anakinra",)),
    "tofacitinib": Biologic("jak", 0.01, 0.06, _day("2017-11-01"), ("Xeljanz",), other_spellings=("tofacitinib", "tofacitnib")),
    "baricitinib": Biologic("jak", 0.03, 0.10, _day("2017-09-01"), ("Olumiant",), other_spellings=("baricitinib", "baracitinib")),
    "upadacitinib": Biologic("jak", 0.03, 0.10, _day("2020-12-15"), ("Rinvoq",), other_spellings=("upadacitinib 15 mg",)),
    "filgotinib": Biologic("jak", 0.02, 0.04, _day("2021-03-01"), ("Jyseleca",), other_spellings=("filgotinib",)),
}  # fmt: skip

CSDMARDS = {
    "methotrexate": ("methotrexate", "methotrexate", "MTX", "metotrexate", "Metoject PEN", "Maxtrex"),
    "sulfasalazine": ("sulfasalazine", "sulphasalazine", "Salazopyrin EN", "SSZ"),
    "hydroxychloroquine": ("hydroxychloroquine", "HCQ", "Plaquenil", "hydroxycloroquine"),
    "leflunomide": ("leflunomide", "Arava", "leflunamide"),
    "azathioprine": ("azathioprine", "AZA"),
}
ATC = {
    "methotrexate": "L04AX03",
    "sulfasalazine": "A07EC01",
    "hydroxychloroquine": "P01BA02",
    "leflunomide": "L04AA13",  # the code of until 2023
    "azathioprine": "L04AX01",
    "prednisolone": "H02AB06",
}

# Why a drug was stopped, in the department's words; config/sites/demo.yaml turns them into the canonical reasons.
REASONS = {
    "primary_inefficacy": ("primary failure", "1ry failure", "no response"),
    "secondary_inefficacy": ("2ry failure", "secondary failure", "lost response", "wore off"),
    "inefficacy": ("no better", "lack of effect", "flare on treatment", "inefficacy"),
    "adverse_event": ("LFTs up", "inj site reaction", "rash", "low neutrophils", "infusion reaction", "SE"),
    "intolerance": ("not tolerated", "nausea"),
    "remission": ("in remission",),
    "pregnancy": ("pregnant", "planning pregnancy"),
    "surgery": ("pre-op",),
    "infection": ("chest infection", "infection"),
    "patient_choice": ("patient request", "declined"),
    "access": ("supply problem", "funding"),
    "death": ("RIP",),
    "other": ("moved to biosimilar", "biosimilar switch"),
    "unknown": ("?", "see letter"),
}


def pick(random: np.random.Generator, words: tuple[str, ...] | list[str]) -> str:
    """Returns one of the words."""
    return words[int(random.integers(len(words)))]


def reason_text(random: np.random.Generator, reason: str) -> str:
    """Returns the department's words for a canonical reason; a blank reason is empty, `?` or `see letter`."""
    if reason == "blank":
        return pick(random, ["", "", "", *REASONS["unknown"]])
    return pick(random, REASONS[reason])


def drug_text(random: np.random.Generator, molecule: str, day: dt.date) -> str:
    """Returns how the register writes a b/tsDMARD started on that day: mostly a brand of that time."""
    drug = BIOLOGICS[molecule]
    if drug.other_spellings and random.random() < 0.15:
        return pick(random, drug.other_spellings)
    brands = drug.biosimilars if day >= drug.biosimilars_from and random.random() < 0.9 else drug.names
    if molecule == "adalimumab" and brands is drug.biosimilars and random.random() < 0.05:
        return "adalimumab (Amgevita) 40 mg s/c pen"
    return pick(random, brands)
