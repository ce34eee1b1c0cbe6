"""docs/reference/features.md holds the catalogue, every dataset, and what dbt's lineage says of both."""

import json

import pytest
import yaml

from models_ml.features.catalogue import CATALOGUE, FEATURE_NAMES
from orchestration.feature_reference import FEEDS, FEEDS_NOTHING, PAGE, PRICES, page, unaccounted
from orchestration.settings import REPOSITORY_ROOT

DBT = REPOSITORY_ROOT / "dbt_project"
MANIFEST = DBT / "target" / "manifest.json"
MARTS = ("model.tidemark.feat_token_daily", "model.tidemark.feat_market_daily")
TIES = {"coingecko/assets", "coingecko/asset_categories"}
"""Read on the way to features to tie rows to tokens, without a number of their own."""


def market_columns():
    models = yaml.safe_load((DBT / "models" / "marts" / "_features.yml").read_text())["models"]
    return {column["name"] for model in models if model["name"] == "feat_market_daily" for column in model["columns"]}


def test_the_page_is_the_one_the_registries_make():
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m orchestration.feature_reference"


def test_every_dataset_feeds_a_feature_or_says_why_none():
    assert unaccounted() == set()
    assert all(FEEDS.values())
    assert all(FEEDS_NOTHING.values())


def test_what_datasets_feed_exists_and_every_feature_of_facts_is_fed():
    fed = {name for names in FEEDS.values() for name in names} - {PRICES}

    assert fed <= {*FEATURE_NAMES, *market_columns()}
    assert {feature.name for feature in CATALOGUE if feature.reads_facts} <= fed


@pytest.mark.skipif(not MANIFEST.exists(), reason="no manifest; make test parses the dbt project first")
def test_dbts_lineage_leads_from_the_datasets_that_feed_features_to_the_marts_and_from_no_other():
    parents = json.loads(MANIFEST.read_text())["parent_map"]
    found, open_nodes = set(), list(MARTS)
    while open_nodes:
        node = open_nodes.pop()
        found.add(node)
        open_nodes += [parent for parent in parents[node] if parent not in found]

    read = {
        node.removeprefix("source.tidemark.raw.").replace("__", "/") for node in found if node.startswith("source.")
    }

    assert read - TIES == set(FEEDS)
