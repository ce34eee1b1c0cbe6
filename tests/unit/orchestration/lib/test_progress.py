from hypothesis import given
from hypothesis import strategies as st

from orchestration.lib.progress import BAR_CHARACTERS, RUN_BAR_CHARACTERS, progress_of, run_bar, sentence


@given(done=st.integers(0, 10_000), total=st.integers(1, 10_000))
def test_every_progress_sentence_becomes_a_bar_of_one_width(done, total):
    bar = progress_of(sentence("okx/candles_daily", done, total, "markets"), is_bar=True)

    assert bar is not None
    assert bar.count("#") + bar.count(".") == BAR_CHARACTERS
    assert bar.endswith(f"{done}/{total} markets")


def test_other_messages_are_no_bars():
    assert progress_of("coingecko/asset_categories: 23 of 24 category names exist", is_bar=True) is None
    assert progress_of("okx is down", is_bar=False) is None


def test_beside_the_bar_of_a_run_progress_has_none_of_its_own():
    assert progress_of("okx/candles_daily: 15 of 30 markets", is_bar=False) == "okx/candles_daily 15/30 markets"


@given(done=st.integers(0, 100), total=st.integers(1, 100))
def test_the_bar_of_a_run_has_one_width_and_is_full_when_all_is_done(done, total):
    bar = run_bar(done, total)

    assert bar.count("#") + bar.count(".") == RUN_BAR_CHARACTERS
    assert ("." not in bar) == (round(RUN_BAR_CHARACTERS * min(1.0, done / total)) == RUN_BAR_CHARACTERS)
    assert bar.endswith(f" {done}/{total}")


def test_a_run_whose_steps_nobody_counted_has_no_bar():
    assert run_bar(3, 0) == ""
