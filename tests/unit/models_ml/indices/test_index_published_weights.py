"""Weights and levels against what publishers printed, to the precision of their figures.

The single figures of a method's other tests are in `test_index_weighting.py` and `test_index_levels.py`; here each
published case goes through a whole definition, or through rebalances that were made.
"""

import datetime as dt
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from models_ml.indices.levels import Basket, divisor_for, index_level
from models_ml.indices.market import PRICE_SCHEMA, PriceLookup
from models_ml.indices.state import Rebalance, Target, midnight
from models_ml.indices.weighting import weigh
from models_ml.indices.weighting_rules import Weighting

REPOSITORY = Path(__file__).parents[4]
ARCHIVE = Path(os.environ.get("TIDEMARK_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
CONSTITUENTS = ARCHIVE / "index_constituents.parquet"
DAY = dt.date(2021, 5, 3)

# CRIX: circulating units, prices of 2017-02-01 and market caps of 2017-01-31 of BTC, ETH, XRP, LTC, XMR.
CRIX_UNITS = [16136712, 88440036, 36856524148, 49589181, 13859864]
CRIX_PRICES = [986.572890345435, 10.7009894182225, 0.006492, 4.05834934208374, 13.2887379822471]
CRIX_BASE_CAPS = [15624634422.4056, 944300621.568972, 233522937.001728, 200989557.98586, 181636487.415841]

# Bloomberg Galaxy Crypto Index at its launch, 2018-05-03: shares before limits, and weights as published (%).
BGCI_SHARES = [0.48910, 0.22818, 0.10217, 0.07632, 0.04356, 0.02685, 0.01194, 0.01161, 0.00682, 0.00346]
BGCI_PUBLISHED = [30, 30, 14.14, 10.65, 6.11, 3.77, 1.67, 1.66, 1.00, 1.00]

# DeFi Pulse Index and Metaverse Index: weights after rebalances of 2021.
DPI_ORDER = ["UNI", "AAVE", "SNX", "COMP", "MKR", "SUSHI", "YFI", "REN", "LRC", "KNC", "BAL", "MTA", "CREAM", "FARM"]
DPI_WEIGHTS = {
    "2021-1": ".332643 .212713 .139571 .083602 .075896 - .052274 .030404 .036341 .015636 .017840 .003080 - -",
    "2021-march": ".295082 .187372 .122048 .078243 .081165 .086605 .047795 .041251 .028866 .013735 .016365 .001474 - -",
    "2021-april": (
        ".250000 .199226 .114595 .082649 .085782 .086000 .054565 .038377 .027889 .023541 .024885 .002907 "
        ".003556 .006029"
    ),
    "2021-may": (
        ".250001 .189383 .082555 .119538 .145105 .062422 .055575 .025650 .021249 .019914 .020879 .001998 "
        ".003322 .002409"
    ),
}
DPI_VALUES = {"2021-1": 322.8415, "2021-march": 406.5413, "2021-april": 427.9244, "2021-may": 592.2724}
MVI_WEIGHTS = {
    "2021-july": (
        "MANA .15348 ENJ .15815 SAND .11200 WAXE .09508 AXS .08071 AUDIO .07995 NFTX .04981 RFOX .04627 WHALE .04536 "
        "RARI .04431 DG .03569 TVK .02725 MUSE .02659 REVV .02399 MEME .02138"
    ),
    "2021-may": (
        "MANA .144198 ENJ .166589 SAND .098048 AXS .079712 WAXE .078997 AUDIO .071217 RFOX .064485 NFTX .048907 "
        "WHALE .046273 DG .043282 RARI .038489 TVK .036386 REVV .032556 MEME .027356 MUSE .023505"
    ),
}

needs_archive = pytest.mark.skipif(
    not CONSTITUENTS.is_file(), reason=f"no published constituents in {ARCHIVE} (TIDEMARK_SHARED_DATA)"
)


def members(values):
    frame = {"market_cap_usd": [float(value) for value in values], "trader_grade": [60.0] * len(values)}
    return pl.DataFrame(frame | {"token_id": [f"t{position:02d}" for position in range(len(values))]})


def weights_of(values, **weighting):
    return weigh(members(values), Weighting(**weighting))[1].to_list()


def prices_on(days):
    """A lookup of `{day: {token_id: price}}`."""
    rows = [(day, token_id, price) for day, prices in days.items() for token_id, price in prices.items()]
    return PriceLookup(pl.DataFrame(rows, schema=PRICE_SCHEMA, orient="row"))


def rebalance(day, weights):
    targets = tuple(Target(token_id, token_id, weight, "") for token_id, weight in sorted(weights.items()))
    return Rebalance(midnight(day + dt.timedelta(days=1)), targets)


def rebalances_of(index_id, label):
    """One row per constituent of a published rebalance, with the price at which it was traded."""
    rows = pl.read_parquet(CONSTITUENTS).filter((pl.col("index_id") == index_id) & (pl.col("as_of_label") == label))
    return rows.with_columns(price=pl.col("trade_notional_usd") / pl.col("trade_notional_token"))


def bought_by_the_engine(rows, weights, *, level):
    """Units of one index token that the engine buys for these weights, by asset."""
    prices = dict(rows.select("asset", "price").iter_rows())
    basket = Basket.bought(rebalance(DAY, weights), level=level, prices=prices_on({DAY: prices}))
    units = basket.units / basket.divisor
    return {target.token_id: unit for target, unit in zip(basket.holdings, units.tolist(), strict=True)}


def test_the_crix_example_follows_from_its_base_to_the_twelfth_digit():
    base = divisor_for(CRIX_BASE_CAPS, [1.0] * 5, level=1000)

    assert base == pytest.approx(17185084.026378, abs=1e-6)
    assert index_level(CRIX_BASE_CAPS, [1.0] * 5, divisor=base) == pytest.approx(1000, rel=1e-12)
    # Published with the divisor rounded to a whole number, and with the one that is not.
    assert index_level(CRIX_UNITS, CRIX_PRICES, divisor=17185084) == pytest.approx(1017.8094773301837, rel=1e-12)
    assert index_level(CRIX_UNITS, CRIX_PRICES, divisor=base) == pytest.approx(1017.8094757679, rel=1e-12)


def test_a_basket_weighted_by_the_crix_caps_has_the_published_level_and_shares_the_next_day():
    base_day, next_day = dt.date(2017, 1, 31), dt.date(2017, 2, 1)
    token_ids = ["btc", "eth", "xrp", "ltc", "xmr"]
    at_base = {
        token_id: cap / units for token_id, cap, units in zip(token_ids, CRIX_BASE_CAPS, CRIX_UNITS, strict=True)
    }
    prices = prices_on({base_day: at_base, next_day: dict(zip(token_ids, CRIX_PRICES, strict=True))})
    weights = dict(zip(token_ids, weights_of(CRIX_BASE_CAPS), strict=True))

    basket = Basket.bought(rebalance(base_day, weights), level=1000, prices=prices)
    base, after = basket.closes(prices, base_day, next_day)

    assert base.level == pytest.approx(1000, rel=1e-12)
    assert after.level == pytest.approx(1017.8094757679, rel=1e-12)
    shares = dict(zip([target.token_id for target in basket.holdings], after.weights, strict=True))
    expected = [0.91017746, 0.05410715, 0.01367964, 0.01150584, 0.01052991]
    assert [shares[token_id] for token_id in token_ids] == pytest.approx(expected, abs=5e-9)


def test_the_bgci_at_its_launch_is_iterative_and_no_single_pass():
    iterative = weights_of(BGCI_SHARES, cap=0.30, floor=0.01, capping="iterative")
    single = weights_of(BGCI_SHARES, cap=0.30, floor=0.01, capping="single_pass")

    assert [100 * weight for weight in iterative] == pytest.approx(BGCI_PUBLISHED, abs=0.15)
    assert 100 * single[1] == pytest.approx(30.99, abs=0.005)
    assert abs(100 * single[1] - BGCI_PUBLISHED[1]) > 0.15


@pytest.mark.parametrize(
    ("raw", "limits", "once", "iterative"),
    [
        ((50, 24, 14, 8, 4), {"cap": 0.25}, (25, 36, 21, 12, 6), (25, 25, 25, 50 / 3, 25 / 3)),
        (
            (60, 25, 9, 4, 1.5, 0.5),
            {"cap": 0.30, "floor": 0.01},
            # 69 % for the four between the limits, which had 39.5 % before.
            (30, 69 * 25 / 39.5, 69 * 9 / 39.5, 69 * 4 / 39.5, 69 * 1.5 / 39.5, 1),
            (30, 30, 24, 32 / 3, 4, 4 / 3),
        ),
    ],
)
def test_the_hand_checkable_cases_hold_to_the_millionth(raw, limits, once, iterative):
    assert weights_of(raw, capping="single_pass", **limits) == pytest.approx([x / 100 for x in once], abs=1e-6)
    assert weights_of(raw, capping="iterative", **limits) == pytest.approx([x / 100 for x in iterative], abs=1e-6)


@needs_archive
@pytest.mark.real
@pytest.mark.parametrize("label", DPI_WEIGHTS)
def test_dpi_rebalances_are_self_financing_and_buy_the_published_units(label):
    rows = rebalances_of("DPI", label)
    printed = zip(DPI_ORDER, DPI_WEIGHTS[label].split(), strict=True)
    weights = {asset: float(weight) for asset, weight in printed if weight != "-"}
    before = (rows["current_unit"] * rows["price"]).sum()

    units = bought_by_the_engine(rows, weights, level=before)

    assert before == pytest.approx(DPI_VALUES[label], abs=1e-4)
    assert (rows["new_unit"] * rows["price"]).sum() == pytest.approx(before, rel=1e-7)
    assert abs(rows["trade_notional_usd"].sum()) <= 7  # of 7 to 22 M USD traded, each rounded to a dollar
    bought = np.array([units[asset] * price / before for asset, price in rows.select("asset", "price").iter_rows()])
    published = (rows["new_unit"] * rows["price"]).to_numpy() / before
    assert bought == pytest.approx(published, abs=1e-6)


@needs_archive
@pytest.mark.real
@pytest.mark.parametrize("label", ["2021-april", "2021-may"])
def test_dpi_weights_of_april_and_may_2021_already_keep_the_ceiling_of_a_quarter(label):
    rows = rebalances_of("DPI", label)
    published = (rows["new_unit"] * rows["price"]).to_list()

    limited = weights_of(published, cap=0.25, capping="single_pass")

    assert limited == pytest.approx([value / sum(published) for value in published], abs=2e-6)
    assert max(limited) == pytest.approx(0.25, abs=1e-12 if label == "2021-may" else 1e-6)


@needs_archive
@pytest.mark.real
@pytest.mark.parametrize("label", MVI_WEIGHTS)
def test_mvi_targets_buy_the_published_units(label):
    # The liquidity of the formula 0.75 x sqrt(cap) + 0.25 x liquidity is not published, so the targets are taken as given.
    rows = rebalances_of("MVI", label)
    printed = MVI_WEIGHTS[label].split()
    weights = dict(zip(printed[::2], map(float, printed[1::2]), strict=True))
    before = (rows["current_unit"] * rows["price"]).sum()

    units = bought_by_the_engine(rows, weights, level=before)

    assert sum(weights.values()) == pytest.approx(1, abs=2.5e-5)
    bought = np.array([units[asset] * price / before for asset, price in rows.select("asset", "price").iter_rows()])
    published = (rows["new_unit"] * rows["price"]).to_numpy() / (rows["new_unit"] * rows["price"]).sum()
    assert bought == pytest.approx(published, abs=2e-5)
