"""What every test may rely on."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
BUILDS = {"small", "again"}  # fixtures that run the workflow once for all


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of what is built come first: they all lie in one worker's first share, and the other does the rest meanwhile
    instead of waiting for the same build."""
    items.sort(key=lambda item: BUILDS.isdisjoint(item.fixturenames))
