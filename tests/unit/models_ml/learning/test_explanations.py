"""Explanations: contributions that add up to the score, the largest of them in words."""

import dataclasses
import datetime as dt

import polars as pl
import pytest

from models_ml.features.wording import in_words
from models_ml.learning.boosters import gain_shares
from models_ml.learning.dataset import MODEL_COLUMNS
from models_ml.learning.explanations import (
    gain_by_family,
    largest_changes,
    largest_contributions,
    score_contributions,
    sentence,
)
from models_ml.learning.ranking import TRADER, predict_ranking, train_ranking

REFIT = dt.date(2024, 1, 1)


@pytest.fixture(scope="module")
def explained(panel_of):
    panel = panel_of(3, tokens=60, weeks=30, strength=0.4)
    model = train_ranking(dataclasses.replace(TRADER, rounds=30), panel.frame, panel.labels, refit=REFIT)
    rows = panel.frame.tail(60)
    return model, rows, score_contributions(model, rows)


def test_contributions_add_up_to_the_score(explained):
    model, rows, added = explained

    total = added.select(pl.sum_horizontal(*MODEL_COLUMNS, "expected")).to_series()

    assert total.to_numpy() == pytest.approx(predict_ranking(model, rows)["score_cross_section"].to_numpy(), abs=1e-9)


def test_the_largest_come_first_and_the_planted_column_leads(explained):
    _, rows, added = explained

    largest = largest_contributions(added, rows)

    assert largest.height == 5 * rows.height
    assert largest.group_by("token_id", maintain_order=True).agg("place")["place"].to_list() == [[1, 2, 3, 4, 5]] * 60
    sizes = largest.group_by("token_id", maintain_order=True).agg(pl.col("contribution").abs())["contribution"]
    assert all(list(row) == sorted(row, reverse=True) for row in sizes)
    first = largest.filter(pl.col("place") == 1)
    assert (first["feature"] == MODEL_COLUMNS[0].removeprefix("rank_")).mean() > 0.8


def test_a_row_names_the_value_that_its_sentence_tells(explained):
    _, rows, added = explained

    row = largest_contributions(added, rows).filter(pl.col("is_rank")).row(0, named=True)

    value = rows.filter(pl.col("token_id") == row["token_id"])[f"rank_{row['feature']}"].item()
    assert row["value"] == pytest.approx(value)
    assert row["sentence"] == sentence(f"rank_{row['feature']}", row["value"], row["contribution"])


@pytest.mark.parametrize(
    ("column", "value", "contribution", "words"),
    [
        (
            "rank_volatility_30d",
            0.07,
            0.021,
            "volatility of 30 days, lower than 93% of the universe, raises the expected rank by 2.1 points",
        ),
        (
            "rank_return_7d",
            0.9,
            -0.004,
            "return of 7 days, higher than 90% of the universe, lowers the expected rank by 0.4 points",
        ),
        ("rank_mvrv_ratio", None, -0.01, "mvrv ratio, unknown, lowers the expected rank by 1.0 points"),
        ("fear_greed", 23.0, 0.01, "fear greed of the market at 23 raises the expected rank by 1.0 points"),
    ],
)
def test_a_contribution_in_words(column, value, contribution, words):
    assert sentence(column, value, contribution) == words


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("volume_surge_7d_30d", "volume surge of 7 days and 30 days"),
        ("commits_growth_12w", "commits growth of 12 weeks"),
        ("age_days", "age days"),
        ("m2_growth_1y", "m2 growth of 1 years"),
    ],
)
def test_features_in_words(feature, words):
    assert in_words(feature) == words


def test_the_gain_of_all_families_sums_to_one(explained):
    model, _, _ = explained

    shares = gain_by_family(gain_shares(list(model.boosters.values())))

    assert shares["gain_share"].sum() == pytest.approx(1.0)
    assert shares["gain_share"].is_sorted(descending=True)
    assert {"momentum", "state of the market"} <= set(shares["family"])


def two_days(now, before, *, model="trader-b", earlier_model="trader-b"):
    def day(values, week, version):
        keys = {"as_of_week": [week], "market_date": [week - dt.timedelta(days=1)], "token_id": ["t"]}
        return pl.DataFrame({**keys, **{name: [value] for name, value in values.items()}, "model_version": [version]})

    return (
        day(now | {"expected": 0.5}, dt.date(2024, 2, 5), model),
        day(before | {"expected": 0.1}, dt.date(2024, 1, 15), earlier_model),
    )


def test_what_changed_names_the_largest_differences_first():
    now = {"rank_return_7d": 0.03, "rank_volatility_30d": -0.02, "fear_greed": 0.0, "rank_age_days": 0.001}
    before = {"rank_return_7d": 0.01, "rank_volatility_30d": 0.03, "fear_greed": -0.01, "rank_age_days": 0.0}

    (told,) = largest_changes(*two_days(now, before))["what_changed"]

    assert told == (
        "since 2024-01-14: volatility of 30 days -5.0, return of 7 days +2.0, fear greed +1.0 points of the expected rank"
    )


def test_a_change_of_model_is_said_and_its_own_columns_count_nothing_before():
    days = two_days({"rank_rsi_14d": 0.02}, {"rank_return_7d": 0.01}, earlier_model="trader-a")

    (told,) = largest_changes(*days)["what_changed"]

    assert told == (
        "since 2024-01-14: rsi of 14 days +2.0, return of 7 days -1.0 points of the expected rank (another model since)"
    )


def test_where_nothing_changed_it_is_said_and_an_unknown_day_says_nothing():
    now, before = two_days({"rank_rsi_14d": 0.02}, {"rank_rsi_14d": 0.0201})

    assert largest_changes(now, before)["what_changed"].to_list() == [
        "since 2024-01-14: no contribution by a tenth of a point"
    ]
    assert largest_changes(now, before.clear()).is_empty()
