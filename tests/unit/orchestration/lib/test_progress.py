from hypothesis import given
from hypothesis import strategies as st

from orchestration.lib.progress import BAR_CHARACTERS, bar_of, sentence


@given(done=st.integers(0, 10_000), total=st.integers(1, 10_000))
def test_every_progress_sentence_becomes_a_bar_of_one_width(done, total):
    bar = bar_of(sentence("okx/candles_daily", done, total, "markets"))

    assert bar is not None
    assert bar.count("#") + bar.count(".") == BAR_CHARACTERS
    assert bar.endswith(f"{done}/{total} markets")


def test_other_messages_are_no_bars():
    assert bar_of("coingecko/asset_categories: 23 of 24 category names exist") is None
    assert bar_of("okx is down") is None
