"""The publication lag of on-chain metrics is stated in the seed (hours) and used by the features (days): they must agree."""

from pathlib import Path

from models_ml.features.onchain import LAG_DAYS
from orchestration.lib.landing import read_lags
from orchestration.sources.datasets import DATASETS

SEED = Path(__file__).parents[4] / "dbt_project" / "seeds" / "publication_lags.csv"


def test_features_wait_as_many_days_as_the_seed_says_onchain_metrics_take():
    lags = read_lags(SEED)

    hours = lags["coinmetrics", "asset_metrics"]

    assert hours == LAG_DAYS * 24


def test_every_dataset_has_a_publication_lag():
    lags = read_lags(SEED)

    missing = [key for key in DATASETS if key not in lags]

    assert not missing
