"""Limits: ceilings by rank, flexible ones, sectors, liquidity and turnover, by hand and by what must always hold."""

import functools

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models_ml.indices.errors import InfeasibleCapError
from models_ml.indices.limits import bounds_on, limit, part_of_the_way
from models_ml.indices.weighting import weigh
from models_ml.indices.weighting_rules import Weighting

SECTORS = ["DeFi", "L1", "Meme", None]


def members(caps, **columns):
    count = len(caps)
    frame = {
        "token_id": [f"t{position:02d}" for position in range(count)],
        "rank": range(1, count + 1),
        "market_cap_usd": [float(cap) for cap in caps],
        "volume_30d_median_usd": [1e9] * count,
        "trader_grade": [60.0] * count,
        "sector": ["L1"] * count,
    }
    return pl.DataFrame(frame | columns, schema_overrides={"sector": pl.String, "volume_30d_median_usd": pl.Float64})


def weights_of(frame, *, held=None, **weighting):
    _, weights = weigh(frame, Weighting(**weighting), held=held)
    return weights.to_list()


def test_ceilings_by_rank_hold_the_largest_at_thirty_and_the_others_at_twenty_percent():
    # CoinDesk 20: 30 % for the largest constituent, 20 % for the others.
    weights = weights_of(members([5, 60, 25, 6, 4]), rank_caps=[0.3], cap=0.2)

    # The other three share the half that is left as 5 : 6 : 4.
    assert weights == pytest.approx([0.5 * 5 / 15, 0.3, 0.2, 0.5 * 6 / 15, 0.5 * 4 / 15])


def test_of_two_equally_large_constituents_the_first_token_id_has_the_higher_ceiling():
    frame = members([40, 40, 10, 10])

    assert weights_of(frame, rank_caps=[0.4], cap=0.3) == pytest.approx([0.4, 0.3, 0.15, 0.15])
    assert weights_of(frame.reverse(), rank_caps=[0.4], cap=0.3) == pytest.approx([0.15, 0.15, 0.3, 0.4])


def test_a_flexible_ceiling_is_the_mean_of_the_ceiling_and_the_weight_before():
    frame = members([40, 30, 12, 12, 6])

    weights = weights_of(frame, held={"t00": 0.45, "t01": 0.20}, cap=0.25, capping="flexible")

    # t00 goes to (0.25 + 0.45) / 2; t01 was not above the ceiling before and goes to it; the others share the rest.
    assert weights == pytest.approx([0.35, 0.25, 0.16, 0.16, 0.08])


def test_a_flexible_ceiling_without_weights_before_is_a_single_pass():
    frame = members([50, 24, 14, 8, 4])

    flexible = weights_of(frame, cap=0.25, capping="flexible")

    assert flexible == weights_of(frame, cap=0.25, capping="single_pass")


def test_a_sector_over_its_ceiling_is_set_to_it_and_keeps_its_proportions():
    frame = members([40, 20, 30, 10], sector=["L1", "L1", "DeFi", "Meme"])

    weights = weights_of(frame, group_caps={"cap": 0.5})

    assert weights == pytest.approx([0.5 * 2 / 3, 0.5 / 3, 0.5 * 3 / 4, 0.5 / 4])


def test_what_one_sector_gives_up_may_bring_the_next_to_its_ceiling():
    frame = members([60, 28, 12], sector=["L1", "DeFi", "Meme"])

    # L1 gives up 25 points, with which DeFi would come to 45.5 %.
    assert weights_of(frame, group_caps={"cap": 0.35}) == pytest.approx([0.35, 0.35, 0.30])


def test_a_sector_may_have_a_ceiling_of_its_own_and_its_tokens_still_have_theirs():
    frame = members([40, 10, 30, 20], sector=["meme", "Meme", "L1", "L1"])
    caps = {"exceptions": [{"group": "MEME", "cap": 0.2}]}

    weights = weights_of(frame, cap=0.5, group_caps=caps)

    assert weights == pytest.approx([0.16, 0.04, 0.48, 0.32])
    limited = weights_of(frame, cap=0.45, group_caps=caps)
    assert limited == pytest.approx([0.16, 0.04, 0.45, 0.35])


def test_constituents_of_no_known_sector_count_as_one_unless_its_ceiling_is_lifted():
    frame = members([40, 30, 20, 10], sector=[None, None, "L1", "DeFi"])

    assert weights_of(frame, group_caps={"cap": 0.4}) == pytest.approx([0.4 * 4 / 7, 0.4 * 3 / 7, 0.4, 0.2])
    lifted = {"cap": 0.4, "exceptions": [{"group": "unknown", "cap": 1}]}
    assert weights_of(frame, group_caps=lifted) == pytest.approx([0.4, 0.3, 0.2, 0.1])


def test_a_constituent_holds_no_more_than_its_liquidity_allows():
    frame = members([50, 30, 20], volume_30d_median_usd=[2e6, 8e6, 9e6])

    # 10 % of the volume for 1 M USD: at most 20 %, 80 % and 90 %.
    weights = weights_of(frame, liquidity={"capital_usd": 1e6, "max_volume_share": 0.1})

    assert weights == pytest.approx([0.2, 0.48, 0.32])


def test_liquidity_below_the_floor_takes_its_place():
    frame = members([50, 45, 5], volume_30d_median_usd=[9e6, 9e6, 2e5])

    weights = weights_of(frame, floor=0.1, liquidity={"capital_usd": 1e6, "max_volume_share": 0.1})

    assert weights[2] == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("weighting", "columns", "message"),
    [
        ({"rank_caps": [0.3], "cap": 0.2}, {}, r"ceilings of 3 constituents add up to 0\.7"),
        (
            {"group_caps": {"cap": 0.4}},
            {"sector": ["L1", "L1", "DeFi"]},
            r"ceilings of sectors \(DeFi 0\.4, L1 0\.4\).*only 0\.8",
        ),
        ({"group_caps": {"cap": 0.3}, "floor": 0.2}, {"sector": ["L1", "L1", "DeFi"]}, r"sector L1 at the floor 0\.2"),
        (
            {"liquidity": {"capital_usd": 1e9, "max_volume_share": 0.1}},
            {"volume_30d_median_usd": [1e9, 1e9, 5e8]},
            r"3 constituents hold only 0\.25 of the index.*capital_usd to 0\.25 of itself",
        ),
        (
            {"liquidity": {"capital_usd": 1e6, "max_volume_share": 0.1}},
            {"volume_30d_median_usd": [1e6, None, 1e6]},
            r"hold only 0\.2 of the index",
        ),
    ],
)
def test_limits_that_cannot_be_met_are_refused_with_the_way_out(weighting, columns, message):
    with pytest.raises(InfeasibleCapError, match=message):
        weights_of(members([1, 1, 1], **columns), **weighting)


def test_under_a_turnover_limit_leaving_tokens_are_sold_first_and_the_others_go_part_of_their_way():
    held, wanted = {"a": 0.5, "b": 0.3, "old": 0.2}, {"a": 0.3, "b": 0.3, "new": 0.2, "too": 0.2}

    # 0.4 would be sold. Of the 0.3 allowed, 0.2 are `old` and 0.1 half of what `a` is to give up.
    reached = part_of_the_way(held, wanted, max_turnover=0.3)

    assert reached == pytest.approx({"a": 0.4, "b": 0.3, "new": 0.15, "too": 0.15, "old": 0.0})


def test_leaving_tokens_that_weigh_more_than_the_limit_are_all_that_is_sold():
    held, wanted = {"a": 0.5, "old": 0.3, "older": 0.2}, {"a": 0.4, "new": 0.6}

    reached = part_of_the_way(held, wanted, max_turnover=0.1)

    assert reached == pytest.approx({"a": 0.5, "new": 0.1, "old": 0.24, "older": 0.16})


def test_within_the_turnover_limit_the_target_is_reached_exactly():
    held, wanted = {"a": 0.5, "old": 0.5}, {"a": 0.9, "new": 0.1}

    reached = part_of_the_way(held, wanted, max_turnover=0.5)

    assert reached == {"a": 0.9, "new": 0.1, "old": 0.0}


@st.composite
def markets(draw):
    """Constituents with any caps, volumes and sectors."""
    count = draw(st.integers(2, 12))
    values = functools.partial(st.lists, min_size=count, max_size=count)
    return members(
        draw(values(st.floats(1e3, 1e12))),
        volume_30d_median_usd=draw(values(st.floats(1e4, 1e10))),
        sector=draw(values(st.sampled_from(SECTORS))),
        trader_grade=draw(values(st.floats(0, 100))),
    )


@st.composite
def weightings(draw):
    """Any method or blend, and limits that may or may not be possible."""
    methods = st.sampled_from(["market_cap", "equal", "sqrt_market_cap", "rank", "volume", "grade_conviction"])
    one, other, share = draw(methods), draw(methods), draw(st.floats(0.1, 0.9))
    blend = [{"method": one, "share": share}, {"method": other, "share": 1 - share}]
    cap = draw(st.floats(0.05, 1))
    highest = draw(st.floats(cap, 1))
    fields = {
        "cap": cap,
        "rank_caps": draw(st.sampled_from([[], [highest], [highest, cap]])),
        "floor": draw(st.sampled_from([0.0, 0.01, 0.05])),
        "group_caps": draw(st.none() | st.floats(0.2, 1).map(lambda cap: {"cap": cap})),
        "liquidity": draw(
            st.none() | st.floats(1e3, 1e9).map(lambda capital: {"capital_usd": capital, "max_volume_share": 0.5})
        ),
    }
    return Weighting(**fields, **draw(st.sampled_from([{"method": one}, {"blend": blend}])))


EXAMPLES = settings(max_examples=150, deadline=None)


@EXAMPLES
@given(markets(), weightings())
def test_weights_sum_to_one_and_keep_every_limit_or_are_refused_where_none_could(frame, weighting):
    assume(weighting.floor <= weighting.cap)
    bounds = bounds_on(frame, weigh(frame, weighting.model_copy(update=NO_LIMITS))[0], weighting)

    reached = outcome(frame, weighting)

    if reached is None:
        assert most_that_can_be_held(frame, bounds) < 1 or is_floor_too_high(bounds)
        return
    after = np.array([reached[token_id] for token_id in frame["token_id"]])
    assert after.sum() == pytest.approx(1, abs=1e-11)
    assert (after > 0).all()
    ceilings = sorted(weighting.ceilings(frame.height), reverse=True)
    assert (np.sort(after)[::-1] <= np.array(ceilings) + 1e-9).all()
    if weighting.liquidity is not None:
        held_usd = after * weighting.liquidity.capital_usd
        allowed = weighting.liquidity.max_volume_share * frame["volume_30d_median_usd"].to_numpy()
        assert (held_usd <= allowed * (1 + 1e-9)).all()
        assert (after >= np.minimum(weighting.floor, allowed / weighting.liquidity.capital_usd) - 1e-9).all()
    else:
        assert (after >= weighting.floor - 1e-9).all()
    if weighting.group_caps is not None:
        sums = frame.with_columns(weight=after).group_by("sector").agg(pl.col("weight").sum())["weight"]
        assert sums.max() <= weighting.group_caps.cap + 1e-9


NO_LIMITS = {"cap": 1.0, "floor": 0.0, "rank_caps": (), "group_caps": None, "liquidity": None}


def most_that_can_be_held(frame, bounds):
    """Sum of the ceilings, sector by sector, a little less for rounding."""
    most = frame.select(sector="sector", upper=pl.Series(bounds.upper)).group_by("sector").agg(pl.col("upper").sum())
    caps = {group.name: group.cap for group in bounds.groups}
    return sum(min(upper, caps.get(sector or "unknown", 1.0)) for sector, upper in most.iter_rows()) - 1e-9


def is_floor_too_high(bounds):
    """Whether floors alone break a limit."""
    return bounds.lower.sum() > 1 - 1e-9 or any(
        bounds.lower[group.members].sum() > group.cap - 1e-9 for group in bounds.groups
    )


def outcome(frame, weighting):
    """Weights by token_id, None where they are refused."""
    try:
        _, weights = weigh(frame, weighting)
    except InfeasibleCapError:
        return None
    return dict(zip(frame["token_id"], weights, strict=True))


@EXAMPLES
@given(markets(), weightings(), st.randoms(use_true_random=False))
def test_the_order_of_tokens_does_not_matter(frame, weighting, random):
    assume(weighting.floor <= weighting.cap)
    order = list(range(frame.height))
    random.shuffle(order)

    assert outcome(frame[order], weighting) == near(outcome(frame, weighting))


@EXAMPLES
@given(markets(), weightings(), st.floats(1e-3, 1e3))
def test_the_scale_of_market_caps_does_not_matter(frame, weighting, scale):
    assume(weighting.floor <= weighting.cap)
    shares = frame["market_cap_usd"].sqrt() / frame["market_cap_usd"].sqrt().sum()
    assume(not weighting.rank_caps or shares.round(9).n_unique() == frame.height)  # else rounding orders equal ones

    scaled = frame.with_columns(pl.col("market_cap_usd") * scale)

    assert outcome(scaled, weighting) == near(outcome(frame, weighting))


def near(weights):
    return None if weights is None else pytest.approx(weights, abs=1e-9)


@EXAMPLES
@given(markets(), st.floats(0.34, 1))
def test_limiting_weights_that_keep_the_limits_changes_nothing(frame, cap):
    weighting = Weighting(cap=0.9, group_caps={"cap": cap})
    reached = outcome(frame, weighting)
    assume(reached is not None)
    once = pl.Series([reached[token_id] for token_id in frame["token_id"]])

    again = limit(once, bounds_on(frame, once, weighting))

    assert again.to_list() == pytest.approx(once.to_list(), abs=1e-9)


@EXAMPLES
@given(
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 1), min_size=1),
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 1), min_size=1),
    st.floats(0.01, 1),
)
def test_a_turnover_limit_is_kept_and_moves_nothing_away_from_its_target(held, wanted, max_turnover):
    held = {token: weight / sum(held.values()) for token, weight in held.items()}
    wanted = {token: weight / sum(wanted.values()) for token, weight in wanted.items()}

    reached = part_of_the_way(held, wanted, max_turnover=max_turnover)

    assert sum(reached.values()) == pytest.approx(1, abs=1e-12)
    traded = sum(abs(reached[token] - held.get(token, 0)) for token in reached) / 2
    needed = sum(abs(wanted.get(token, 0) - held.get(token, 0)) for token in reached) / 2
    assert traded == pytest.approx(min(needed, max_turnover), abs=1e-12)
    for token, weight in reached.items():
        low, high = sorted((held.get(token, 0.0), wanted.get(token, 0.0)))
        assert low - 1e-12 <= weight <= high + 1e-12


@EXAMPLES
@given(
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 1), min_size=1),
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 1), min_size=1),
    st.floats(0.05, 1),
)
def test_whatever_the_turnover_limit_the_target_is_reached_exactly_after_a_few_rebalances(held, wanted, max_turnover):
    reached = {token: weight / sum(held.values()) for token, weight in held.items()}
    wanted = {token: weight / sum(wanted.values()) for token, weight in wanted.items()}

    for _ in range(21):
        reached = part_of_the_way(reached, wanted, max_turnover=max_turnover)

    assert {token: weight for token, weight in reached.items() if weight > 0} == pytest.approx(wanted, abs=1e-12)
