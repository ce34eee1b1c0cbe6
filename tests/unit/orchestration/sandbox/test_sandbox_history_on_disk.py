"""The panel's history lies on disk: what is read back is what was written, and memory does not grow with the market."""

import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.day_blocks import BLOCK_DAYS, DayBlocks
from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.settings import SimulationSettings

MEMORY_OF_A_LARGE_MARKET = """
from datetime import UTC, date, datetime
from pathlib import Path

from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.settings import SimulationSettings

def highest_megabytes():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

before = highest_megabytes()
market = simulate_market(SimulationSettings(tokens=2_000, start=date(2021, 7, 5)))
served = ServedMarket(market, SandboxClock(datetime(2025, 1, 6, tzinfo=UTC)))
served.moment()
for index in range(len(market.members)):
    served.chart(index)
print(highest_megabytes() - before)
"""


def written(values: np.ndarray) -> DayBlocks:
    """A file with values of shape (fields, days, tokens)."""
    fields, days, tokens = values.shape
    blocks = DayBlocks(days=days, fields=fields, tokens=tokens)
    for first in range(0, days, BLOCK_DAYS):
        blocks.append(values[:, first : first + BLOCK_DAYS])
    return blocks


@given(days=st.integers(1, 3 * BLOCK_DAYS + 1), fields=st.integers(1, 3), tokens=st.integers(1, 4))
def test_every_token_and_every_day_is_read_back_as_it_was_written(days: int, fields: int, tokens: int):
    values = np.random.default_rng(days).standard_normal((fields, days, tokens))

    blocks = written(values)

    for index in range(tokens):
        assert np.array_equal(blocks.token(index), values[:, :, index])
    for day in range(days):
        assert np.array_equal(blocks.day(day), values[:, day])


def test_a_file_that_lacks_days_is_an_error_and_no_zeros():
    blocks = DayBlocks(days=BLOCK_DAYS + 1, fields=1, tokens=1)
    blocks.append(np.ones((1, BLOCK_DAYS, 1)))

    with pytest.raises(OSError, match="scratch file ended 256 bytes early"):
        blocks.token(0)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed from Linux")
def test_the_file_has_no_name_and_is_closed_with_its_market():
    def open_files() -> list[str]:
        links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        return [str(link.readlink()) for link in links]

    before = len(open_files())

    blocks = written(np.ones((1, 5, 2)))

    assert len(open_files()) == before + 1
    assert any(name.endswith("(deleted)") for name in open_files())
    del blocks
    assert len(open_files()) == before


def test_a_field_is_indexed_as_the_matrix_it_stands_for(market: SimulatedMarket):
    for field in (market.panel.close, market.panel.supply):
        dense = np.asarray(field)
        some_days = np.array([3, 700, 1200])

        assert field.shape == dense.shape == (len(field), len(market.members))
        for key in (
            (700, 5),
            700,
            -1,
            (-1, -2),
            (slice(None), 5),
            (some_days, 5),
            (slice(10, 20), 5),
            (700, slice(2, 9)),
            (700, np.array([1, 5])),
            (slice(5, 9), [1, 2]),
        ):
            assert np.array_equal(field[key], dense[key], equal_nan=True), key


def test_what_is_read_cannot_be_written_to_by_accident(market: SimulatedMarket):
    with pytest.raises(ValueError, match="read-only"):
        market.panel.token(0).close[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        market.panel.day(0).cap[:] = 0.0


def test_lowest_and_highest_prices_are_those_of_the_whole_life(market: SimulatedMarket):
    assert np.array_equal(market.panel.lowest, np.nanmin(np.asarray(market.panel.low), axis=0))
    assert np.array_equal(market.panel.highest, np.nanmax(np.asarray(market.panel.high), axis=0))


def test_closed_days_end_yesterday_and_hold_the_truth(market: SimulatedMarket):
    served = ServedMarket(market, SandboxClock(datetime(2024, 3, 5, 18, tzinfo=UTC)))
    yesterday = (date(2024, 3, 4) - market.settings.start).days
    index = next(i for i, birth in enumerate(market.lifetimes.birth) if 0 < birth < 300)

    read = {
        "price_usd": served.closes(index),
        "volume_usd": served.volumes(index),
        "market_cap_usd": served.caps(index),
        "circulating_supply_tokens": served.supplies(index),
    }

    rows = market.daily.filter(coin_id=market.members[index].coin_id).head(
        yesterday - market.lifetimes.birth[index] + 1
    )
    for name, (days, values) in read.items():
        assert days.tolist() == list(range(market.lifetimes.birth[index], yesterday + 1))
        assert values.tolist() == rows[name].to_list()


def test_a_token_not_yet_born_has_no_closed_days(market: SimulatedMarket):
    served = ServedMarket(market, SandboxClock(datetime(2022, 1, 10, tzinfo=UTC)))
    index = int(market.lifetimes.birth.argmax())

    days, closes = served.closes(index)

    assert days.size == closes.size == 0


def test_many_threads_read_the_same_values_as_one():
    market = simulate_market(SimulationSettings(tokens=90, end=date(2022, 12, 31)))
    expected = np.asarray(market.panel.close)
    wrong: list[tuple[str, int]] = []

    def read(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(200):
            index, day = int(random.integers(90)), int(random.integers(len(expected)))
            if not np.array_equal(market.panel.token(index).close, expected[:, index], equal_nan=True):
                wrong.append(("token", index))
            if not np.array_equal(market.panel.day(day).close, expected[day], equal_nan=True):
                wrong.append(("day", day))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the high-water mark of memory is read from Linux")
def test_a_large_market_is_simulated_and_served_without_being_held_in_memory():
    # Its nine matrices alone are 210 MB, and held whole it took 730; 65 was measured.
    finished = subprocess.run(
        [sys.executable, "-c", MEMORY_OF_A_LARGE_MARKET], capture_output=True, text=True, check=True, timeout=120
    )

    assert float(finished.stdout) < 130
