"""What may not be asked of Snakemake; the other faults are provoked by benchmarks/faults.py."""

import pytest

from small_study import run_workflow, write_small_study

pytestmark = pytest.mark.slow
SCREEN = "results/small/private/sites/small_site/screen.json"


def test_half_a_result_is_never_kept(tmp_path):
    run = run_workflow(write_small_study(tmp_path), SCREEN, "--keep-incomplete", cores=1)
    assert run.returncode
    assert "--keep-incomplete is refused" in run.screen
    assert "Traceback" not in run.screen
    assert not (tmp_path / SCREEN).exists()
