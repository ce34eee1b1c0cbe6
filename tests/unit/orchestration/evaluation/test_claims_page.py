"""The audit of claims: rows say what stood beside a call and what came after, and the page says what the rows do."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from orchestration.evaluation.claims import CLAIMS, TRADE_COST, findings, page
from orchestration.evaluation.claims_panel import (
    Panel,
    index_windows,
    market_days,
    with_flips,
    with_outcomes,
    with_peers,
)
from orchestration.evaluation.claims_picture import draw_effects

FIRST = date(2021, 1, 4)
TWINS = {"ai_top100": "hodl100_capped", "defi_ai": "defi_passive", "ai_low_risk": "hodl100_capped"}


def day(offset):
    return FIRST + timedelta(days=offset)


def calls_of(signals, *, grades=None, name="one"):
    """A token's calls, a day each; a run of equal calls stands since its first day."""
    since, rows = 0, []
    for offset, signal in enumerate(signals):
        since = offset if offset and signals[offset - 1] != signal else since
        grade = grades[offset] if grades else 50.0
        rows.append((day(offset), name, signal, day(since), grade, grade / 100))
    columns = ["market_date", "token_id", "signal", "signal_since_date", "trader_grade", "trader_rank"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def closes_of(prices, *, name="one"):
    return pl.DataFrame(
        {
            "token_id": [name] * len(prices),
            "market_date": [day(offset) for offset in range(len(prices))],
            "price_usd": [float(price) for price in prices],
            "volume_24h_usd": [1e6] * len(prices),
        }
    )


def test_a_second_flip_to_bearish_knows_how_long_ago_the_first_was():
    found = with_flips(calls_of([0, -1, -1, 0, -1, -1, 0]))

    assert found["days_since_bearish_flip"].to_list() == [None, None, None, 2, 3, 3, 2]
    assert found["days_standing"].to_list() == [0, 0, 1, 0, 0, 1, 0]


def test_the_change_of_the_grade_is_that_of_seven_days_and_unknown_before():
    found = with_flips(calls_of([0] * 9, grades=[10.0, 20, 30, 40, 50, 60, 70, 80, 95]))

    assert found["grade_change_7d"].to_list() == [None] * 7 + [70.0, 75.0]


def test_outcomes_begin_at_the_next_close_and_excess_is_of_the_day():
    calls = pl.concat([calls_of([1], name="one"), calls_of([-1], name="two")])
    rising, falling = [100.0, 110, *[110] * 13, 220], [100.0, 50, *[50] * 13, 25]
    closes = pl.concat([closes_of(rising, name="one"), closes_of(falling, name="two")])

    found = with_outcomes(calls.with_columns(volatility_30d=pl.lit(0.5)), closes).sort("token_id")

    assert found["return_14d"].to_list() == pytest.approx([1.0, -0.5])
    assert found["excess_14d"].to_list() == pytest.approx([0.75, -0.75])
    assert found["shortfall_14d"].to_list() == pytest.approx([-0.75, 0.75])
    assert found["gain_of_call_14d"].to_list() == pytest.approx([0.75, 0.75])
    assert found["beats_median_14d"].to_list() == [1.0, 0.0]
    assert found["return_90d"].to_list() == [None, None]


def test_a_close_is_near_the_high_of_the_days_on_both_sides_or_unknown():
    prices = [50.0] * 30 + [100.0] + [95.0] * 30 + [200.0]
    calls = calls_of([0] * len(prices)).with_columns(volatility_30d=pl.lit(0.5))

    found = with_outcomes(calls, closes_of(prices)).sort("market_date")

    assert found["is_near_high"].to_list()[29:33] == [
        None,
        1.0,
        0.0,
        None,
    ]  # the 31st close is the highest until 200 is in sight
    assert found["is_near_high_so_far"].to_list()[30:32] == [1.0, 1.0]
    assert found["is_near_low"].to_list()[30] == 0.0


def test_peers_are_the_other_tokens_of_the_sector_that_turned_this_week():
    rows = [
        ("a", "L1", 1, 2),
        ("b", "L1", 1, 6),
        ("c", "L1", 1, 7),
        ("d", "L1", 0, 0),
        ("e", "DeFi", 1, 0),
        ("f", None, 1, 0),
    ]
    weekly = pl.DataFrame(rows, schema=["token_id", "sector", "signal", "days_standing"], orient="row").with_columns(
        period=pl.lit(FIRST),
        calls_confidence=pl.Series([0.1, 0.4, 0.2, 0.9, None, 0.3]),
        p_bullish=pl.Series([0.5, 0.4, 0.6, 0.9, 0.7, 0.8]),
        p_bearish=pl.lit(0.1),
    )

    found = with_peers(weekly)

    assert found["peers_turned_bullish"].to_list() == [1, 1, 2, 2, 0, None]
    assert found["place_in_confidence"].to_list() == pytest.approx([0.0, 1.0, 1 / 3, None, None, 2 / 3])
    assert found["place_in_probability"].to_list() == pytest.approx([0.25, 0.0, 0.5, None, 0.75, 1.0])


def test_the_market_is_judged_from_the_next_day_on():
    daily = pl.DataFrame(
        {
            "market_date": [day(offset) for offset in range(8) for _ in range(2)],
            "signal": [0, 0] * 7 + [-1, 0],
            "return_14d": [0.1, 0.3] * 8,
        }
    )
    levels = [100.0] * 8 + [80.0] + [80.0] * 13 + [40.0] + [40.0]
    market = pl.DataFrame({"market_date": [day(offset) for offset in range(24)], "market_index_level": levels})

    last = market_days(daily, market).tail(1).row(0, named=True)

    assert last["bearish_share_change_7d"] == pytest.approx(0.5)
    assert last["market_fall_14d"] == pytest.approx(0.5)  # from 80 on the next day to 40 fourteen days later
    assert last["median_fall_14d"] == pytest.approx(-0.2)


def levels_of(**daily_log_returns):
    days = 200
    return pl.concat(
        pl.DataFrame(
            {
                "date": [day(offset) for offset in range(days)],
                "index_id": [name] * days,
                "level_net": np.exp(rate * np.arange(days)),
            }
        )
        for name, rate in daily_log_returns.items()
    )


def test_the_lead_is_the_log_return_of_90_days_less_that_of_the_twin():
    levels = levels_of(ai_top100=0.002, hodl100_capped=0.001, defi_ai=0.004, defi_passive=0.001)
    market = levels.filter(pl.col("index_id") == "defi_passive").select(
        market_date="date", market_index_level="level_net"
    )

    first = index_windows(levels, market, TWINS).row(0, named=True)

    assert first["period"] == FIRST
    assert first["lead_flagship"] == pytest.approx(0.09)
    assert first["lead_themes"] == pytest.approx(0.27)
    assert first["lead_low_risk"] is None
    assert first["market_90d"] == pytest.approx(np.exp(0.09) - 1)
    assert first["market_90d_before"] is None


@pytest.fixture(scope="module")
def panel():
    """A market in which high grades earn 3 % more, and nothing else says anything."""
    rng = np.random.default_rng(5)
    days, tokens = 420, 40
    count = days * tokens
    signal = rng.choice([1, 0, -1], count, p=[0.35, 0.4, 0.25]).astype(np.int8)
    grade = rng.uniform(0, 100, count)
    gain = rng.normal(0, 0.1, count) + np.where(grade >= 80, 0.03, 0.0)
    dates = [day(offset) for offset in range(days) for _ in range(tokens)]
    flag = lambda: pl.Series(rng.random(count) < 0.3).cast(pl.Float64)  # noqa: E731 - one line says it
    daily = pl.DataFrame(
        {
            "market_date": dates,
            "token_id": [f"t{number}" for _ in range(days) for number in range(tokens)],
            "signal": signal,
            "days_standing": rng.integers(0, 9, count),
            "days_since_bearish_flip": rng.integers(1, 20, count),
            "signal_7d_before": rng.choice([1, 0, -1], count),
            "trader_grade": grade,
            "investor_grade": rng.uniform(0, 100, count),
            "grade_change_7d": rng.normal(0, 20, count),
            "rank_change_7d": rng.normal(0, 0.2, count),
            "is_liquid": rng.random(count) < 0.4,
            "return_14d": gain,
            "return_90d": rng.normal(0, 0.3, count),
            "excess_14d": gain,
            "excess_90d": rng.normal(0, 0.3, count),
            "shortfall_14d": -gain,
            "fall_14d": -gain,
            "gain_of_call_14d": gain * signal,
            **{
                name: flag()
                for name in (
                    *("beats_median_14d", "beats_median_90d", "is_spared_14d", "is_right"),
                    *("is_near_high", "is_nearer_high", "is_near_high_so_far", "is_near_low"),
                )
            },
            "is_volume_confirming": rng.random(count) < 0.5,
            "risk_class": rng.choice(["low", "medium"], count),
            "peers_turned_bullish": rng.integers(0, 8, count),
            "place_in_confidence": rng.random(count),
            "place_in_probability": rng.random(count),
        }
    ).with_columns(period=pl.col("market_date").dt.truncate("1w"))
    change = rng.normal(0, 0.08, days)
    market = pl.DataFrame(
        {
            "period": [day(offset) for offset in range(days)],
            "bearish_share_change_7d": change,
            "market_fall_14d": rng.normal(0, 0.1, days),
            "median_fall_14d": rng.normal(0, 0.1, days),
        }
    )
    windows = pl.DataFrame(
        {
            "period": [day(7 * week) for week in range(60)],
            **{name: rng.normal(0, 0.15, 60) for name in ("market_90d", "market_90d_before")},
            **{name: rng.normal(0, 0.2, 60) for name in ("lead_flagship", "lead_low_risk", "lead_themes")},
        }
    )
    return Panel(
        daily,
        daily.filter(pl.col("market_date").dt.weekday() == 7),
        market,
        windows,
        day(days - 1),
        {"backfilled": count},
    )


def test_the_page_holds_what_is_true_of_the_rows_and_nothing_else(panel):
    found = {each.claim.name: each for each in findings(panel)}

    grade = found["A Trader Grade above 80 beats 60 to 79"]
    assert grade.verdict == "held"
    assert grade.effect.estimate == pytest.approx(0.03, abs=0.01)
    held = {name for name, each in found.items() if each.verdict.startswith("held")}
    assert held == {"A Trader Grade above 80 beats 60 to 79"}


def test_the_page_has_a_row_and_a_test_for_every_claim_and_every_variant(panel):
    text = page(panel, findings(panel), "test", picture="picture.png")

    for claim in CLAIMS:
        assert text.count(claim.name) >= 2 + len(claim.variants)
        for name in claim.variants:
            assert f"|{name}|" in text
    assert f"{TRADE_COST:.1%} of return" in text
    assert "**1 held" in text
    assert "calls by origin: 16,800 backfilled" in text


def test_the_picture_has_a_row_for_every_claim_with_an_interval(panel, tmp_path):
    draw_effects(findings(panel), tmp_path / "claims.png")

    header = (tmp_path / "claims.png").read_bytes()[:24]
    height = int.from_bytes(header[20:24], "big")  # of the PNG, pixels
    assert header[1:4] == b"PNG"
    assert height > 40 * len(CLAIMS)


def test_every_claim_says_beforehand_what_would_matter_and_how_long_its_blocks_are():
    for claim in CLAIMS:
        assert claim.matters > 0
        length, unit = claim.block.split()
        assert int(length) * {"weeks": 7, "days": 1}[unit] >= 14
