"""Rounds of sums give the fit of all patients together. Reference: R 4.2.2 glm, logistf 1.26.1 (tests/data/reference)."""

import json

import numpy as np
import polars as pl
import pytest

from d2tra import cli, io
from d2tra.centres.rounds import Answer, Round, answer_round, next_round, start_rounds
from d2tra.centres.share import ShareFile, seal
from d2tra.centres.sums import Climb, add_up, fit_from_sums, step, total
from d2tra.errors import StudyError
from d2tra.models import ModelPlan, fit_logistic
from five_centres import CENTRES, FACTORS, REFERENCE, analysis_set, write_centre
from tables import frame

FIRTH = json.loads((REFERENCE / "a_firth.json").read_text())["cases"]
MODELS = ("all_logit", "all_firth")
GLM = json.loads((REFERENCE / "b_glm.json").read_text())["cases"]


@pytest.fixture(scope="module")
def centres(tmp_path_factory):
    """Five centres' folders with their share files, made once."""
    folder = tmp_path_factory.mktemp("centres")
    with pytest.MonkeyPatch.context() as patch:
        for site in CENTRES:
            (folder / site).mkdir()
            patch.chdir(folder / site)
            write_centre(folder / site, site, MODELS)
    return folder


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def go_through_rounds(centres, model: str, folder, monkeypatch) -> pl.DataFrame:
    """The commands as people type them: start, then answers and steps until exact.csv is there."""
    monkeypatch.chdir(centres / CENTRES[0])
    shares = [centres / site / f"{site}.json" for site in CENTRES]
    start = ["pool-exact", "start", *shares, "--model", model, "--cohort", "full", "--study", "split.yaml"]
    assert run(*start, "--out", folder) == 0
    while not (folder / "exact.csv").is_file():
        last = sorted(folder.glob("round_*.json"))[-1]
        for site in CENTRES:
            monkeypatch.chdir(centres / site)
            assert run("pool-exact", "answer", last, "--study", "split.yaml") == 0
        assert run("pool-exact", "step", folder) == 0
    return io.read(folder / "exact.csv")


@pytest.mark.parametrize(
    ("model", "coefficients", "errors"),
    [
        ("all_logit", GLM["cohort722"]["coef"], GLM["cohort722"]["se"]),
        (
            "all_firth",
            FIRTH["cohort722"]["reference"]["coef"],
            FIRTH["cohort722"]["reference"]["se_augmented_logistf124plus"],
        ),
    ],
)
def test_five_centres_that_exchange_sums_get_the_one_stage_fit(
    centres, tmp_path, monkeypatch, model, coefficients, errors
):
    found = go_through_rounds(centres, model, tmp_path / "rounds", monkeypatch)
    assert found["term"].to_list() == ["(Intercept)", *FACTORS]
    np.testing.assert_allclose(found["estimate"], list(coefficients.values()), rtol=0, atol=1e-6)
    np.testing.assert_allclose(found["std_error"], list(errors.values()), rtol=0, atol=1e-6)
    assert found["n"].unique().to_list() == [722]
    assert found["n_events"].unique().to_list() == [90]
    assert len(list((tmp_path / "rounds").glob("round_*.json"))) <= 10


@pytest.mark.parametrize("case", ["cohort95_singleton", "cohort95_quasi6", "endometrial"])
def test_awkward_data_reach_the_peak_that_logistf_reaches(case):
    known = FIRTH[case]
    data = pl.read_csv(REFERENCE / known["file"])
    terms = [term.strip() for term in known["formula"].split("~")[1].split("+")]
    matrix = np.column_stack([np.ones(data.height), *(data[term].to_numpy().astype(float) for term in terms)])
    beta, covariance = fit_from_sums(matrix, data[known["outcome"]].to_numpy().astype(float), "firth")
    np.testing.assert_allclose(beta, list(known["reference"]["coef"].values()), rtol=0, atol=1e-6)
    errors = known["reference"]["se_augmented_logistf124plus"]
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), list(errors.values()), rtol=0, atol=1e-6)


def test_the_sums_of_parts_are_the_sums_of_the_whole():
    rng = np.random.default_rng(1)
    matrix, event = rng.normal(size=(40, 3)), rng.integers(0, 2, 40).astype(float)
    here = Climb(np.array([0.1, -0.2, 0.3]), information=np.eye(3) * 9)
    whole, parts = (
        add_up(matrix, event, here),
        total(add_up(matrix[i::3], event[i::3], here) for i in range(3)),
    )
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_the_derivative_of_the_information_is_that_found_by_small_steps():
    rng = np.random.default_rng(2)
    matrix, event, beta, small = rng.normal(size=(30, 2)), np.zeros(30), np.array([0.2, -0.4]), 1e-6
    derivative = add_up(matrix, event, Climb(beta)).derivative
    for j in range(2):
        sides = [
            add_up(matrix, event, Climb(beta + sign * small * np.eye(2)[j])).information for sign in (1, -1)
        ]
        np.testing.assert_allclose(derivative[:, :, j], (sides[0] - sides[1]) / (2 * small), atol=1e-8)


def test_without_the_agreement_a_centre_does_not_answer_and_says_why(centres, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(centres / "centre_1")
    shares = [centres / site / f"{site}.json" for site in CENTRES]
    common = ["--model", "all_firth", "--cohort", "full", "--study", "split.yaml", "--out", tmp_path]
    assert run("pool-exact", "start", *shares, *common) == 0
    monkeypatch.chdir(tmp_path)
    write_centre(tmp_path, "centre_1", MODELS, share="aggregates")
    assert run("pool-exact", "answer", tmp_path / "round_01.json", "--study", "split.yaml") == 1
    said = capsys.readouterr().err
    assert "'share' is 'aggregates'" in said
    assert "exact_under_agreement" in said
    assert not list(tmp_path.glob("answer_*"))
    assert run("pool-exact", "start", tmp_path / "centre_1.json", shares[1], *common) == 1
    assert "without it: centre_1" in capsys.readouterr().err


def answered(asked: Round, members: pl.DataFrame) -> list[Answer]:
    return [Answer.model_validate(answer_round(asked, site, members)) for site in asked.centres]


def first_content(folder, **changes) -> dict:
    files = [ShareFile.model_validate(io.read_json(folder / site / f"{site}.json")) for site in CENTRES]
    plan = ModelPlan(name="all_firth", factors=[{"name": name} for name in FACTORS], method="firth")
    begun = start_rounds(files, plan, "full", "eular_2021", [])
    return seal({**{name: value for name, value in begun.items() if name != "sha256"}, **changes})


def first_round(folder, **changes) -> Round:
    return Round.model_validate(first_content(folder, **changes))


def test_a_missing_a_double_and_a_foreign_answer_are_refused(centres):
    asked, members = first_round(centres), analysis_set()
    answers = answered(asked, members)
    with pytest.raises(StudyError, match="no answer yet of centre_5"):
        next_round(asked, answers[:4])
    with pytest.raises(StudyError, match="centre_1 too many"):
        next_round(asked, [*answers, answers[0]])
    later = Round.model_validate(next_round(asked, answers))
    with pytest.raises(StudyError, match="not to round 2"):
        next_round(later, answers)
    crooked = answers[0].model_copy(update={"score": [0.0]})
    with pytest.raises(StudyError, match="sums of centre_1 are not those of its 11 columns"):
        next_round(asked, [crooked, *answers[1:]])


def test_a_changed_round_or_answer_is_refused(centres, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "rounds"
    monkeypatch.chdir(centres / "centre_1")
    io.write_json(first_content(centres), folder / "round_01.json")
    assert run("pool-exact", "answer", folder / "round_01.json", "--study", "split.yaml") == 0
    answer = folder / "answer_01_centre_1.json"
    io.write_json({**io.read_json(answer), "n_events": 99}, answer)
    assert run("pool-exact", "step", folder) == 1
    assert "changed after it was written" in capsys.readouterr().err
    io.write_json({**io.read_json(folder / "round_01.json"), "cohort": "audit"}, folder / "round_01.json")
    assert run("pool-exact", "answer", folder / "round_01.json", "--study", "split.yaml") == 1
    assert "changed after it was written" in capsys.readouterr().err


def test_a_round_of_another_protocol_or_of_other_centres_is_not_answered(
    centres, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(centres / "centre_1")
    for number, (change, said) in enumerate(
        (
            ({"protocol_sha256": "0" * 64}, "another protocol"),
            ({"centres": ["oslo", "bergen"]}, "none is a site"),
        )
    ):
        path = tmp_path / f"{number}" / "round_01.json"
        io.write_json(first_content(centres, **change), path)
        assert run("pool-exact", "answer", path, "--study", "split.yaml") == 1
        assert said in capsys.readouterr().err


def test_a_level_that_only_some_centres_have_is_a_column_and_one_that_nobody_named_is_refused(centres):
    members = analysis_set().with_columns(
        smoking=pl.when(pl.col("smoker") & (pl.col("site") == "centre_2")).then(pl.lit("current"))
        .when("depression").then(pl.lit("ex")).otherwise(pl.lit("never"))
    )  # fmt: skip
    columns = [
        {"term": "smoking", "level": level, "reference": "never", "unit_step": 1}
        for level in ("current", "ex")
    ] + [{"term": "age", "level": "per 10", "reference": None, "unit_step": 10}]
    asked = first_round(centres, columns=columns, beta=[0.0] * 4)
    found: Round | pl.DataFrame = asked
    while isinstance(found, Round):
        follows = next_round(found, answered(found, members))
        found = follows if isinstance(follows, pl.DataFrame) else Round.model_validate(follows)
    whole = fit_logistic(
        members, "eular_2021", ["smoking", "age"], "firth", {"smoking": "never"}, {"age": 10}
    )
    want = whole.filter(pl.col("note").ne_missing("reference"))
    assert found.select("term", "level").equals(want.select("term", "level"))
    np.testing.assert_allclose(found["estimate"], want["estimate"], atol=1e-6)
    np.testing.assert_allclose(found["std_error"], want["std_error"], atol=1e-6)
    fewer = first_round(centres, columns=columns[1:], beta=[0.0] * 3)
    with pytest.raises(StudyError, match="smoking has 1 level"):
        answered(fewer, members)


def test_columns_that_the_sums_cannot_tell_apart_are_said_so(centres):
    members = analysis_set().with_columns(pl.lit(True).alias("female"))
    asked = first_round(centres)
    with pytest.raises(StudyError, match="cannot tell the columns"):
        next_round(asked, answered(asked, members))


def test_separated_data_under_logit_never_print_a_great_odds_ratio_without_the_word():
    members = frame("""
        site | patient_id | eular_2021 | exposed
        a | 1 | met | true
        a | 2 | met | true
        a | 3 | not_met | false
        b | 4 | not_met | false
        b | 5 | not_met | false
        b | 6 | met | false
    """)
    content = {
        "number": 1, "study": "s", "protocol_sha256": "0", "synthetic": True, "cohort": "full", "model": "m",
        "definition": "eular_2021", "method": "logit", "centres": ["a", "b"], "beta": [0.0, 0.0],
        "columns": [{"term": "exposed", "level": "true", "reference": "false", "unit_step": 1}],
        "base": None, "loglik": None, "information": None,
    }  # fmt: skip
    found = Round.model_validate(seal(content))
    while isinstance(found, Round):
        follows = next_round(found, answered(found, members))
        found = follows if isinstance(follows, pl.DataFrame) else Round.model_validate(follows)
    assert "separated" in found["note"][1]


def test_a_univariable_model_and_an_unknown_definition_are_refused(centres):
    files = [ShareFile.model_validate(io.read_json(centres / site / f"{site}.json")) for site in CENTRES]
    plan = ModelPlan(name="each", kind="univariable", factors=[{"name": "age"}])
    with pytest.raises(StudyError, match="univariable"):
        start_rounds(files, plan, "full", "eular_2021", [])
    plan = ModelPlan(name="all_firth", factors=[{"name": name} for name in FACTORS])
    with pytest.raises(StudyError, match="did you mean 'eular_2021'"):
        start_rounds(files, plan, "full", "eular_2012", [])
    begun = start_rounds(files, plan, "full", "eular_2021", ["obesity"])
    assert "obesity" not in {column["term"] for column in begun["columns"]}


def test_a_step_that_leads_downhill_is_halved():
    """From far out a full step overshoots: the log likelihood there is lower, so the next place is half way."""
    matrix, event = np.column_stack([np.ones(6), [0, 0, 0, 1, 1, 1]]), np.array([0, 0, 1, 0, 1, 1.0])
    start = Climb(np.array([2.0, 4.0]))
    far = step(start, add_up(matrix, event, start), "logit")
    back = step(far, add_up(matrix, event, far), "logit")
    np.testing.assert_allclose(back.beta, (start.beta + far.beta) / 2)
    assert back.loglik == far.loglik


def test_rounds_that_do_not_end_are_stopped_with_advice(centres):
    asked, members = first_round(centres, number=60), analysis_set()
    with pytest.raises(StudyError, match="no peak after 60 rounds"):
        next_round(asked, answered(asked, members))


def test_a_factor_whose_levels_no_file_names_is_said_so(centres):
    members = analysis_set().with_columns(smoking="smoker")
    asked = first_round(
        centres,
        columns=[{"term": "smoking", "level": None, "reference": None, "unit_step": 1}],
        beta=[0.0] * 2,
    )
    with pytest.raises(StudyError, match="smoking: no centre's file names its levels"):
        answered(asked, members)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--model", "all_frith", "no model 'all_frith', did you mean 'all_firth'?"),
        ("--cohort", "ful", "no cohort 'ful', did you mean 'full'?"),
        ("--definition", "eular", "no definition 'eular'"),
    ],
)
def test_a_start_with_an_unknown_name_says_which_are_known(
    centres, tmp_path, monkeypatch, capsys, option, value, said
):
    monkeypatch.chdir(centres / "centre_1")
    shares = [centres / site / f"{site}.json" for site in CENTRES[:2]]
    asked = {
        "--model": "all_firth",
        "--cohort": "full",
        "--study": "split.yaml",
        "--out": tmp_path,
        option: value,
    }
    assert run("pool-exact", "start", *shares, *(word for pair in asked.items() for word in pair)) == 1
    assert said in capsys.readouterr().err


def test_a_centre_without_results_and_a_folder_without_rounds_are_told_what_to_do(
    centres, tmp_path, monkeypatch, capsys
):
    path = tmp_path / "round_01.json"
    io.write_json(first_content(centres, cohort="audit"), path)
    monkeypatch.chdir(centres / "centre_1")
    assert run("pool-exact", "answer", path, "--study", "split.yaml") == 1
    assert "uv run snakemake --cores all" in capsys.readouterr().err
    assert run("pool-exact", "step", tmp_path / "empty") == 1
    assert "Begin with: d2tra pool-exact start" in capsys.readouterr().err
