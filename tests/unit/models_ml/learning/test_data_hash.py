"""Every head's model knows the data it was trained on."""

import datetime as dt

import polars as pl
import pytest

from models_ml.learning.calendar import RANGE_HORIZONS_DAYS
from models_ml.learning.moves import train_moves
from models_ml.learning.price_ranges import train_ranges
from models_ml.learning.ranking import INVESTOR, TRADER, train_ranking

REFIT = dt.date(2024, 1, 1)


def trained_ranges(frame, labels):
    return train_ranges(dict.fromkeys(RANGE_HORIZONS_DAYS, frame), labels, refit=REFIT)


TRAIN = {
    "trader": lambda frame, labels: train_ranking(TRADER, frame, labels, refit=REFIT),
    "investor": lambda frame, labels: train_ranking(INVESTOR, frame, labels, refit=REFIT),
    "calls": lambda frame, labels: train_moves(frame, labels, refit=REFIT),
    "ranges": trained_ranges,
}


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    """The hash covers what goes in, so the trees may be none: training is most of the time of these tests."""
    for module in ("ranking", "moves", "price_ranges"):
        monkeypatch.setattr(f"models_ml.learning.{module}.boost", lambda _frame, labels, **_: dict.fromkeys(labels, ""))
    monkeypatch.setattr("models_ml.learning.price_ranges._multiplier", lambda *_, **__: 1.0)


@pytest.fixture(scope="module")
def panel(panel_of):
    return panel_of(3, tokens=20, weeks=10)


@pytest.mark.parametrize("head", TRAIN)
def test_equal_data_in_another_order_hash_equally(head, panel):
    shuffled = panel.frame.sample(fraction=1, shuffle=True, seed=1)

    first, second = TRAIN[head](panel.frame, panel.labels), TRAIN[head](shuffled, panel.labels)

    assert first.data_hash == second.data_hash
    assert len(first.data_hash) == 64
    assert first.card()["data_hash"] == first.data_hash


@pytest.mark.parametrize("head", TRAIN)
def test_a_feature_a_label_or_a_row_more_changes_the_hash(head, panel):
    one = pl.int_range(pl.len()) == 5
    feature = panel.frame.with_columns(
        pl.when(one).then(0.123).otherwise("rank_return_7d").cast(pl.Float32).alias("rank_return_7d")
    )
    label = panel.labels.with_columns(
        *(pl.when(one).then(9.0).otherwise(name).alias(name) for name in panel.labels.columns if "return" in name),
        forward_barrier=pl.when(one)
        .then(1 - pl.col("forward_barrier").abs())
        .otherwise("forward_barrier")
        .cast(pl.Int8),
    )

    hashes = {
        TRAIN[head](panel.frame, panel.labels).data_hash,
        TRAIN[head](feature, panel.labels).data_hash,
        TRAIN[head](panel.frame, label).data_hash,
        TRAIN[head](panel.frame.head(-1), panel.labels).data_hash,
    }

    assert len(hashes) == 4


def test_the_data_are_no_part_of_the_version(panel):
    model = TRAIN["trader"](panel.frame, panel.labels)
    other = TRAIN["trader"](panel.frame.head(-20), panel.labels)

    assert model.data_hash != other.data_hash
    assert model.version == other.version
