"""The fast walk gives the levels of the index engine, variant by variant and close by close."""

import itertools

import numpy as np
import polars as pl
import pytest

from models_ml.indices.definition import DEFINITIONS_FOLDER, load_definitions
from models_ml.indices.engine import fold
from models_ml.indices.state import new_state
from models_ml.optimiser.errors import TooLittleHistoryError, UnsupportedRuleError
from models_ml.optimiser.rules import compile_variants, simplified
from models_ml.optimiser.simulate import simulate

HALF = [{"below_btc_average_days": 100, "share": 0.5}, {"below_btc_average_days": 200, "share": 0.5}]
FULL = [{"below_btc_average_days": 200, "share": 1.0}]
WEEKS = 28
NO_BEARS = {"leave_out_calls": ["bearish"]}
ALL_RULES = {
    "eligibility": {"min_volume_30d_usd": 2e5, "min_price_age_days": 30, **NO_BEARS},
    "selection": {"count": 8, "exit_rank": 14},
    "weighting": {
        "method": "sqrt_market_cap",
        "cap": 0.25,
        "volatility_cap": True,
        "liquidity": {"capital_usd": 1e6, "max_volume_share": 0.25},
    },
    "rotation": {"steps": FULL, "trigger": "daily", "min_hold_days": 14},
    "minimum_constituents": 7,
}
VARIANTS = {
    "plain": {},
    "every_week": {"calendar": {"rule": "weekly_model", "retrade": "every_week"}},
    "buffer": {"selection": {"count": 8, "exit_rank": 14, "entry_rank": 3}},
    "no_band": {"calendar": {"rule": "weekly_model", "retrade_band": 0.0}, "selection": {"count": 8, "exit_rank": 12}},
    "cap": {"weighting": {"cap": 0.2}, "selection": {"count": 8, "exit_rank": 16}},
    "cap_and_floor": {"weighting": {"cap": 0.22, "floor": 0.05}},
    "rank_caps": {"weighting": {"rank_caps": [0.35, 0.25], "cap": 0.2, "floor": 0.02}},
    "full_cap": {"weighting": {"cap": 0.2}, "selection": {"count": 5}},
    "equal": {"weighting": {"method": "equal"}},
    "sqrt": {"weighting": {"method": "sqrt_market_cap", "cap": 0.3}},
    "rank": {"weighting": {"method": "rank"}, "selection": {"count": 10, "exit_rank": 20}},
    "volume": {"weighting": {"method": "volume", "cap": 0.4}},
    "float": {"weighting": {"method": "free_float_cap", "cap": 0.5}},
    "conviction": {"weighting": {"method": "grade_conviction"}},
    "volatility": {"weighting": {"method": "inverse_volatility", "volatility_days": 60, "cap": 0.25}},
    "short_volatility": {
        "weighting": {"method": "inverse_volatility", "volatility_days": 10},
        "selection": {"count": 12},
    },
    "blend": {"weighting": {"blend": [{"method": "volume", "share": 0.4}, {"method": "rank", "share": 0.6}]}},
    "grade": {"ranking": {"by": "trader_grade", "among_largest": 15}},
    "by_cap": {"ranking": {"by": "market_cap_usd"}, "selection": {"count": 6, "exit_rank": 9}},
    "universe": {
        "universe": {"exclude_wrapped": False, "exclude_sectors": ["meme"], "exclude_tokens": ["t03"]},
        "minimum_constituents": 2,
    },
    "one_sector": {"universe": {"sector": "defi", "min_history_days": 90}, "minimum_constituents": 1},
    "eligibility": {
        "eligibility": {"min_volume_30d_usd": 8e5, "min_market_cap_usd": 1e6, "min_price_age_days": 60},
    },
    "rotation": {"rotation": {}, "weighting": {"cap": 0.25}},
    "slow_rotation": {"rotation": {"min_hold_days": 21}, "selection": {"count": 8, "exit_rank": 12}},
    "full_rotation": {"rotation": {"steps": [{"below_btc_average_days": 200, "share": 1.0}], "stables": 1}},
    "many_stables": {"rotation": {"stables": 3, "peg_tolerance": 0.01, "leave_below_usd": 0.995, "steps": HALF}},
    "late_base": {"base": {"date": "2023-03-06", "level": 250.0}, "rotation": {"min_hold_days": 7}},
    "many": {"selection": {"count": 25}, "minimum_constituents": 18},
    "calls": {"eligibility": NO_BEARS, "selection": {"count": 8, "exit_rank": 16}},
    "no_refuge_from_calls": {"eligibility": NO_BEARS, "minimum_constituents": 8},
    "bullish_only": {
        "eligibility": {"leave_out_calls": ["bearish", "neutral"]},
        "rotation": {},
        "minimum_constituents": 8,
    },
    "calls_park_all": {
        "eligibility": NO_BEARS,
        "rotation": {"steps": HALF, "min_hold_days": 35},
        "minimum_constituents": 8,
        "base": {"date": "2023-02-06", "level": 100.0},
    },
    "calm": {"weighting": {"cap": 0.2, "volatility_cap": True}},
    "calm_by_rank": {
        "weighting": {
            "rank_caps": [0.4, 0.3],
            "cap": 0.2,
            "floor": 0.03,
            "volatility_cap": True,
            "volatility_days": 20,
        },
    },
    "calm_and_tight": {"weighting": {"cap": 0.14, "volatility_cap": True}, "minimum_constituents": 8},
    "calm_by_volatility": {
        "weighting": {"method": "inverse_volatility", "volatility_days": 15, "cap": 0.16, "volatility_cap": True},
        "minimum_constituents": 7,
    },
    "liquidity": {"weighting": {"cap": 0.5, "liquidity": {"capital_usd": 2e6, "max_volume_share": 0.25}}},
    "tight_liquidity": {
        "weighting": {"method": "equal", "floor": 0.05, "liquidity": {"capital_usd": 3e6, "max_volume_share": 0.25}},
    },
    "daily": {"rotation": {"trigger": "daily"}, "weighting": {"cap": 0.25}},
    "daily_hold": {"rotation": {"steps": FULL, "trigger": "daily", "min_hold_days": 14, "stables": 1}},
    "daily_depegs": {
        "rotation": {
            **{"stables": 3, "peg_tolerance": 0.01, "leave_below_usd": 0.995, "steps": HALF},
            **{"trigger": "daily", "min_hold_days": 3},
        },
    },
    "daily_every_week": {
        "calendar": {"rule": "weekly_model", "retrade": "every_week"},
        "eligibility": NO_BEARS,
        "rotation": {"steps": HALF, "trigger": "daily"},
        "minimum_constituents": 8,
    },
    "permanent_share": {"rotation": {"floor_share": 0.3, "steps": HALF, "trigger": "daily", "min_hold_days": 7}},
    "only_permanent": {
        "rotation": {"floor_share": 0.6, "steps": []},
        "eligibility": NO_BEARS,
        "minimum_constituents": 8,
    },
    "all_rules": ALL_RULES,
    "all_rules_halves": ALL_RULES
    | {"rotation": {"steps": HALF, "trigger": "daily", "min_hold_days": 5, "leave_below_usd": 0.99}},
    "all_rules_ranked": ALL_RULES
    | {
        "weighting": ALL_RULES["weighting"] | {"rank_caps": [0.4, 0.3], "floor": 0.02, "volatility_days": 30},
        "calendar": {"rule": "weekly_model", "retrade_band": 0.0},
    },
}
SHIPPED = {each.index_id: each for each in load_definitions(DEFINITIONS_FOLDER)}
AS_SHIPPED = ("ai_top100", "defi_ai", "l1_ai", "meme_ai")


def engine_levels(definition, market, weeks):
    results = fold(definition, new_state(definition), weeks, market)
    rows = [row for result in results for row in result.levels.select("date", "level").iter_rows()]
    return dict(rows)


def days_compared(definitions, market, weeks):
    """Hold every level of the walk to the engine's; how many there were."""
    result = simulate(definitions, market, weeks)
    compared = 0
    for row, definition in enumerate(definitions):
        expected = engine_levels(definition, market, weeks)
        found = dict(zip(result.days, result.levels[row], strict=True))
        assert expected.keys() <= found.keys()
        compared += len(expected)
        apart = {day: (found[day], level) for day, level in expected.items() if not abs(found[day] / level - 1) < 1e-9}
        assert not apart, (definition.index_id, min(apart), apart[min(apart)])
        started = [day for day in result.days if np.isfinite(found[day])]
        assert not expected or started[0] == min(expected)
    return compared


@pytest.mark.parametrize("seed", [1, 2])
def test_levels_equal_those_of_the_index_engine(market_of, definition_of, mondays, seed):
    definitions = [definition_of(index_id=name, **fields) for name, fields in VARIANTS.items()]

    compared = days_compared(definitions, market_of(seed=seed), mondays(WEEKS))

    assert compared > 100 * len(definitions)


@pytest.mark.parametrize("seed", [7, 8])
def test_levels_of_shipped_definitions_as_they_are_equal_those_of_the_index_engine(market_of, mondays, seed):
    definitions = [SHIPPED[index_id] for index_id in AS_SHIPPED]

    compared = days_compared(definitions, market_of(seed=seed, tokens=160), mondays(WEEKS))

    assert compared > 100 * len(definitions)


def test_the_market_of_these_tests_does_what_they_are_about(market_of, definition_of, mondays):
    definitions = [
        definition_of(index_id=name, **VARIANTS[name]) for name in ("many_stables", "slow_rotation", "plain")
    ]

    result = simulate(definitions, market_of(seed=1), mondays(WEEKS), keeps_trades=True)

    midweek = [each for each in result.traded if each.day % 7 != 1]
    assert midweek, "no stablecoin fell while it was held"
    assert result.trades[2] > 6


def dropped(fields, section, *names):
    """Fields without some rules of a section."""
    return fields | {section: {name: value for name, value in fields[section].items() if name not in names}}


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("eligibility", "leave_out_calls"),
        ("weighting", "volatility_cap"),
        ("weighting", "liquidity"),
        ("rotation", "trigger"),
        ("rotation", "min_hold_days"),
    ],
)
def test_each_rule_of_the_flagship_changes_levels_here(market_of, definition_of, mondays, section, name):
    definitions = [definition_of(**ALL_RULES), definition_of(**dropped(ALL_RULES, section, name))]

    with_rule, without = simulate(definitions, market_of(seed=1), mondays(WEEKS)).levels

    assert np.nanmax(np.abs(with_rule / without - 1)) > 0.01


def told_by_engine(definition, market, weeks):
    """Every reason that the engine gives for a week or a target."""
    results = list(fold(definition, new_state(definition), weeks, market))
    return [result.reason or "" for result in results] + [row[5] for result in results for row in result.rebalance_rows]


@pytest.mark.parametrize(
    ("variant", "told"),
    [
        ("calls_park_all", "of its tokens are called bearish, which leaves"),
        ("all_rules", "of its tokens are called bearish, which leaves"),
        ("calm_and_tight", "the ceilings of 8 constituents add up to"),
        ("tight_liquidity", "liquidity and ceilings let"),
        ("daily_hold", "is below its 200-day average"),
    ],
)
def test_these_variants_meet_what_they_are_named_for(market_of, definition_of, mondays, variant, told):
    definition = definition_of(index_id=variant, **VARIANTS[variant])

    reasons = told_by_engine(definition, market_of(seed=1), mondays(WEEKS))

    assert any(told in reason for reason in reasons), sorted(set(reasons))[:20]


def test_a_turn_is_traded_a_day_after_the_close_that_asks_for_it_and_not_before_the_minimum_hold(
    market_of, definition_of, mondays
):
    rotation = {"steps": FULL, "trigger": "daily", "min_hold_days": 14}
    market, definition = market_of(seed=2, depegs=False), definition_of(rotation=rotation)

    result = simulate([definition], market, mondays(WEEKS), keeps_trades=True)

    stables = {position for position, name in enumerate(result.token_ids) if name.startswith("usd")}
    shares = {
        each.day: float(each.weights[0][[token in stables for token in each.tokens[0]]].sum()) for each in result.traded
    }
    days = sorted(shares)
    changed = [day for before, day in itertools.pairwise(days) if abs(shares[day] - shares[before]) > 0.5]
    assert len([day for day in changed if day % 7 != 1]) >= 3
    assert min(np.diff(changed)) >= 14
    for day in changed:
        state = market.market_state(result.days[day - 1])
        assert (state.btc_price_usd < state.btc_sma_200_usd) == (shares[day] > 0.5)


def test_costs_of_a_turn_show_the_day_after_it(market_of, definition_of, mondays):
    market, definition = market_of(seed=2, depegs=False), definition_of(rotation={"steps": FULL, "trigger": "daily"})

    gross = simulate([definition], market, mondays(WEEKS), keeps_trades=True)
    net = simulate([definition], market, mondays(WEEKS), cost_bps=20)

    factor = (net.levels / gross.levels)[0]
    traded = [each.day for each in gross.traded if each.day + 1 < len(factor)]
    fell = np.flatnonzero(np.diff(factor) < -1e-12).tolist()
    assert sorted(set(traded)) == fell
    assert any(day % 7 != 1 for day in fell)


def test_no_level_depends_on_a_later_day(market_of, definition_of, mondays):
    definitions = [definition_of(index_id=name, **fields) for name, fields in VARIANTS.items()]
    market = market_of(seed=3)

    full = simulate(definitions, market, mondays(WEEKS))
    short = simulate(definitions, market, mondays(17))

    np.testing.assert_allclose(short.levels, full.levels[:, : short.levels.shape[1]], rtol=1e-12)


def test_costs_take_their_part_of_what_is_traded_and_show_the_day_after(market_of, definition_of, mondays):
    market, definition = (
        market_of(seed=4, depegs=False),
        definition_of(calendar={"rule": "weekly_model", "retrade": "every_week"}),
    )

    gross = simulate([definition], market, mondays(20))
    net = simulate([definition], market, mondays(20), cost_bps=20)

    factor = (net.levels / gross.levels)[0]
    first = int(np.flatnonzero(np.isfinite(factor))[0])
    assert factor[first] == pytest.approx(1, abs=1e-12)
    assert factor[first + 1] == pytest.approx(1 - 20e-4)  # everything is bought
    changes = np.flatnonzero(np.abs(np.diff(factor[first:])) > 1e-12) + first + 1
    assert set(changes % 7) == {2}
    lost = -np.log(factor[-1] / factor[first + 1])
    assert lost == pytest.approx(2 * net.turnover[0] * 20e-4, rel=0.01)


def test_two_processes_give_what_one_gives(market_of, definition_of, mondays):
    definitions = [
        definition_of(
            index_id=f"v{count}_{band}",
            selection={"count": count},
            calendar={"rule": "weekly_model", "retrade_band": band / 1000},
        )
        for count in range(5, 12)
        for band in range(40)
    ]
    market = market_of(seed=5)

    one = simulate(definitions, market, mondays(12), cost_bps=10, keeps_trades=True)
    two = simulate(definitions, market, mondays(12), cost_bps=10, keeps_trades=True, processes=2)

    np.testing.assert_array_equal(one.levels, two.levels)
    np.testing.assert_array_equal(one.turnover, two.turnover)
    assert len(one.traded) == len(two.traded)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"weighting": {"method": "risk_parity"}}, "weighting.method risk_parity"),
        ({"weighting": {"max_turnover": 0.2}}, "weighting.max_turnover 0.2"),
        ({"weighting": {"group_caps": {"cap": 0.5}}}, "weighting.group_caps"),
        ({"weighting": {"capping": "single_pass", "cap": 0.3}}, "weighting.capping single_pass"),
        ({"selection": {"count": 10, "count_rule": "aic"}}, "selection.count_rule aic"),
        ({"calendar": {"rule": "monthly"}}, "calendar.rule monthly"),
        ({"market_cap_half_life_days": 5}, "market_cap_half_life_days 5"),
    ],
)
def test_a_rule_that_the_walk_does_not_know_is_refused_and_named(market_of, definition_of, mondays, fields, named):
    with pytest.raises(UnsupportedRuleError, match=named):
        simulate([definition_of(**fields)], market_of(seed=1, weeks=3), mondays(3))


def test_one_week_is_no_history(market_of, definition_of, mondays):
    with pytest.raises(TooLittleHistoryError, match="1 weeks"):
        simulate([definition_of()], market_of(seed=1, weeks=3), mondays(1))


def test_prices_of_tokens_that_nobody_could_hold_are_not_read(market_of, definition_of, mondays):
    market = market_of(seed=6, weeks=10)

    result = simulate([definition_of(universe={"sector": "DeFi"}, minimum_constituents=1)], market, mondays(10))

    sectors = pl.concat([market.snapshot(each.replace()) for each in result.days[::7]]).filter(
        pl.col("sector") == "DeFi"
    )
    assert set(result.token_ids) <= set(sectors["token_id"])


def test_what_is_simplified_is_named_and_then_known(definition_of):
    definition = definition_of(weighting={"max_turnover": 0.2, "cap": 0.3}, market_cap_half_life_days=5)

    plain, left_out = simplified(definition)

    assert set(left_out) == {"market_cap_half_life_days 5.0", "weighting.max_turnover 0.2"}
    assert plain == definition_of(weighting={"cap": 0.3})
    assert len(compile_variants([plain]).rules) == 1
    assert simplified(plain) == (plain, ())
