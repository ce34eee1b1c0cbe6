"""The shipped replicas say what the publishers' rules say: weights by their own definitions, and the days on which they trade."""

import datetime as dt
import math

import polars as pl
import pytest

from models_ml.indices.definition import DEFINITIONS_FOLDER, load_definitions
from models_ml.indices.schedule import calendar_instants
from models_ml.indices.selection import judge
from models_ml.indices.state import midnight
from models_ml.indices.weighting import weigh

# One computation of the DPI by the publisher's own code, mid 2021: supply, price in USD, weight.
DPI_RUN = {
    "UNI": (519857388, 43.119995, 0.250000),
    "AAVE": (12800177, 515.569895, 0.186065),
    "MKR": (901310, 5473.07992, 0.139081),
    "COMP": (5333443, 805.339268, 0.121101),
    "SNX": (157618913, 18.509969, 0.082257),
    "SUSHI": (189272855, 14.249998, 0.076044),
    "YFI": (36096, 52362.9864, 0.053290),
    "REN": (881153018, 0.989998, 0.024595),
    "LRC": (1245991468, 0.579995, 0.020375),
    "BAL": (10799858, 65.749635, 0.020020),
    "KNC": (204545192, 3.309991, 0.019089),
    "CREAM": (739109, 164.806006, 0.003434),
    "FARM": (561523, 155.010628, 0.002454),
    "MTA": (28505551, 2.729933, 0.002194),
}


@pytest.fixture(scope="module")
def shipped():
    return {definition.index_id: definition for definition in load_definitions(DEFINITIONS_FOLDER)}


def weights_of(definition, rows):
    """Weights of `(market cap, median volume)` rows by a definition."""
    caps, volumes = zip(*rows, strict=True)
    members = pl.DataFrame(
        {
            "token_id": [f"t{position:02d}" for position in range(len(rows))],
            "market_cap_usd": [float(cap) for cap in caps],
            "volume_30d_median_usd": [float(volume) for volume in volumes],
            "trader_grade": [60.0] * len(rows),
        }
    )
    return weigh(members, definition.weighting)[1].to_list()


def trading_days(definition, year):
    first, last = midnight(dt.date(year - 1, 12, 31)), midnight(dt.date(year, 12, 31))
    return [instant.date() for instant in calendar_instants(definition.calendar, first, last)]


def test_the_dpi_weighs_as_the_publishers_code_does(shipped):
    weights = weights_of(shipped["dpi"], [(supply * price, 1.0) for supply, price, _ in DPI_RUN.values()])

    assert weights == pytest.approx([weight for _, _, weight in DPI_RUN.values()], abs=1e-6)


def test_the_mvi_is_three_quarters_roots_of_caps_and_one_quarter_volumes(shipped):
    rows = [(100, 30), (400, 10), (900, 60)]  # roots 10, 20, 30 of 60; volumes of 100

    weights = weights_of(shipped["mvi"], rows)

    assert weights == pytest.approx(
        [0.75 * root / 60 + 0.25 * volume / 100 for root, volume in ((10, 30), (20, 10), (30, 60))]
    )


def test_the_gmi_keeps_the_proportion_of_the_parts_it_has(shipped):
    weighting = shipped["gmi"].weighting
    shares = {part.method: part.share for part in weighting.blend}

    # 60 % and 30 % of the publisher, without the 10 % of dilution.
    assert shares["sqrt_market_cap"] / shares["volume"] == pytest.approx(60 / 30)
    assert math.fsum(shares.values()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("index_id", "cap", "expected"),
    [
        ("mvi", 29e6, "small"),
        ("mvi", 6e9, None),
        ("gmi", 29e6, "small"),
        ("gmi", 31e6, None),
        ("gmi", 4.9e9, None),
        ("gmi", 5.1e9, "large"),
    ],
)
def test_the_gaming_indices_take_market_caps_inside_their_bounds(index_id, cap, expected, shipped):
    row = {
        "token_id": "token",
        "sector": "Gaming/Metaverse",
        "is_stable": False,
        "is_wrapped": False,
        "market_cap_usd": cap,
        "volume_30d_median_usd": cap / 10,
        "age_days": 400,
        "trader_grade": None,
    }

    (code,) = judge(shipped[index_id], pl.DataFrame([row]))

    assert code == expected


def test_the_coindesk_20_caps_the_largest_at_30_and_all_others_at_20_percent(shipped):
    caps = [600, 300, *[100 / 18] * 18]  # 60 %, 30 % and the rest

    weights = weights_of(shipped["cd20"], [(cap, 1.0) for cap in caps])

    assert weights == pytest.approx([0.30, 0.20, *[0.50 / 18] * 18])


def test_the_nasdaq_index_trades_at_the_close_of_the_first_business_day_of_four_months(shipped):
    # In 2024 1 March is a Friday, 1 June a Saturday, 1 September a Sunday; the close is 00:00 UTC of the next day.
    assert trading_days(shipped["nci"], 2024) == [
        dt.date(2024, 3, 2),
        dt.date(2024, 6, 4),
        dt.date(2024, 9, 3),
        dt.date(2024, 12, 3),
    ]


@pytest.mark.parametrize(
    ("index_id", "months"),
    [("cd20", [1, 4, 7, 10]), ("gmi", [2, 4, 6, 8, 10, 12]), ("dpi", list(range(1, 13))), ("mvi", list(range(1, 13)))],
)
def test_the_others_trade_on_the_first_of_their_months(index_id, months, shipped):
    assert trading_days(shipped[index_id], 2023) == [dt.date(2023, month, 1) for month in months]


def test_what_stands_in_for_a_rule_is_said(shipped):
    said = {
        index_id: " ".join(shipped[index_id].methodology.split()) for index_id in ("nci", "cd20", "dpi", "mvi", "gmi")
    }

    assert "stand in for the one" in said["nci"]
    assert "stands in for that" in said["cd20"]
    assert "by a list made in hindsight" in said["dpi"]
    assert "the median volume stands in for it" in said["mvi"]
    assert "the part of dilution is left out" in said["gmi"]
    assert all("sector" in shipped[index_id].undated_inputs for index_id in said)
