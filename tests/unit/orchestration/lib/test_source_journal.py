from datetime import UTC, datetime

import pytest

from orchestration.lib.ingestion import Ingested
from orchestration.lib.source_journal import Attempt, SourceJournal
from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import SourceUnavailableError

AT = datetime(2025, 1, 6, 1, tzinfo=UTC)
FEAR_GREED = find_dataset("alternative_me", "fear_greed")


@pytest.fixture
def journal(tmp_path):
    return SourceJournal(tmp_path / "data")


def test_attempts_come_back_in_the_order_they_were_written(journal):
    answered = Attempt.of(Ingested(FEAR_GREED, received=7, landed=2), run_id="one", at=AT)
    down = Attempt.failed_whole(FEAR_GREED, SourceUnavailableError("host: HTTP 503\nand more"), run_id="two", at=AT)

    journal.add([answered])
    journal.add([down])

    assert journal.attempts() == [answered, down]
    assert down.status == "down"
    assert down.reason == "host: HTTP 503 and more"


def test_a_load_in_which_some_things_failed_says_which_came_first(journal):
    result = Ingested(FEAR_GREED, received=3, failures={"BTC/USDT": "HTTP 400", "ETH/USDT": "HTTP 500"})

    attempt = Attempt.of(result, run_id="one", at=AT)

    assert (attempt.status, attempt.failed, attempt.reason) == ("partly", 2, "BTC/USDT: HTTP 400")


def test_a_line_torn_by_a_kill_is_left_out_and_does_not_spoil_the_next(journal):
    journal.add([Attempt.of(Ingested(FEAR_GREED), run_id="one", at=AT)])
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + whole[: len(whole) // 2] + b"\n")

    journal.add([Attempt.of(Ingested(FEAR_GREED), run_id="two", at=AT)])

    assert [attempt.run_id for attempt in journal.attempts()] == ["one", "two"]


def test_nothing_is_written_before_the_first_attempt(journal):
    journal.add([])

    assert journal.attempts() == []
    assert not journal.path.exists()
