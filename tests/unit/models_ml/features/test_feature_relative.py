"""Places among the tokens of a day, and distances from the median of the sector."""

from datetime import date

import polars as pl
import pytest

from models_ml.features.relative import COMPARED, RANKED, relative_features

DAY = date(2024, 1, 1)


@pytest.fixture
def rows():
    returns = {"a": 0.5, "b": 0.25, "c": 0.25, "d": 1.0, "e": 2.0, "f": None, "g": 0.0, "h": 3.0, "i": 4.0}
    sectors = {"f": None, **dict.fromkeys("ehi", "Meme"), **dict.fromkeys("abcdg", "DeFi")}
    frame = pl.DataFrame(
        {
            "token_id": list(returns),
            "market_date": [DAY] * len(returns),
            "sector": [sectors[token] for token in returns],
            "return_7d": list(returns.values()),
            "return_30d": [1.0 if name in "abcd" else None for name in returns],
        }
    )
    others = [name for name in dict.fromkeys((*RANKED, *COMPARED)) if name not in frame.columns]
    return frame.with_columns(pl.lit(None, pl.Float32).alias(name) for name in others)


def test_equal_values_share_the_mean_of_their_places_and_unknown_ones_have_none(rows):
    ranks = dict(relative_features(rows).select("token_id", "rank_return_7d").rows())

    assert ranks == {
        **{"g": 0.0625, "b": 0.25, "c": 0.25, "a": 0.4375, "d": 0.5625},
        **{"e": 0.6875, "h": 0.8125, "i": 0.9375, "f": None},
    }


def test_a_sector_is_the_measure_where_five_of_its_tokens_have_the_feature(rows):
    relative = relative_features(rows)

    distances = dict(relative.select("token_id", "sector_relative_return_7d").rows())
    assert {token: distances[token] for token in "abcdg"} == {"a": 0.25, "b": 0.0, "c": 0.0, "d": 0.75, "g": -0.25}
    assert [distances[token] for token in "ehif"] == [None] * 4
    assert relative["sector_relative_return_30d"].null_count() == relative.height


def test_days_are_judged_apart(rows):
    later = rows.with_columns(market_date=date(2024, 1, 2), return_7d=-pl.col("return_7d"))

    both = relative_features(pl.concat([rows, later]))

    assert both.filter(pl.col("market_date") == DAY).equals(relative_features(rows))
    assert both.filter(pl.col("market_date") > DAY).equals(relative_features(later))
