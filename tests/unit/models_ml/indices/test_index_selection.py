"""Eligibility, ranking, buffers and the choice of stablecoin."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.indices.market import MarketState
from models_ml.indices.rotation import parking_basket, wanted_share
from models_ml.indices.sections import Selection
from models_ml.indices.selection import choose, rank_candidates

DAY = dt.date(2024, 3, 3)


def ranked_frame(tokens):
    return pl.DataFrame({"token_id": list(tokens), "rank": range(1, len(tokens) + 1)})


def market_with(market_of, **columns):
    tokens = sorted({token for values in columns.values() for token in values})
    history = {DAY - dt.timedelta(days=offset): 1.0 for offset in range(10)}
    return market_of({token: dict(history) for token in tokens}, **columns)


def rank(definition, market):
    data = market.data()
    return rank_candidates(definition, data.snapshot(DAY), close_date=DAY, prices=data.lookup)


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("is_stable", True, "stable"),
        ("is_wrapped", True, "wrapped"),
        ("sector", "Meme", "left_out_sector"),
        ("sector", "Gaming", "sector"),
        ("sector", None, "sector"),
        ("market_cap_usd", None, "no_market_cap"),
        ("market_cap_usd", float("nan"), "no_market_cap"),
        ("market_cap_usd", 5.0, "small"),
        ("market_cap_usd", 5e9, "large"),
        ("volume_30d_median_usd", None, "no_volume"),
        ("volume_30d_median_usd", 5.0, "thin"),
        ("volume_30d_median_usd", 150.0, "fake_cap"),
        ("age_days", 2, "young"),
        ("trader_grade", None, "unranked"),
    ],
)
def test_a_token_that_fails_a_test_is_excluded_with_its_code(column, value, code, market_of, definition_of):
    definition = definition_of(
        universe={"sector": "defi", "exclude_sectors": ["meme"], "exclude_tokens": ["ugly"]},
        eligibility={
            "min_market_cap_usd": 10,
            "max_market_cap_usd": 4e9,
            "min_volume_30d_usd": 100,
            "min_price_age_days": 5,
        },
        ranking={"by": "trader_grade"},
    )
    market = market_with(market_of, supply={"good": 1e6, "bad": 1e6}, **{column: {"bad": value}})

    result = rank(definition, market)

    assert result.eligible["token_id"].to_list() == ["good"]
    assert result.excluded.select("token_id", "exclusion").rows() == [("bad", code)]


def test_a_token_without_a_recent_price_or_with_a_short_history_is_excluded(market_of, definition_of):
    market = market_with(market_of, supply={"good": 1e6, "halted": 1e6, "new": 1e6})
    keep = (pl.col("token_id") == "good") | (
        pl.when(pl.col("token_id") == "halted")
        .then(pl.col("market_date") < DAY - dt.timedelta(days=3))
        .otherwise(pl.col("market_date") == DAY)
    )
    market.prices = market.prices.filter(keep)

    result = rank(definition_of(universe={"min_history_days": 5}), market)

    assert result.eligible["token_id"].to_list() == ["good"]
    assert dict(result.excluded.select("token_id", "exclusion").iter_rows()) == {
        "halted": "unpriced",
        "new": "short_history",
    }


def test_only_the_largest_are_ranked_by_score_and_ties_go_by_size_then_token_id(market_of, definition_of):
    definition = definition_of(ranking={"by": "trader_grade", "among_largest": 4})
    market = market_with(
        market_of,
        supply={"a": 5e6, "b": 5e6, "c": 9e6, "d": 8e6, "tiny": 1e6},
        trader_grade={"a": 90.0, "b": 90.0, "c": 50.0, "d": 90.0, "tiny": 99.0},
    )

    result = rank(definition, market)

    assert result.eligible["token_id"].to_list() == ["d", "a", "b", "c"]
    assert result.excluded.select("token_id", "exclusion").rows() == [("tiny", "outside_pool")]


def test_constituents_stay_inside_the_exit_buffer_before_newcomers_enter():
    chosen = choose(ranked_frame("abcdef"), held=["d", "f"], selection=Selection(count=3, exit_rank=4))

    assert chosen["token_id"].to_list() == ["a", "b", "d"]


def test_a_newcomer_inside_the_entry_rank_displaces_a_buffered_constituent():
    selection = Selection(count=2, entry_rank=1, exit_rank=4)

    chosen = choose(ranked_frame("abcdef"), held=["c", "d"], selection=selection)

    assert chosen["token_id"].to_list() == ["a", "c"]


def test_without_buffers_the_best_ranked_are_held():
    chosen = choose(ranked_frame("abcdef"), held=["e", "f"], selection=Selection(count=3))

    assert chosen["token_id"].to_list() == ["a", "b", "c"]


@given(
    held=st.sets(st.sampled_from("abcdefghij")),
    count=st.integers(1, 8),
    buffer=st.integers(0, 4),
    entry=st.integers(1, 8),
)
def test_a_selection_is_full_and_keeps_every_constituent_it_promises_to(held, count, buffer, entry):
    selection = Selection(count=count, entry_rank=min(entry, count), exit_rank=count + buffer)

    chosen = choose(ranked_frame("abcdefghij"), held=held, selection=selection)

    assert chosen.height == count
    assert set(chosen["token_id"]) >= set("abcdefghij"[: selection.entry_rank])
    assert all(row["rank"] <= count or row["token_id"] in held for row in chosen.rows(named=True))


def test_rotation_adds_up_the_averages_bitcoin_closed_below(definition_of):
    rotation = definition_of(calendar={"rule": "weekly_model"}, rotation={}).rotation

    shares = [
        wanted_share(rotation, state)[0]
        for state in (
            MarketState(100, 90, 80),
            MarketState(85, 90, 80),
            MarketState(70, 90, 80),
            MarketState(70, None, None),
            MarketState(None, 90, 80),
            MarketState(90, 90, 90),
        )
    ]

    assert shares == [0, 0.5, 1, 0, 0, 0]


def test_the_refuge_is_the_two_largest_fiat_backed_stablecoins_at_their_peg(market_of, definition_of):
    definition = definition_of(calendar={"rule": "weekly_model"}, rotation={})
    caps = {"algorithmic": 9e9, "broken": 8e9, "unpriced": 7e9, "dollar": 6e9, "dear": 5e9, "buck": 3e9, "small": 1e9}
    market = market_with(
        market_of,
        supply=caps,
        is_stable=dict.fromkeys(caps, True),
        is_fiat_backed={name: name != "algorithmic" for name in caps},
    )
    closes = {"broken": 0.984, "dear": 1.021, "buck": 0.986}
    market.prices = market.prices.filter(pl.col("token_id") != "unpriced").with_columns(
        price_usd=pl.col("token_id").replace_strict(closes, default=1.0)
    )
    data = market.data()

    basket = parking_basket(definition, data.snapshot(DAY), close_date=DAY, prices=data.lookup)

    assert [(stable.token_id, stable.symbol) for stable in basket] == [("dollar", "DOLLAR"), ("buck", "BUCK")]
    assert [stable.share for stable in basket] == pytest.approx([2 / 3, 1 / 3])
    (left,) = parking_basket(
        definition_of(calendar={"rule": "weekly_model"}, rotation={"stables": 1}),
        data.snapshot(DAY),
        close_date=DAY,
        prices=data.lookup,
        avoid=["dollar"],
    )
    assert (left.token_id, left.share) == ("buck", 1.0)
