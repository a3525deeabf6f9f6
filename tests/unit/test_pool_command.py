"""`d2tra pool`: five centres' files in, pooled estimates, tables and forest plots out; what is refused, in words."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from d2tra import cli, io
from d2tra.centres.disclosed import share_files
from d2tra.centres.pool import pool_counts_of, pool_estimates_of, questions
from d2tra.centres.share import read_shares, seal
from d2tra.config import Cohort, Study
from d2tra.disclosure import load_profile
from d2tra.figures.across_centres import draw
from d2tra.figures.style import load_style
from d2tra.models import ModelPlan, fit_logistic
from d2tra.pooling import meta_analyse, pool_jointly
from d2tra.tables.cells import as_cells, text_cell
from five_centres import CENTRES, analysis_set

FACTORS = ["seropositive", "obesity", "disease_duration", "smoking"]


def with_smoking(members: pl.DataFrame) -> pl.DataFrame:
    """A factor of three levels."""
    return members.with_columns(
        smoking=pl.when("smoker")
        .then(pl.lit("current"))
        .when("depression")
        .then(pl.lit("ex"))
        .otherwise(pl.lit("never"))
    )


def plans(*kinds: str) -> list[ModelPlan]:
    factors = [
        {"name": name, "reference": "never"} if name == "smoking" else {"name": name} for name in FACTORS
    ]
    known = {
        "all": ModelPlan(name="all", factors=factors, method="firth", above_budget="report_as_exploratory"),
        "each": ModelPlan(name="each", kind="univariable", factors=factors, method="firth"),
    }
    return [known[kind] for kind in kinds]


def write_shares(
    folder: Path, members: pl.DataFrame, profiles: list[str], *kinds: str
) -> dict[str, list[Path]]:
    """Returns profile → the files of the five centres."""
    for site in CENTRES:
        study = Study(name="split", title="t", sites=[site], cohorts=[Cohort(name="full")], definitions=["eular_2021"],
                      models=list(kinds), seed=1)  # fmt: skip
        own = members.filter(pl.col("site") == site)
        loaded = [load_profile(profile) for profile in profiles]
        made = share_files(study, {"full": own}, plans(*kinds), loaded, "a" * 64, CENTRES, {})
        for (profile, name), content in made.items():
            io.write_json(content, folder / profile / f"{name}.json")
    return {profile: [folder / profile / f"{site}.json" for site in CENTRES] for profile in profiles}


@pytest.fixture(scope="module")
def shares(tmp_path_factory):
    folder, members = tmp_path_factory.mktemp("shares"), with_smoking(analysis_set())
    return write_shares(folder, members, ["local_audit", "opensafely"], "all", "each")


@pytest.mark.parametrize(("times", "furthest"), [(1, 0.7), (15, 0.1)])
def test_two_stages_come_within_their_approximation_of_the_one_stage_fit(tmp_path, times, furthest):
    """18 events each leave up to 0.7 standard errors; 15 times as many, dealt out evenly, less than 0.1."""
    dealt = pl.format("centre_{}", (pl.int_range(pl.len()) + pl.int_range(pl.len()) // 722) % 5 + 1)
    members = pl.concat([with_smoking(analysis_set())] * times).with_columns(site=dealt)
    whole = fit_logistic(members, "eular_2021", FACTORS, "firth", {"smoking": "never"})
    one = {(row["term"], row["level"]): row for row in whole.iter_rows(named=True)}
    files = read_shares(write_shares(tmp_path, members, ["local_audit"], "all")["local_audit"])
    pooled = pool_estimates_of(files).filter(pooling="joint")
    assert pooled.height == 5
    for row in pooled.iter_rows(named=True):
        want = one[row["term"], row["level"]]
        assert abs(row["estimate"] - want["estimate"]) < furthest * want["std_error"]
        assert row["std_error"] == pytest.approx(want["std_error"], rel=0.1)
        assert (row["n"], row["n_events"]) == (722 * times, 90 * times)


def test_each_term_is_pooled_by_meta_analysis_of_the_released_numbers(shares):
    files = read_shares(shares["local_audit"])
    asked = next(one for one in questions(files) if (one.model, one.term) == ("each", "obesity"))
    estimates = [one.term.log_odds_ratio for one in asked.given]
    errors = [one.term.std_error for one in asked.given]
    rows = pool_estimates_of(files).filter(model="each", term="obesity")
    for pooling, method, ci in (("reml", "reml", "hksj"), ("dl", "dl", "hksj"), ("fixed", "fixed", "wald")):
        want, found = (
            meta_analyse(estimates, errors, method, ci),
            rows.filter(pooling=pooling).row(0, named=True),
        )
        assert found["estimate"] == want.estimate
        assert found["ci_low"] == pytest.approx(np.exp(want.ci_low))
        assert (found["i2"], found["tau2"], found["interval"]) == (want.i2, want.tau2, ci)
        if want.prediction_low is not None:
            assert found["prediction_high"] == pytest.approx(np.exp(want.prediction_high))
    assert rows["pooling"].to_list() == ["reml", "dl", "fixed"]  # one estimate: nothing to pool together


def test_effects_pooled_together_are_those_of_generalised_least_squares():
    """Two studies of two effects, a third that has the second only: by hand, stacked, (XᵀV⁻¹X)⁻¹XᵀV⁻¹y."""
    first, second = np.array([[0.04, 0.01], [0.01, 0.09]]), np.array([[0.05, -0.02], [-0.02, 0.06]])
    studies = [
        ([0, 1], [0.5, 1.0], first.tolist()),
        ([0, 1], [0.7, 0.6], second.tolist()),
        ([1], [0.9], [[0.04]]),
    ]
    design = np.array([[1, 0], [0, 1], [1, 0], [0, 1], [0, 1]])
    weight = np.zeros((5, 5))
    weight[:2, :2], weight[2:4, 2:4], weight[4, 4] = np.linalg.inv(first), np.linalg.inv(second), 25
    inverse = np.linalg.inv(design.T @ weight @ design)
    want = inverse @ design.T @ weight @ np.array([0.5, 1.0, 0.7, 0.6, 0.9])
    found = pool_jointly(2, studies)
    np.testing.assert_allclose([one.estimate for one in found], want)
    np.testing.assert_allclose([one.std_error for one in found], np.sqrt(np.diag(inverse)))
    alone = pool_jointly(1, [([0], [0.5], [[0.04]]), ([0], [0.8], [[0.09]])])[0]
    common = meta_analyse([0.5, 0.8], [0.2, 0.3], "fixed", "wald")
    assert (alone.estimate, alone.ci_low, alone.p_value) == pytest.approx(
        (common.estimate, common.ci_low, common.p_value)
    )


def test_under_opensafely_the_centres_that_hold_a_term_back_are_named(shares):
    pooled = pool_estimates_of(read_shares(shares["opensafely"]))
    lone = pooled.filter(pl.col("estimate").is_null())
    assert set(lone["note"]) <= {"one centre only: not pooled", "no centre has an estimate"}
    some = pooled.filter(model="each", term="obesity", pooling="reml").row(0, named=True)
    assert some["n_centres"] == len(some["centres"].split("; ")) < 5
    assert some["held_back"].count("a count from 1 to 7") == 5 - some["n_centres"]


def test_a_centre_that_could_not_fit_a_factor_and_one_without_the_cohort_are_named_and_counted(
    shares, tmp_path
):
    def lack(content):
        """Smoking does not vary there: it is named without its levels, and the others are adjusted for fewer factors."""
        for fit in content["fits"]:
            gaps = [term for term in fit["terms"] if term["term"] == "smoking"]
            fit["held_back"] = [
                {"term": "smoking", "level": None, "reference": None, "reason": "no estimate at this centre"}
            ]
            fit["terms"] = [term for term in fit["terms"] if term not in gaps]
            fit["covariance"] = None

    def without_cohort(content):
        content.update(fits=[], prevalence=[], held_back_cohorts={"full": "has patients in common"})

    paths = []
    for path, change in zip(shares["local_audit"], [lack, without_cohort, None, None, None], strict=True):
        content = io.read_json(path)
        if change:
            change(content)
        paths.append(changed_content(content, tmp_path / path.name))
    pooled = pool_estimates_of(read_shares(paths)).filter(model="all", pooling="reml")
    assert pooled.filter(pl.col("term") == "smoking")["level"].to_list() == ["current", "ex"]
    smoking, obesity = (pooled.filter(term=term).row(0, named=True) for term in ("smoking", "obesity"))
    assert smoking["held_back"] == "centre_1: no estimate at this centre; centre_2: has patients in common"
    assert (smoking["n_centres"], obesity["n_centres"]) == (3, 4)
    assert "adjusted for fewer factors in 1 centre(s)" in obesity["note"]
    joint = pool_estimates_of(read_shares(paths)).filter(model="all", pooling="joint")
    assert joint.is_empty()  # a covariance is not known


def test_prevalence_is_the_sum_over_the_centres_that_released_it(shares, tmp_path):
    paths = [tmp_path / path.name for path in shares["opensafely"]]
    for number, (old, new) in enumerate(zip(shares["opensafely"], paths, strict=True)):
        content = io.read_json(old)
        content["prevalence"][0]["n_not_assessable"] = None if number == 1 else 0
        content["prevalence"][0]["n_met"] = None if number == 0 else content["prevalence"][0]["n_met"]
        changed_content(content, new)
    together = pool_counts_of(read_shares(paths)).filter(pl.col("site").is_null()).row(0, named=True)
    assert (together["n_centres"], together["n"], together["n_not_assessable"]) == (4, 4 * 145, None)
    assert together["n_met"] == sum(io.read_json(path)["prevalence"][0]["n_met"] for path in paths[1:])


@pytest.mark.slow
def test_the_command_writes_tables_and_forest_plots_the_same_every_time(shares, tmp_path, capsys):
    """One of three files is internal, and so are the pages made of it."""
    files, folders = (
        [*shares["opensafely"][:2], shares["local_audit"][2]],
        [tmp_path / "one", tmp_path / "two"],
    )
    for folder in folders:
        assert cli.main(["pool", *map(str, files), "--out", str(folder)]) == 0
    assert "3 centres (centre_1, centre_2, centre_3)" in capsys.readouterr().out
    names = {path.name for path in folders[0].iterdir()}
    endings = ("csv", "html", "docx", "xlsx", "tex")
    assert {
        f"{table}.{ending}" for table in ("all_full", "each_full", "prevalence") for ending in endings
    } <= names
    assert {
        f"{model}_full_forest.{ending}" for model in ("all", "each") for ending in ("svg", "pdf", "png")
    } <= names
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    page = (folders[0] / "all_full.html").read_text()
    for word in ("SYNTHETIC DATA", "held back", "exploratory", "Disclosure control (opensafely)", "prediction interval",
                 "internal: not for release"):  # fmt: skip
        assert word in page
    drawn = (folders[0] / "all_full_forest.svg").read_text()
    assert "exploratory" in drawn
    assert "NOBODY" not in page + drawn


def test_what_is_held_back_has_no_line_in_the_forest_plot_but_a_row_in_the_table():
    estimate = {"kind": "estimate", "estimate": 2.0, "low": 1.0, "high": 4.0}
    cells = as_cells([
        {"row": "Obesity", "level": "oslo", "column": "OR", **estimate},
        text_cell("Obesity", "OR", "held back", "leeds"),
        {"row": "Obesity", "level": "Together", "column": "OR", **estimate},
        text_cell("Obesity", "PI", "0.50–8.00", "Together", low=0.5, high=8.0),
        text_cell("Smoking", "OR", "held back", "oslo"),
    ])  # fmt: skip
    axes = draw(cells, load_style(), "OR", "PI", {"Together": "main"}).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Obesity", "oslo", "Together"]
    assert len(axes.patches) == 1
    assert axes.patches[0].get_xy()[:, 0].tolist()[:4] == [1.0, 2.0, 4.0, 2.0]
    assert [0.5, 8.0] in [list(line.get_xdata()) for line in axes.lines]


def test_a_folder_that_holds_something_else_is_left_alone(shares, tmp_path, capsys):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "draft.txt").write_text("mine")
    assert cli.main(["pool", *map(str, shares["opensafely"]), "--out", str(tmp_path / "letters")]) == 1
    assert "name a new folder" in capsys.readouterr().err
    assert (tmp_path / "letters" / "draft.txt").read_text() == "mine"


def changed_content(content: dict, path: Path) -> Path:
    """Writes the content sealed anew, as one would who knows how."""
    io.write_json(seal({name: value for name, value in content.items() if name != "sha256"}), path)
    return path


def changed(path, folder, **keys):
    return changed_content({**io.read_json(path), **keys}, folder / path.name)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"protocol_sha256": "b" * 64}, "another protocol than that of"),
        ({"synthetic": False}, "synthetic data are not pooled with real ones"),
        ({"site": "centre_1"}, "'centre_1' is already in"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(shares, tmp_path, capsys, keys, said):
    first, second = shares["opensafely"][:2]
    other = changed(second, tmp_path, **keys)
    assert cli.main(["pool", str(first), str(other), "--out", str(tmp_path / "pooled")]) == 1
    message = capsys.readouterr().err
    assert said in message
    assert other.name in message
    assert not (tmp_path / "pooled").exists()


def test_one_file_and_a_tampered_file_are_refused(shares, tmp_path, capsys):
    first, second = shares["opensafely"][:2]
    assert cli.main(["pool", str(first), "--out", str(tmp_path / "pooled")]) == 1
    assert "two centres or more; given: 1" in capsys.readouterr().err
    tampered = tmp_path / second.name
    tampered.write_text(second.read_text().replace('"n_events": 20', '"n_events": 25'))
    assert tampered.read_text() != second.read_text()
    assert cli.main(["pool", str(first), str(tampered), "--out", str(tmp_path / "pooled")]) == 1
    assert "changed after it was written" in capsys.readouterr().err
