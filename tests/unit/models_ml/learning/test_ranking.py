"""The ranking heads: the same inputs give the same trees, and every row gets a score."""

import dataclasses
import datetime as dt
import json

import numpy as np
import polars as pl
import pytest

from models_ml.learning.boosters import PARAMETERS, contributions, gain_shares
from models_ml.learning.dataset import MODEL_COLUMNS, RANK_COLUMNS, LeakError
from models_ml.learning.ranking import INVESTOR, TRADER, predict_ranking, train_ranking

REFIT = dt.date(2024, 1, 1)
BOOSTERS = {"return_14d", "residual_14d", "return_7d_14d"}
SHORT = dataclasses.replace(TRADER, rounds=10)


@pytest.fixture(scope="module")
def panel(panel_of):
    return panel_of(1, tokens=60, weeks=40, strength=0.2)


@pytest.fixture(scope="module")
def model(panel):
    return train_ranking(TRADER, panel.frame, panel.labels, refit=REFIT)


def trees(model):
    """The boosters without the parameters that LightGBM writes after the trees, the number of threads among them."""
    return {name: text.split("end of trees")[0] for name, text in model.boosters.items()}


def test_a_second_training_gives_byte_identical_trees_whatever_the_order_of_rows(panel, model):
    again = train_ranking(
        TRADER,
        panel.frame.sample(fraction=1, shuffle=True, seed=1),
        panel.labels.sample(fraction=1, shuffle=True, seed=2),
        refit=REFIT,
    )

    assert again == model
    assert again.version == model.version


def test_the_number_of_threads_changes_no_tree(panel, monkeypatch):
    # Few rounds, because threads that share a busy machine wait for each other at every split.
    trained = []

    for threads in (1, 2):
        monkeypatch.setitem(PARAMETERS, "num_threads", threads)
        trained.append(trees(train_ranking(SHORT, panel.frame, panel.labels, refit=REFIT)))

    assert trained[0].keys() == BOOSTERS
    assert trained[0] == trained[1]


def test_the_version_names_refit_and_content(model):
    changed = [
        dataclasses.replace(model, boosters=model.boosters | {"return_14d": model.boosters["return_14d"] + " "}),
        dataclasses.replace(model, columns=model.columns[::-1]),
        dataclasses.replace(model, constants={"neutral": 0.123}),
        dataclasses.replace(model, refit=dt.date(2024, 4, 1)),
    ]

    assert model.version.startswith("trader-2024-01-01-")
    assert len({model.version, *(other.version for other in changed)}) == 5
    assert dataclasses.replace(model, boosters=dict(reversed(model.boosters.items()))).version == model.version


def test_other_labels_give_another_version(panel, model):
    turned = panel.labels.with_columns(-pl.col("forward_return_14d", "forward_return_14d_lag1"))

    assert train_ranking(TRADER, panel.frame, turned, refit=REFIT).version != model.version


def test_the_model_knows_what_it_was_trained_on(panel, model):
    assert model.boosters.keys() == BOOSTERS
    assert model.columns == MODEL_COLUMNS
    assert model.training_rows == panel.frame.height
    assert model.training_weeks == (panel.frame["as_of_week"].min(), panel.frame["as_of_week"].max())


def test_the_card_is_json_and_leaves_the_trees_out(model):
    card = json.loads(json.dumps(model.card()))

    assert card["version"] == model.version
    assert card["boosters"] == sorted(BOOSTERS)
    assert len(json.dumps(card)) < 10_000


def test_every_row_gets_a_score_even_without_one_known_feature(panel, model):
    rows = panel.frame.sample(fraction=1, shuffle=True, seed=3).head(100)
    unknown = rows.head(1).with_columns(pl.lit(None, dtype=pl.Float32).alias(name) for name in MODEL_COLUMNS)

    predicted = predict_ranking(model, pl.concat([rows, unknown]))

    assert predicted.select("as_of_week", "token_id").equals(
        pl.concat([rows, unknown]).select("as_of_week", "token_id")
    )
    assert predicted["score_cross_section"].is_finite().all()
    assert predicted["score_cross_section"].null_count() == 0


def test_a_score_depends_on_its_own_row_only(panel, model):
    rows = panel.frame.head(200)

    parts = [predict_ranking(model, rows.slice(start, 50)) for start in range(0, 200, 50)]

    assert predict_ranking(model, rows).equals(pl.concat(parts))


def test_a_frame_without_rows_gets_no_scores(panel, model):
    assert predict_ranking(model, panel.frame.clear()).is_empty()


def test_columns_are_found_by_name(panel, model):
    turned = panel.frame.select("token_id", *MODEL_COLUMNS[::-1], "as_of_week").with_columns(more=pl.lit(1.0))

    assert predict_ranking(model, turned).equals(predict_ranking(model, panel.frame))


def test_a_frame_that_lacks_columns_of_the_model_is_refused(panel, model):
    with pytest.raises(ValueError, match=f"{model.version} needs the columns .*'fear_greed'.* make rebuild"):
        predict_ranking(model, panel.frame.drop("fear_greed"))


def test_rows_without_an_outcome_are_not_trained_on(panel, model):
    weeks = panel.frame["as_of_week"].unique().sort()
    is_open = pl.col("as_of_week") > weeks[29]
    unknown = panel.labels.with_columns(forward_return_14d=pl.when(~is_open).then("forward_return_14d"))

    trained = train_ranking(SHORT, panel.frame, unknown, refit=REFIT)

    assert trained == train_ranking(SHORT, panel.frame.filter(~is_open), panel.labels, refit=REFIT)
    assert trained.training_rows == 30 * 60


def test_the_rank_of_the_return_stands_in_for_a_residual_and_a_week_that_are_unknown(panel):
    unknown = pl.lit(None, dtype=pl.Float64)

    trained = train_ranking(
        SHORT,
        panel.frame,
        panel.labels.with_columns(forward_residual_14d=unknown, forward_return_7d=unknown),
        refit=REFIT,
    )

    assert trained.boosters["residual_14d"] == trained.boosters["return_14d"]
    assert trained.boosters["return_7d_14d"] == trained.boosters["return_14d"]


def test_a_label_joined_into_the_frame_is_refused(panel):
    leaking = panel.frame.join(panel.labels, on=["as_of_week", "token_id"])

    with pytest.raises(LeakError, match="forward_return_14d"):
        train_ranking(TRADER, leaking, panel.labels, refit=REFIT)


def test_gain_shares_sum_to_one_and_name_the_column_that_decides(model):
    gains = gain_shares(list(model.boosters.values()))

    assert sorted(gains["column"]) == sorted(MODEL_COLUMNS)
    assert gains["gain_share"].sum() == pytest.approx(1.0)
    assert gains["gain_share"].is_sorted(descending=True)
    assert gains["column"][0] == MODEL_COLUMNS[0]
    assert np.all(gains["gain_share"].to_numpy() >= 0)


def test_contributions_add_up_to_the_prediction(panel, model):
    rows = panel.frame.head(40)
    parts = [contributions(text, rows) for text in model.boosters.values()]

    total = sum(part.sum_horizontal() for part in parts) / len(parts)

    assert total.to_numpy() == pytest.approx(predict_ranking(model, rows)["score_cross_section"].to_numpy(), abs=1e-9)


def test_the_investor_head_learns_the_long_return_and_sees_no_state_of_the_market(panel):
    head = dataclasses.replace(INVESTOR, rounds=20)
    known = panel.labels.with_columns(
        forward_return_90d=pl.when(pl.col("as_of_week") < panel.frame["as_of_week"].max()).then("forward_return_90d")
    )

    trained = train_ranking(head, panel.frame, known, refit=REFIT)

    assert trained.version.startswith("investor-")
    assert trained.columns == RANK_COLUMNS
    assert trained.training_rows == panel.frame.height - 60
