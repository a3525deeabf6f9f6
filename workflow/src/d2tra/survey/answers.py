"""The file of a survey's responses: screened for identifiers, then each answer as the keys of its options."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from d2tra.errors import StudyError, nearest
from d2tra.extract.screen import screen_extract
from d2tra.extract.site import SiteMapping, TableSource
from d2tra.extract.sources import read_cells, source_label
from d2tra.survey.codebook import NO_THEME, OTHER, Question, Survey

ASKED, STRAY = " asked", " stray"  # behind a question's name: who was asked it, who answered it all the same


def read_answers(survey: Survey) -> pl.DataFrame:
    """Returns one row per respondent, in the order of the file; no column holds what anybody wrote.

    Per question: `<name>`, the keys of the options chosen (List(String); null: not answered, or not asked; a text answer gives its
    themes); `<name> asked` (Boolean; null: the answer it hangs on is not known); `<name> stray` (Boolean): answered though
    not asked, which counts as no answer. StudyError where the file holds what may identify somebody, has other columns
    than the codebook, names a respondent twice, or has an answer that the codebook does not know.
    """
    source = _source(survey)
    path = _path(survey)
    _refuse_identifiers(survey, path, source)
    cells = read_cells(path, source)
    _refuse_other_columns(survey, cells.columns, source_label(path, source))
    if survey.respondent:
        _refuse_repeated(cells[survey.respondent], survey)
    words = cells.select(
        _word(pl.col(name)).alias(name) for name in survey.columns() if name in cells.columns
    )
    answers = pl.DataFrame({"row": cells["source_row"]})
    for name, question in survey.questions.items():
        chosen = _chosen(words, question, survey)
        _refuse_unknown(words, cells["source_row"], name, question, survey)
        answers = _with_question(answers, name, question, chosen)
    return answers.drop("row")


def _with_question(answers: pl.DataFrame, name: str, question: Question, chosen: pl.Series) -> pl.DataFrame:
    """Adds the question's three columns: an answer of somebody who was not asked, or of whom that is not known, is set aside."""
    asked: pl.Expr = pl.lit(True)
    if question.asked_if:
        parent = pl.col(question.asked_if.question)
        hit = pl.any_horizontal(parent.list.contains(key) for key in question.asked_if.chosen)
        was_asked = pl.col(question.asked_if.question + ASKED)
        asked = pl.when(was_asked.not_()).then(False).otherwise(hit)
    given = answers.with_columns(chosen.alias(name), asked.alias(name + ASKED))
    is_asked = pl.col(name + ASKED).fill_null(False)
    return given.with_columns(
        (pl.col(name).is_not_null() & ~is_asked).alias(name + STRAY),
        pl.when(is_asked).then(name).alias(name),
    )


def _chosen(words: pl.DataFrame, question: Question, survey: Survey) -> pl.Series:
    """The keys chosen by each respondent; null where nothing, or only a word for nothing, stands there."""
    missing = _plain([*survey.missing, *question.missing])
    if question.columns:
        return words.select(_ticked(question, missing)).to_series()
    assert question.column
    cell = _filled(pl.col(question.column), missing)
    if question.kind == "free_text":
        found = [
            pl.when(cell.str.contains(_any_of(words_of))).then(pl.lit(theme))
            for theme, words_of in question.themes.items()
        ]
        none = pl.when(~pl.any_horizontal(cell.str.contains(_any_of(w)) for w in question.themes.values()))
        themes = [*found, none.then(pl.lit(NO_THEME))] if found else [pl.lit(None, pl.String)]
        keys = pl.concat_list(themes).list.drop_nulls()
    else:
        parts = cell.str.split(question.separator) if question.separator else pl.concat_list(cell)
        keys = parts.list.eval(_key(pl.element().str.strip_chars(), question)).list.drop_nulls()
        keys = keys.list.unique(maintain_order=True)
    return words.select(pl.when(cell.is_not_null()).then(keys)).to_series()


def _key(word: pl.Expr, question: Question) -> pl.Expr:
    """The option whose key or label the word is; the open option, where there is one, for any other."""
    known = _words_of_options(question)
    key = word.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.String)
    if question.other:
        key = pl.coalesce(key, pl.when(word != "").then(pl.lit(OTHER)))
    return key


def _words_of_options(question: Question) -> dict[str, str]:
    labels = {_folded(option.label): key for key, option in question.options.items()}
    return labels | {_folded(key): key for key in question.options}


def _ticked(question: Question, missing: list[str]) -> pl.Expr:
    """Columns of ticks: whoever ticked one, or wrote in one that it is not so, has answered; a blank beside it is no tick."""
    ticks, said_no, any_missing = [], [], []
    for column in question.columns:
        cell = pl.col(column)
        ticks.append(cell.is_in(_ticks(question, column)).fill_null(False))
        said_no.append(cell.is_in(_plain(question.unticked)).fill_null(False))
        any_missing.append(cell.is_in(missing).fill_null(False))
    keys = [
        pl.when(tick).then(pl.lit(key)) for tick, key in zip(ticks, question.columns.values(), strict=True)
    ]
    answered = pl.any_horizontal(*ticks, *said_no) & ~pl.any_horizontal(any_missing)
    return pl.when(answered).then(pl.concat_list(keys).list.drop_nulls())


def _ticks(question: Question, column: str) -> list[str]:
    """Forms write an x, a 1, or the option itself."""
    key = question.columns[column]
    return _plain([*question.ticked, key, question.options[key].label])


def _refuse_unknown(
    words: pl.DataFrame, rows: pl.Series, name: str, question: Question, survey: Survey
) -> None:
    """Raises StudyError for cells that are no answer of the codebook; what stands in them is not said."""
    if question.kind == "free_text":
        return
    missing = _plain([*survey.missing, *question.missing])
    for column in [question.column] if question.column else question.columns:
        assert column
        if question.columns:
            known = [*_ticks(question, column), *_plain(question.unticked), *missing]
            is_unknown = ~pl.col(column).is_in(known)
        else:
            cell = _filled(pl.col(column), missing)
            parts = cell.str.split(question.separator) if question.separator else pl.concat_list(cell)
            part = pl.element().str.strip_chars()
            unknown = (part != "") & _key(part, question).is_null()
            is_unknown = parts.list.eval(unknown).list.any() & cell.is_not_null()
        at = rows.filter(words.select(is_unknown.fill_null(False)).to_series())
        if at.len():
            raise StudyError(
                f"survey {survey.name}: question {name!r}: column {column!r} has {at.len()} cells (the first in row {at[0]}) "
                "with an answer that the codebook does not know. Name it under `options:`, `missing:` or, of ticks, "
                "`ticked:` and `unticked:`; or say what any other answer is called (`other:`)."
            )


def _refuse_identifiers(survey: Survey, path: Path, source: TableSource) -> None:
    """Raises StudyError that names each column with an e-mail address, a name, a phone number … and how many cells have it."""
    site = SiteMapping(
        name=survey.name,
        path=survey.name,
        source=path.parent.as_posix(),
        tables={"visits": source},
        id_columns=[survey.respondent] if survey.respondent else [],
    )
    hits = screen_extract(site).hits
    if hits:
        found = "\n".join(
            f"  {hit.file}, {hit.column}: {hit.kind}, {hit.count} cell{'s' * (hit.count != 1)}"
            for hit in hits
        )
        raise StudyError(
            f"The responses of survey {survey.name} hold what may identify respondents; nothing of them was counted.\n{found}\n"
            "Remove these columns or cells from the file and run again. Number the respondents instead (`respondent:`); "
            "answers in words stand under a question of kind free_text."
        )


def _refuse_other_columns(survey: Survey, there: list[str], label: str) -> None:
    there = [name for name in there if name != "source_row"]
    wanted = [*survey.columns(), *survey.ignore]
    absent = [name for name in wanted if name not in there]
    if absent:
        raise StudyError(
            f"survey {survey.name}: {label} has no column {absent[0]!r}{nearest(absent[0], there)} ({len(absent)} such)."
        )
    left = [name for name in there if name not in wanted]
    if left:
        raise StudyError(
            f"survey {survey.name}: {label} has {len(left)} columns that the codebook does not read: "
            f"{', '.join(map(repr, left))}. Give each its question, or name it under `ignore:`."
        )


def _refuse_repeated(respondents: pl.Series, survey: Survey) -> None:
    n_repeated, n_empty = respondents.drop_nulls().is_duplicated().sum(), respondents.null_count()
    if n_repeated or n_empty:
        raise StudyError(
            f"survey {survey.name}: column {survey.respondent!r}: {n_repeated} rows share their respondent with another row, "
            f"{n_empty} have none. Keep one row per respondent, each with its own number."
        )


def _source(survey: Survey) -> TableSource:
    assert survey.responses
    texts = [q.column for q in survey.questions.values() if q.kind == "free_text" and q.column]
    stated = survey.responses.model_dump() | {"file": Path(survey.responses.file).name}
    return TableSource(**stated, allow_text=texts)


def _path(survey: Survey) -> Path:
    assert survey.responses
    return Path(survey.responses.file)


def _word(cell: pl.Expr) -> pl.Expr:
    return cell.str.replace_all(r"\s+", " ").str.to_lowercase()


def _filled(cell: pl.Expr, missing: list[str]) -> pl.Expr:
    return pl.when(~cell.is_in(missing)).then(cell)


def _folded(text: str) -> str:
    return " ".join(text.split()).lower()


def _plain(texts: Iterable[str]) -> list[str]:
    return list(map(_folded, texts))


def _any_of(words: Iterable[str]) -> str:
    """A pattern for any of the words, whole."""
    return rf"\b(?:{'|'.join(re.escape(word) for word in _plain(words))})\b"
