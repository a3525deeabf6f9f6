"""The small study, built once for all tests of the session."""

import pytest

from small_study import Run, build_small_study


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return build_small_study(tmp_path_factory)
