"""Only prices stop a run: what is wrong elsewhere warns and costs its features."""

from datetime import UTC, date, datetime

import dagster as dg
import polars as pl
import pytest

from orchestration.lib.landing import LandingStore
from orchestration.lib.landing_checks import judge_landing, key_of, landing_check_specs
from orchestration.sources.datasets import find_dataset

AS_OF = datetime(2025, 1, 6, tzinfo=UTC)
SUNDAY = date(2025, 1, 5)
PRICE = find_dataset("coingecko", "market_daily"), {"coin_id": "a", "symbol": "a", "price_usd": 0.0}
TVL = find_dataset("defillama", "chain_tvl"), {"chain": "ALL", "coin_id": None, "tvl_usd": -1.0}


@pytest.mark.parametrize(("case", "stops"), [(PRICE, True), (TVL, False)])
def test_an_impossible_row_that_landed_stops_the_run_only_where_prices_rest_on_it(tmp_path, case, stops):
    dataset, row = case
    store = LandingStore(tmp_path)
    frame = pl.DataFrame(
        [{name: {**row, "market_date": SUNDAY}.get(name) for name in dataset.columns}], dataset.columns
    )
    store.write(dataset, frame, data_source="live", partition="2025-01-05", loaded_at=AS_OF, lag_hours=0.0)

    result = judge_landing(store, dataset, as_of=AS_OF, is_first=True)

    (spec,) = landing_check_specs([key_of(dataset)])
    assert result is not None
    assert not result.passed
    assert (result.severity == dg.AssetCheckSeverity.ERROR, spec.blocking) == (stops, stops)
