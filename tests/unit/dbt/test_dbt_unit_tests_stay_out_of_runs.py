"""dbt's unit tests guard the code: every model with a rule has one, and no run of the pipeline waits for them."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml

from orchestration.lib.data_folder import DataFolder
from orchestration.settings import REPOSITORY_ROOT
from orchestration.sources.datasets.exchanges import DERIVATIVES, EXCHANGES

MODELS = REPOSITORY_ROOT / "dbt_project" / "models"
MANIFEST = REPOSITORY_ROOT / "dbt_project" / "target" / "manifest.json"

PLAIN = {
    "dim_exchanges": "the seed",
    "feat_token_daily": "names the columns of int_price_features and int_fact_features",
    "feat_token_relative_daily": "names the columns of the two tables it joins",
    "stg_alternative_me__fear_greed": "the two macros that stg_coingecko__market_daily is tested with",
    "stg_binance__prices_hourly": "the same macros",
    "stg_coingecko__contracts": "the same macros",
    "stg_coingecko__markets": "the same macros",
    "stg_coinmarketcap__candles_daily": "the same macros",
    "stg_coinmarketcap__market_cap_snapshots": "the same macros",
    "stg_yahoo__candles_daily": "the same macros",
    "stg_coingecko__category_daily": "the same macros",
    "stg_coingecko__coin_activity": "the same macros",
    "stg_coingecko__global_daily": "the same macros",
    "stg_defillama__chain_tvl": "the same macros",
    "stg_defillama__protocol_metrics": "the same macros",
    "stg_defillama__protocols": "the same macros",
    "stg_defillama__stablecoin_supply": "the same macros",
    "stg_defillama__yields": "the same macros",
    "stg_exchanges__funding_rates": "the loop over venues that stg_exchanges__tickers is tested with",
    "stg_exchanges__open_interest": "the same loop",
    "stg_exchanges__order_books": "the same loop",
    "stg_gdelt__tone_daily": "the same macros",
    "stg_geckoterminal__token_holders": "the same macros",
    "stg_geckoterminal__pool_candles": "the same macros",
    "stg_geckoterminal__pools": "the same macros",
    "stg_github__commits_weekly": "the same macros",
    "stg_github__repositories": "the same macros",
    "stg_reddit__posts": "the same macros",
    "stg_reddit__subreddits": "the same macros",
    "stg_rss__headlines": "the same macros",
}
"""SQL models without a rule of their own, with what they are."""


class Recorder:
    """In place of dbt: keeps the arguments it is called with. Its process, which a run guards, has ended already."""

    def __init__(self):
        self.arguments = []
        self.process = subprocess.Popen([sys.executable, "-c", ""])
        self.process.wait()

    def cli(self, arguments, **_):
        self.arguments = arguments
        return self

    def stream(self):
        return iter(())


def unit_tests():
    return [
        each for path in MODELS.rglob("_unit_tests*.yml") for each in yaml.safe_load(path.read_text())["unit_tests"]
    ]


def test_every_model_with_a_rule_has_a_unit_test():
    models = {path.stem for path in MODELS.rglob("*.sql") if path.parent.name != "api"}
    views = {path.stem for path in (MODELS / "api").glob("*.sql")}

    tested = {each["model"] for each in unit_tests()}

    assert models - tested == set(PLAIN)
    assert tested <= models | views


def test_the_venues_of_the_staging_loops_are_those_that_land():
    variables = yaml.safe_load((MODELS.parent / "dbt_project.yml").read_text())["vars"]

    assert tuple(variables["exchanges"]) == EXCHANGES
    assert tuple(variables["derivatives"]) == DERIVATIVES


@pytest.mark.parametrize("first", [date(1900, 1, 1), date(2025, 1, 6)])
def test_a_run_leaves_them_out(tmp_path: Path, first: date):
    from orchestration.defs.warehouse.assets import run_dbt
    from orchestration.lib.resources import RebuiltDays

    dbt = Recorder()

    run_dbt(None, dbt, DataFolder(tmp_path), as_of=datetime(2025, 1, 6, tzinfo=UTC), rebuilt=RebuiltDays(first))

    assert dbt.arguments[:3] == ["build", "--exclude-resource-type", "unit_test"]
    assert ("--full-refresh" in dbt.arguments) == (first.year == 1900)


@pytest.mark.skipif(not MANIFEST.exists(), reason="no manifest; make test parses the dbt project first")
def test_none_of_them_is_an_asset_check_that_would_never_run():
    from orchestration.defs.warehouse.assets import dbt_marts

    names = {spec.name for spec in dbt_marts.check_specs}
    in_manifest = {each["name"] for each in json.loads(MANIFEST.read_text())["unit_tests"].values()}

    assert in_manifest == {each["name"] for each in unit_tests()}
    assert names
    assert not names & in_manifest


def test_the_version_of_the_code_does_not_change_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from orchestration.lib import code_version

    models = tmp_path / "dbt_project" / "models"
    models.mkdir(parents=True)
    monkeypatch.setattr(code_version, "ROOT", tmp_path)
    monkeypatch.setattr(code_version, "PARTS", ("dbt_project/models",))
    versions = []
    for name in ("model.sql", "_unit_tests_marts.yml", "_marts.yml"):
        (models / name).write_text("text")
        versions.append(code_version.code_version.__wrapped__())

    model, with_unit_tests, with_contract = versions

    assert model == with_unit_tests
    assert model != with_contract
