"""The table of models: what the registry holds, and which models have expired."""

import dataclasses
import datetime as dt
import json

import dagster as dg
import duckdb
import pytest

from models_ml.learning.calendar import EXPIRES_AFTER_DAYS
from models_ml.learning.frozen_model import FrozenModel
from orchestration.lib.model_table import COLUMNS, expired_models, record_models
from orchestration.lib.registry import ModelRegistry

FIRST, SECOND, LATER = dt.date(2024, 1, 1), dt.date(2024, 4, 1), dt.date(2024, 7, 1)
MODEL = FrozenModel(
    head="trader",
    refit=FIRST,
    boosters={"one": "tree\n"},
    columns=("rank_return_7d", "fear_greed"),
    training_weeks=(dt.date(2022, 1, 3), dt.date(2023, 12, 11)),
    training_rows=1000,
    constants={"base": 0.25},
    parameters={"trials": 0.0},
    data_hash="ab" * 32,
)


@pytest.fixture
def registry(tmp_path):
    registry = ModelRegistry(tmp_path)
    for refit in (FIRST, SECOND, LATER):
        registry.freeze(dataclasses.replace(MODEL, refit=refit))
    registry.freeze(dataclasses.replace(MODEL, head="calls", data_hash=""))
    return registry


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        connection.execute("create schema learning")
        yield connection


def test_the_table_holds_the_registry(connection, registry):
    rows = record_models(connection, registry, week=dt.date(2024, 6, 24))

    assert rows.columns == list(COLUMNS)
    assert rows.select("model", "refit_date", "is_in_force").rows() == [
        ("calls", FIRST, True),
        ("trader", FIRST, False),
        ("trader", SECOND, True),
        ("trader", LATER, False),
    ]
    row = rows.row(1, named=True)
    assert (row["model_version"], row["data_hash"], row["column_count"]) == (MODEL.version, MODEL.data_hash, 2)
    assert json.loads(row["column_names"]) == list(MODEL.columns)
    assert (json.loads(row["constants"]), json.loads(row["parameters"])) == (MODEL.constants, MODEL.parameters)
    assert (row["training_first_week"], row["training_last_week"]) == MODEL.training_weeks
    assert row["expires_date"] == FIRST + dt.timedelta(days=EXPIRES_AFTER_DAYS)
    assert rows.row(0, named=True)["data_hash"] is None


def test_it_is_rebuilt_and_never_grows(connection, registry):
    first = record_models(connection, registry, week=dt.date(2024, 6, 24))
    again = record_models(connection, registry, week=dt.date(2024, 6, 24))

    assert again.equals(first)


def test_every_column_says_what_it_is(connection, registry):
    record_models(connection, registry, week=LATER)

    comments = connection.execute("select comment from duckdb_columns() where table_name = 'models'").fetchall()
    assert len(comments) == len(COLUMNS)
    assert all(text for (text,) in comments)


def test_a_model_expires_after_its_days_and_not_on_the_last(registry):
    last = FIRST + dt.timedelta(days=EXPIRES_AFTER_DAYS)

    assert expired_models(registry, week=last) == []
    (expired,) = expired_models(registry, week=last + dt.timedelta(days=7))
    assert (expired.model, expired.refit, expired.expired_on) == ("calls", FIRST, last)


def test_the_check_warns_of_an_expired_model_and_says_what_to_do(registry):
    from orchestration.defs.learning.monitoring import judge_expiry

    good = judge_expiry(registry, FIRST)
    bad = judge_expiry(registry, dt.date(2024, 8, 5))

    assert good.passed
    assert not bad.passed
    assert bad.severity == dg.AssetCheckSeverity.WARN
    assert bad.metadata["calls"].value.startswith(
        "calls: the model of 2024-01-01 expired on 2024-07-19, 17 days before 2024-08-05"
    )
    assert "make run" in bad.metadata["calls"].value
    assert set(bad.metadata) == {"calls"}
