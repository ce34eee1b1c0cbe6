"""A backup made beside a run, restored into an empty folder: verified, and the next week comes out as in the original."""

import pytest

from tests.conftest import SOURCES_DOWN
from tests.watching import log_of

CONTENT = ["table_name", "unit", "version", "content_hash", "row_count", "as_of_week"]


def test_a_backup_of_a_whole_folder_comes_back_and_verifies_as_it_did(first, fresh, tmp_path):
    made = first.call("backup", "--to", str(tmp_path / "backup"))
    restored = fresh.call("restore", "--from", str(tmp_path / "backup"))

    assert made.code == 0, made.said
    assert restored.code == 0, restored.said
    assert fresh.ledger().equals(first.ledger())
    assert fresh.call("verify").out.replace(str(fresh.folder), "") == first.call("verify").out.replace(
        str(first.folder), ""
    )


@pytest.mark.slow
def test_a_backup_beside_a_run_continues_like_the_original(own, fresh, next_week, wait_for, tmp_path):
    """A drill: a run of the next week, during which the backup is asked for, and that of the week after in both folders."""
    (own.folder / "run.log").unlink()
    with own.started("run", TIDEMARK_AS_OF="2025-01-13", **SOURCES_DOWN) as running:
        wait_for(lambda: "STEP_START" in log_of(own.folder), what="the run")
        made = own.call("backup", "--to", str(tmp_path / "backup"), "--wait", "30")
        assert running.wait().code == 0

    assert made.code == 0, made.said
    assert "waiting for its end" in made.out
    assert fresh.call("restore", "--from", str(tmp_path / "backup")).code == 0
    assert fresh.ledger().select(CONTENT).equals(next_week.tidemark.ledger().select(CONTENT))
    for folder in (own, fresh):
        folder.run(TIDEMARK_AS_OF="2025-01-20")
    assert fresh.ledger().select(CONTENT).equals(own.ledger().select(CONTENT))
    assert fresh.call("verify").code == 0
