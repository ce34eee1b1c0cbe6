"""Alerts on what a run really publishes."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "alerts.md"


def test_the_rules_of_the_page_work_on_a_first_run(first, tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    (tmp_path / "alerts.yaml").write_text(example)

    finished = first.call("alerts", "--dry-run", TIDEMARK_ALERTS_DIR=str(tmp_path))

    assert finished.code == 0, finished.said
    assert "Index changes: week of 2025-01-06" in finished.out
    assert "moonshot" not in finished.out
    assert "own alert" not in finished.out


def test_a_dry_run_prints_what_the_first_week_has_to_tell_and_writes_nothing(first, tree):
    before = tree(first.folder / "published")

    finished = first.call("alerts", "--dry-run")

    assert finished.code == 0, finished.said
    assert "Index changes: week of 2025-01-06 (simulated data)" in finished.out
    assert "New on the moonshot list: week of 2025-01-06 (simulated data)" in finished.out
    assert "cannot be read" not in finished.said
    assert tree(first.folder / "published") == before
    assert not (first.folder / "alerts_journal.json").exists()


def test_alerts_are_off_until_there_is_an_address(first, fresh):
    off, nothing = first.call("alerts"), fresh.call("alerts")

    assert (off.code, nothing.code) == (2, 2)
    assert "TIDEMARK_ALERTS_URLS is not set; make alerts DRY_RUN=1" in off.err
    assert "run make run first" in nothing.err


def test_a_run_whose_alerts_cannot_work_is_refused_before_anything_is_written(fresh):
    finished = fresh.call("run", TIDEMARK_ALERTS_URLS="phone=nosuch://canary-5e0c2b71")

    assert finished.code == 2
    assert "apprise cannot use the address 'phone'" in finished.err
    assert "canary" not in finished.said
    assert not fresh.folder.exists()
