from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.screens.outcome_windows import WINDOW_SCHEMA, outcome_windows

MONDAY = date(2024, 1, 1)
UNTIL = MONDAY + timedelta(days=35)


def closes_of(prices_by_token, *, series_ends=()):
    """Closes from the Monday on, a missing one as None; `series_ends` are pairs of token and day that its series ended on."""
    return pl.DataFrame(
        [
            {
                "token_id": token,
                "market_date": MONDAY + timedelta(days=day),
                "price_usd": float(price),
                "is_series_end": (token, day) in series_ends,
            }
            for token, prices in prices_by_token.items()
            for day, price in enumerate(prices)
            if price is not None
        ],
        schema={"token_id": pl.String, "market_date": pl.Date, "price_usd": pl.Float64, "is_series_end": pl.Boolean},
    )


def entries_of(*tokens, weeks=(MONDAY,)):
    return pl.DataFrame(
        [
            {"token_id": token, "entry_week": week, "market_cap_usd": 2e6, "volatility_30d": 1.0}
            for token in tokens
            for week in weeks
        ],
        schema={
            "token_id": pl.String,
            "entry_week": pl.Date,
            "market_cap_usd": pl.Float64,
            "volatility_30d": pl.Float64,
        },
    )


def window_of(prices, *, until=UNTIL, horizon=30, series_ends=()):
    """The one window of a token from the Monday on, None where it has none."""
    rows = outcome_windows(
        entries_of("a"), closes_of({"a": prices}, series_ends=series_ends), until=until, horizons_days=(horizon,)
    )
    assert rows.height <= 1
    return rows.row(0, named=True) if rows.height else None


def test_a_level_is_held_by_the_lowest_of_three_consecutive_closes():
    row = window_of([1.0, 2.5, 2.0, 3.0, *[1.0] * 31])

    assert (row["highest_held"], row["highest_touched"]) == (2.0, 3.0)
    assert (row["lowest_held"], row["lowest_touched"], row["is_stopped"]) == (1.0, 1.0, False)


def test_the_close_of_the_entry_is_not_one_of_the_three():
    # 2, 2 after an entry of 1, and the entry itself would not count towards half either.
    row = window_of([1.0, 0.4, 0.4, *[1.0] * 32])

    assert (row["lowest_held"], row["lowest_touched"]) == (1.0, 0.4)


def test_the_window_ends_with_the_close_of_its_last_day():
    flat = [1.0] * 28

    inside = window_of([*flat, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0])
    outside = window_of([*flat, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0])

    assert (inside["highest_held"], outside["highest_held"], outside["highest_touched"]) == (2.0, 1.0, 2.0)


def test_closes_around_a_missing_day_are_not_consecutive():
    row = window_of([1.0, 2.0, 2.0, None, 2.0, *[1.0] * 30])

    assert (row["highest_held"], row["highest_touched"], row["is_stopped"]) == (1.0, 2.0, False)


def test_a_token_has_stopped_when_its_newest_close_is_days_old_at_the_end():
    assert window_of([1.0] * 27 + [None] * 8)["is_stopped"]
    assert not window_of([1.0] * 28 + [None] * 7)["is_stopped"]
    assert not window_of([1.0] * 5 + [None] * 20 + [1.0] * 10)["is_stopped"]


def test_nothing_is_known_of_a_window_that_reaches_past_the_end_of_its_series():
    doubled = [1.0, *[2.0] * 10, *[None] * 24]

    assert window_of(doubled)["is_stopped"]
    assert window_of(doubled, series_ends={("a", 10)}) is None


def test_a_window_is_told_once_the_close_of_its_last_day_is_known():
    prices = [1.0] * 60

    assert window_of(prices, until=MONDAY + timedelta(days=28)) is None
    assert window_of(prices, until=MONDAY + timedelta(days=35)) is not None


def test_a_token_without_a_close_on_the_monday_could_not_be_bought():
    assert window_of([None, *[1.0] * 34]) is None


def test_a_window_too_short_to_hold_a_level_is_refused():
    with pytest.raises(ValueError, match="2 days cannot hold a level for 3 closes"):
        outcome_windows(entries_of("a"), closes_of({"a": [1.0] * 9}), until=UNTIL, horizons_days=(2,))


PRICES = st.lists(st.one_of(st.none(), st.floats(0.01, 100)), min_size=30, max_size=70)


@settings(max_examples=60, deadline=None)
@given(st.lists(PRICES, min_size=1, max_size=4), st.sampled_from([(3,), (7, 30), (4, 5, 16)]))
def test_all_windows_agree_with_a_loop_over_days(prices, horizons):
    by_token = {f"t{number}": closes for number, closes in enumerate(prices)}
    weeks = [MONDAY + timedelta(days=7 * number) for number in range(10)]
    until = MONDAY + timedelta(days=63)
    schema = {"token_id": pl.String, "entry_week": pl.Date, "horizon_days": pl.Int32}

    found = outcome_windows(
        entries_of(*by_token, weeks=weeks), closes_of(by_token), until=until, horizons_days=horizons
    )

    expected = []
    for token, closes in by_token.items():
        known = dict(enumerate(closes[:63]))
        for week in weeks:
            entry = (week - MONDAY).days
            for horizon in horizons:
                if entry + horizon >= 63 or known.get(entry) is None:
                    continue
                days = range(entry + 1, entry + horizon + 1)
                singles = [known[day] for day in days if known.get(day) is not None]
                triples = [
                    [known.get(day), known.get(day + 1), known.get(day + 2)]
                    for day in days
                    if day + 2 <= entry + horizon
                ]
                triples = [three for three in triples if None not in three]
                price = known[entry]
                expected.append(
                    {
                        "token_id": token,
                        "entry_week": week,
                        "horizon_days": horizon,
                        "highest_held": max((min(three) for three in triples), default=None),
                        "lowest_held": min((max(three) for three in triples), default=None),
                        "highest_touched": max(singles, default=None),
                        "lowest_touched": min(singles, default=None),
                        "is_stopped": all(
                            known.get(day) is None for day in range(entry + horizon - 3, entry + horizon + 1)
                        ),
                    }
                )
                for name in ("highest_held", "lowest_held", "highest_touched", "lowest_touched"):
                    value = expected[-1][name]
                    expected[-1][name] = None if value is None else value / price
    columns = [name for name in WINDOW_SCHEMA if name not in ("market_cap_usd", "volatility_30d")]
    wanted = pl.DataFrame(expected, schema={name: WINDOW_SCHEMA[name] for name in columns}).sort(list(schema))
    assert found.select(columns).sort(list(schema)).equals(wanted)
