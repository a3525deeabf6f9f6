"""share/<site>.json: what is in it, what is held back by name, and what an attacker can do with it. Thresholds on the edge."""

import json

import numpy as np
import polars as pl
import pytest

from d2tra import io
from d2tra.centres.disclosed import share_file, share_files
from d2tra.centres.share import read_share, seal, shared_protocol
from d2tra.centres.summarise import ExactFit, SiteSummary, _correlation, read_fitted, summarise_site
from d2tra.config import Cohort, Study
from d2tra.disclosure import load_profile
from d2tra.errors import StudyError
from d2tra.models import ModelPlan, fit_every_outcome, fit_logistic
from d2tra.models.plan import Factor
from five_centres import PROTOCOL, analysis_set

STUDY = Study(
    name="split",
    title="t",
    sites=["centre_1"],
    cohorts=[Cohort(name="full")],
    definitions=["eular_2021"],
    seed=1,
)
SMALL = "a count from 1 to"


def fit_of(name: str, cells: tuple[int, int, int, int], factor: str | None = None, **changes) -> ExactFit:
    """One yes/no factor's logit from its table: events and others among the exposed, then among the unexposed."""
    a, b, c, d = cells
    error = float(np.sqrt(sum(1 / cell for cell in cells)))
    row = {"term": name, "level": "true", "reference": "false", "estimate": float(np.log(a * d / (b * c))),
           "std_error": error, "note": None, "smallest_cell": min(cells), **changes}  # fmt: skip
    fit = (factor or name, "eular_2021", "logit", "complete_case", sum(cells), a + c, [row], np.eye(1))
    return ExactFit("full", "each", *fit)


def shared(*fits: ExactFit, profile: str = "opensafely", counts=(), members=None) -> dict:
    summary = SiteSummary("centre_1", members or {"full": frozenset({"p"})}, list(counts), list(fits))
    return share_file(summary, STUDY, load_profile(profile), "0" * 64, True)


def reason_of(cells, profile: str) -> str | None:
    fit = shared(fit_of("obese", cells), profile=profile)["fits"][0]
    return fit["held_back"][0]["reason"] if fit["held_back"] else None


@pytest.mark.parametrize(
    ("profile", "cells", "held_back"),
    [
        ("opensafely", (8, 30, 40, 200), False),
        ("opensafely", (7, 30, 40, 200), True),
        ("opensafely", (30, 7, 40, 200), True),
        ("opensafely", (30, 40, 200, 7), True),
        ("acro", (10, 30, 40, 200), False),
        ("acro", (9, 30, 40, 200), True),
        ("midpoint6", (7, 30, 40, 200), False),
        ("midpoint6", (6, 30, 40, 200), True),
        ("local_audit", (1, 30, 40, 200), False),
    ],
)
def test_a_term_with_a_small_count_in_its_table_is_held_back_by_name(profile, cells, held_back):
    fit = shared(fit_of("obese", cells), profile=profile)["fits"][0]
    assert bool(fit["held_back"]) is held_back
    assert len(fit["terms"]) == len(fit["covariance"]) == (0 if held_back else 1)
    if held_back:
        assert (fit["held_back"][0]["term"], fit["held_back"][0]["level"]) == ("obese", "true")
        assert SMALL in fit["held_back"][0]["reason"]


def test_estimates_have_two_decimals_and_counts_are_rounded_under_opensafely_and_exact_under_local_audit():
    cells = (31, 32, 41, 203)
    fit = shared(fit_of("obese", cells))["fits"][0]
    assert (fit["n"], fit["n_events"]) == (305, 70)
    assert (fit["terms"][0]["log_odds_ratio"], fit["terms"][0]["std_error"]) == (1.57, 0.3)
    assert fit["covariance"] == [[pytest.approx(0.3**2)]]
    exact = shared(fit_of("obese", cells), profile="local_audit")["fits"][0]
    assert (exact["n"], exact["n_events"]) == (307, 72)
    assert exact["terms"][0]["log_odds_ratio"] == pytest.approx(np.log(31 * 203 / (32 * 41)), rel=1e-13)


def test_a_standard_error_that_rounds_to_nothing_is_held_back():
    fit = shared(fit_of("das28", (50, 60, 70, 80), std_error=0.004))["fits"][0]
    assert "larger unit step" in fit["held_back"][0]["reason"]


def test_covariances_of_a_term_held_back_go_with_it_and_the_others_stay_a_covariance():
    correlation = np.array([[1, 0.3, 0.999], [0.3, 1, 0.31], [0.999, 0.31, 1]])
    rows = [
        fit_of(name, cells).rows[0]
        for name, cells in {"a": (30, 31, 32, 99), "b": (5, 31, 32, 99), "c": (28, 31, 32, 99)}.items()
    ]
    many = ExactFit("full", "all", None, "eular_2021", "firth", "complete_case", 200, 60, rows, correlation)
    fit = shared(many)["fits"][0]
    assert [term["term"] for term in fit["terms"]] == ["a", "c"]
    errors = [term["std_error"] for term in fit["terms"]]
    assert fit["covariance"][0][1] == pytest.approx(0.99 * errors[0] * errors[1])
    nothing_known = ExactFit(
        "full", "all", None, "eular_2021", "firth", "multiple_imputation", 200, 60, rows, None
    )
    assert shared(nothing_known)["fits"][0]["covariance"] is None


def test_correlations_that_rounding_would_make_impossible_are_drawn_in():
    """Where two correlate by 0.99 and 0.9 with a third, they do so by 0.8295 or more with each other: 0.8299 can be, 0.82 not."""
    correlation = np.array([[1, 0.99, 0.9], [0.99, 1, 0.8299], [0.9, 0.8299, 1]])
    assert np.linalg.eigvalsh(correlation)[0] > 0
    assert np.linalg.eigvalsh(np.trunc(correlation * 100) / 100)[0] < 0
    rows = [fit_of(name, (30, 31, 32, 99)).rows[0] for name in "abc"]
    many = ExactFit("full", "all", None, "eular_2021", "firth", "complete_case", 200, 60, rows, correlation)
    fit = shared(many)["fits"][0]
    errors = [term["std_error"] for term in fit["terms"]]
    assert np.linalg.eigvalsh(np.array(fit["covariance"]) / np.outer(errors, errors))[0] > 0


def test_of_cohorts_with_common_patients_only_the_largest_is_shared():
    members = {"audit": frozenset("ab"), "extension": frozenset("cde"), "full": frozenset("abcde")}
    counts = [{"cohort": name, "definition": "eular_2021", "n": 50, "n_met": 20, "n_not_met": 30, "n_not_assessable": 0} for name in members]  # fmt: skip
    found = shared(members=members, counts=counts)
    assert sorted(found["held_back_cohorts"]) == ["audit", "extension"]
    assert "in common with cohort full" in found["held_back_cohorts"]["audit"]
    assert [one["cohort"] for one in found["prevalence"]] == ["full"]
    assert shared(members=members, counts=counts, profile="local_audit")["held_back_cohorts"] == {}


@pytest.mark.parametrize(
    ("profile", "counts", "shown"),
    [
        ("opensafely", (100, 20, 76, 4), (100, 20, 75, None)),
        ("acro", (100, 20, 76, 4), (None, None, None, None)),
        ("acro", (100, 20, 80, 0), (100, 20, 80, 0)),
    ],
)
def test_a_small_count_is_not_left_over_by_the_exact_others(profile, counts, shown):
    names = ("n", "n_met", "n_not_met", "n_not_assessable")
    one = {"cohort": "full", "definition": "eular_2021", **dict(zip(names, counts, strict=True))}
    found = shared(counts=[one], profile=profile)["prevalence"][0]
    assert tuple(found[name] for name in names) == shown


def test_exact_counts_of_a_fit_are_held_back_where_a_few_patients_are_left_between_two_fits():
    fits = (fit_of("obese", (30, 40, 50, 90)), fit_of("smoker", (30, 40, 48, 90)))
    first, second = shared(*fits, profile="acro")["fits"]
    assert (first["n"], second["n"]) == (210, None)
    assert second["terms"]
    assert [fit["n"] for fit in shared(*fits)["fits"]] == [210, 210]


def test_with_exact_counts_a_factor_made_of_the_same_parts_as_one_held_back_is_held_back_too():
    fits = [fit_of(name, cells) for name, cells in {
        "seropositive_both": (9, 40, 60, 200), "rf_positive": (30, 60, 39, 180), "obese": (30, 40, 39, 200)}.items()]  # fmt: skip
    held = {fit["factor"]: fit["held_back"] for fit in shared(*fits, profile="acro")["fits"]}
    assert "same parts" in held["rf_positive"][0]["reason"]
    assert held["obese"] == []


# An attack: which 2 × 2 tables are compatible with everything released, and what is left of the table held back?


def tables_compatible_with(fit: dict, slack: int) -> set[tuple[int, int]]:
    """Exposed patients with and without the outcome, over every n and number of events that round as released."""
    found: set[tuple[int, int]] = set()
    term = fit["terms"][0]
    for n in range(fit["n"] - slack, fit["n"] + slack + 1):
        for events in range(fit["n_events"] - slack, fit["n_events"] + slack + 1):
            a, b = np.arange(1, events)[:, None], np.arange(1, n - events)[None, :]
            c, d = events - a, n - events - b
            fits = np.abs(np.log(a * d / (b * c)) - term["log_odds_ratio"]) < 0.005 + 1e-9
            fits &= np.abs(np.sqrt(1 / a + 1 / b + 1 / c + 1 / d) - term["std_error"]) < 0.005 + 1e-9
            found |= {(int(i) + 1, int(j) + 1) for i, j in np.argwhere(fits)}
    return found


@pytest.mark.parametrize(
    ("profile", "slack", "threshold"), [("opensafely", 2, 7), ("midpoint6", 3, 6), ("acro", 0, 9)]
)
def test_the_table_of_a_factor_held_back_is_not_recovered_from_its_relatives(profile, slack, threshold):
    """either = one + other − both: the margins of four related factors, each released with odds ratio and error."""
    rng, attacked = np.random.default_rng(3), 0
    for _ in range(25):
        n = int(rng.integers(80, 250))
        rf = rng.random(n) < 0.35
        ccp = np.where(rf, rng.random(n) < 0.5, rng.random(n) < 0.2)
        event = rng.random(n) < 0.3 + 0.1 * rf
        exposed = {"rf_positive": rf, "anti_ccp_positive": ccp, "seropositive_any": rf | ccp, "seropositive_both": rf & ccp}  # fmt: skip
        cells = {name: tuple(int((e & o).sum()) for e in (x, ~x) for o in (event, ~event)) for name, x in exposed.items()}  # fmt: skip
        if min(min(four) for four in cells.values()) == 0:
            continue
        made = shared(*(fit_of(name, four) for name, four in cells.items()), profile=profile)["fits"]
        fits = {fit["factor"]: fit for fit in made}
        relatives = ["rf_positive", "anti_ccp_positive", "seropositive_any"]
        if fits["seropositive_both"]["terms"] or not all(fits[name]["terms"] for name in relatives):
            continue
        attacked += 1
        one, other, either = (tables_compatible_with(fits[name], slack) for name in relatives)
        for side in (0, 1):
            left = {x[side] + y[side] - z[side] for x in one for y in other for z in either}
            truth = cells["seropositive_both"][side]
            assert truth in left
            assert truth > threshold or len({value for value in left if 1 <= value <= threshold}) > 1
    assert attacked > 2 or profile == "acro"


@pytest.mark.parametrize("profile", ["opensafely", "acro"])
def test_no_table_with_a_small_count_is_the_only_one_that_a_released_estimate_allows(profile):
    """Every released odds ratio of a table with cells at the threshold: what fits it is never a small cell for sure."""
    profile = load_profile(profile)
    slack, few = (2 if profile.rounding == "nearest" else 0), profile.suppress_up_to
    for smallest in (few + 1, few + 3):
        fit = shared(fit_of("obese", (smallest, 25, 40, 90)), profile=profile.name)["fits"][0]
        found = tables_compatible_with(fit, slack)
        assert (smallest, 25) in found
        assert {cell for cell, _ in found} - set(range(1, few + 1))


# From patients to the file.


def plan(name: str = "all_firth", method: str = "firth", **changes) -> ModelPlan:
    factors = [{"name": "seropositive"}, {"name": "obesity"}, {"name": "disease_duration", "unit_step": 10}]
    return ModelPlan(
        name=name, factors=factors, method=method, above_budget="report_as_exploratory", **changes
    )


def test_each_site_is_fitted_alone_and_its_covariance_is_that_of_its_fit():
    members = analysis_set()
    found = summarise_site("centre_3", {"full": members}, STUDY, [plan(), plan("alone", kind="univariable")])
    own = members.filter(pl.col("site") == "centre_3")
    want = fit_logistic(own, "eular_2021", ["seropositive", "obesity", "disease_duration"], "firth", None, {"disease_duration": 10})  # fmt: skip
    many, *alone = found.fits
    assert [fit.factor for fit in alone] == ["seropositive", "obesity", "disease_duration"]
    kept = want.filter(pl.col("note").ne_missing("reference") & (pl.col("term") != "(Intercept)"))
    assert [row["estimate"] for row in many.rows] == kept["estimate"].to_list()
    matrix = np.column_stack(
        [np.ones(own.height), own["seropositive"], own["obesity"], own["disease_duration"] / 10]
    ).astype(float)
    # the same likelihood by another road: weights p(1 − p)(1 + h) at R's own estimates
    beta = want.filter(pl.col("note").ne_missing("reference"))["estimate"].to_numpy()
    risk = 1 / (1 + np.exp(-matrix @ beta))
    weight = risk * (1 - risk)
    inverse = np.linalg.inv((matrix.T * weight) @ matrix)
    hat = weight * np.einsum("ij,jk,ik->i", matrix, inverse, matrix)
    covariance = np.linalg.inv((matrix.T * (weight * (1 + hat))) @ matrix)[1:, 1:]
    errors = np.array([row["std_error"] for row in many.rows])
    np.testing.assert_allclose(many.correlation * np.outer(errors, errors), covariance, rtol=1e-6)
    assert found.counts == [{"cohort": "full", "definition": "eular_2021", "n": 144, "n_met": int((own["d2t"] == 1).sum()),
                             "n_not_met": int((own["d2t"] == 0).sum()), "n_not_assessable": 0}]  # fmt: skip


def test_with_imputed_data_the_estimates_are_pooled_and_the_covariance_is_that_of_the_complete_cases():
    members = analysis_set().with_columns(
        obesity=pl.when(pl.int_range(pl.len()) % 11 > 0).then("obesity"), site=pl.lit("centre_1")
    )
    missing = {"multiple_imputation": {"m": 2, "iterations": 2}}
    made = summarise_site("centre_1", {"full": members}, STUDY, [plan(missing=missing)]).fits[0]
    assert made.missing == "multiple_imputation"
    complete = summarise_site("centre_1", {"full": members}, STUDY, [plan()]).fits[0]
    np.testing.assert_allclose(made.correlation, complete.correlation)
    assert made.rows[1]["estimate"] != complete.rows[1]["estimate"]
    assert (made.n, complete.n) == (722, 656)


def test_the_covariance_is_unknown_where_the_complete_cases_do_not_bear_the_model():
    """With imputed data there may be an estimate although the complete cases are too few, or lack a level."""
    members = analysis_set().with_columns(twin="obesity")
    factors = [Factor(name=name) for name in ("obesity", "twin")]
    keys = [("obesity", "true"), ("twin", "true")]
    assert _correlation(members, "eular_2021", factors, "firth", keys) is None
    constant = members.with_columns(twin=pl.lit(True))
    assert _correlation(constant, "eular_2021", factors, "firth", keys) is None


def test_the_fits_of_a_cohort_with_one_site_are_taken_as_they_are(tmp_path):
    members = analysis_set().with_columns(site=pl.lit("centre_1"))
    rows, facts = fit_every_outcome(members, plan(), ["eular_2021"], seed=1)
    folder = tmp_path / "full" / "models"
    io.write_each(
        {"all_firth": rows, "all_firth_fit": facts}, [folder / "all_firth.csv", folder / "all_firth_fit.json"]
    )
    fitted = read_fitted(tmp_path, STUDY.model_copy(update={"models": ["all_firth"]}))
    arguments = (STUDY, {"full": members}, [plan()], [load_profile("opensafely")], "0" * 64, [])
    assert share_files(*arguments, fitted) == share_files(*arguments, {})


def test_a_refused_factor_and_one_that_cannot_be_fitted_are_named_without_an_estimate():
    members = analysis_set().with_columns(osteoarthritis=pl.lit(True), fibromyalgia=pl.lit(None, pl.Boolean))
    alone = ModelPlan(
        name="alone", kind="univariable", factors=[{"name": "osteoarthritis"}, {"name": "fibromyalgia"}]
    )
    study = STUDY.model_copy(update={"definitions": ["pseudo_refractory"]})
    renamed = members.rename({"eular_2021": "pseudo_refractory"})  # a definition that reads fibromyalgia
    made = share_files(study, {"full": renamed}, [alone], [load_profile("local_audit")], "0" * 64, [], {})
    fits = made["local_audit", "centre_1"]["fits"]
    assert [(fit["held_back"][0]["term"], fit["terms"]) for fit in fits] == [
        ("osteoarthritis", []),
        ("fibromyalgia", []),
    ]
    assert {fit["held_back"][0]["reason"] for fit in fits} == {"no estimate at this centre"}


def test_the_file_holds_no_patient_and_is_the_same_every_time():
    arguments = (
        STUDY,
        {"full": analysis_set()},
        [plan()],
        [load_profile("opensafely")],
        "0" * 64,
        ["centre_1"],
        {},
    )
    one, two = share_files(*arguments), share_files(*arguments)
    text = json.dumps(one["opensafely", "centre_1"])
    assert text == json.dumps(two["opensafely", "centre_1"])
    assert "NOBODY" not in text
    assert "(Intercept)" not in text
    assert one["opensafely", "centre_1"]["synthetic"] is True


def test_the_protocol_that_is_shared_leaves_out_what_each_centre_has_of_its_own():
    own = {"sites": ["oslo"], "title": "other", "release": ["acro"], "share": "exact_under_agreement"}
    recorded = {"files": {**PROTOCOL["files"], "config/studies/split.yaml": "another"}}
    same = shared_protocol(STUDY, PROTOCOL)
    assert shared_protocol(STUDY.model_copy(update=own), recorded) == same
    assert shared_protocol(STUDY.model_copy(update={"seed": 2}), PROTOCOL) != same
    changed = {"files": {**PROTOCOL["files"], "config/definitions/eular_2021.yaml": "changed"}}
    assert shared_protocol(STUDY, changed) != same


# A file that was changed, or should not have left its centre.


def written(tmp_path, change=None, profile: str = "opensafely", sealed: bool = True):
    """A good file, changed by `change` and sealed again as one would who knows how."""
    one = {
        "cohort": "full",
        "definition": "eular_2021",
        "n": 240,
        "n_met": 70,
        "n_not_met": 170,
        "n_not_assessable": 0,
    }
    content = shared(fit_of("obese", (30, 40, 40, 130)), counts=[one], profile=profile)
    if change:
        change(content)
    if sealed:
        content = seal({name: value for name, value in content.items() if name != "sha256"})
    io.write_json(content, tmp_path / "file.json")
    return tmp_path / "file.json"


def test_a_good_file_is_read(tmp_path):
    assert read_share(written(tmp_path)).fits[0].terms[0].term == "obese"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["fits"][0].update(n_events=3), "fits.0.n_events"),
        (lambda c: c["fits"][0].update(n=7), "fits.0.n'"),
        (
            lambda c: c["fits"][0].update(n=243),
            "fits.0.n'",
        ),  # exact, where the profile rounds to the nearest 5
        (lambda c: c["prevalence"][0].update(n_met=1), "prevalence.0.n_met"),
        (lambda c: c.update(suppress_up_to=0), "suppress_up_to"),
        (lambda c: c["fits"][0]["terms"][0].update(std_error=0.9), "fits.0"),
        (lambda c: c["fits"][0].update(covariance=[[0.5]]), "covariance"),
        (lambda c: c["fits"][0].update(covariance=[]), "covariance"),
        (lambda c: c.update(profile="opensafly"), "did you mean 'opensafely'"),
        (lambda c: c.update(patients=["ann"]), "unknown key 'patients'"),
        (lambda c: c.pop("protocol_sha256"), "'protocol_sha256' is missing"),
        (lambda c: c["fits"][0]["terms"][0].update(std_error=-1), "std_error"),
    ],
)
def test_a_file_with_what_its_profile_does_not_let_out_or_no_such_form_is_refused(tmp_path, change, said):
    with pytest.raises(StudyError, match=said):
        read_share(written(tmp_path, change))


def test_a_term_whose_error_only_a_small_table_gives_is_refused(tmp_path):
    """Four cells of 8 or more leave a standard error of at most √(4/8) = 0.71."""

    def widen(content, error):
        content["fits"][0]["terms"][0]["std_error"] = error
        content["fits"][0]["covariance"] = [[error**2]]

    assert read_share(written(tmp_path, lambda c: widen(c, 0.71)))
    with pytest.raises(
        StudyError, match="standard error of obese can only come from a table with a count of 7"
    ):
        read_share(written(tmp_path, lambda c: widen(c, 0.72)))


def test_a_few_patients_without_the_outcome_are_seen_in_exact_counts(tmp_path):
    with pytest.raises(StudyError, match="9 or fewer patients without the outcome"):
        read_share(written(tmp_path, lambda c: c["fits"][0].update(n_events=231), profile="acro"))


def test_changed_bytes_a_cut_file_another_version_and_no_file_are_refused(tmp_path):
    path = written(tmp_path, lambda c: c["fits"][0]["terms"][0].update(log_odds_ratio=2.0), sealed=False)
    with pytest.raises(StudyError, match="key 'sha256': the file was changed after it was written"):
        read_share(path)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(StudyError, match="not readable as JSON"):
        read_share(path)
    io.write_json({"schema_version": 2}, path)
    with pytest.raises(StudyError, match=r"schema_version.*: 2; this program reads 1"):
        read_share(path)
    io.write_json(["a list"], path)
    with pytest.raises(StudyError, match="schema_version"):
        read_share(path)
    with pytest.raises(StudyError, match="no such file"):
        read_share(tmp_path / "nowhere.json")
