"""What a user did that the program cannot go on with: said in plain words, never as a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class StudyError(Exception):
    """A user's mistake. The message says what, where, how many and how to mend; it holds no patient value."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """Returns ", did you mean 'x'?" for the choice most like `word`, or "" where none is alike."""
    matches = difflib.get_close_matches(word.casefold(), list(choices), n=1, cutoff=0.6)
    return f", did you mean {matches[0]!r}?" if matches else ""
