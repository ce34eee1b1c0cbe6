"""Scratch warehouses that share one parsed dbt project, and the synthetic market in one of them."""

from collections.abc import Callable, Iterator

import pytest

from tests.integration.warehouse.dbt_server import DbtServer
from tests.integration.warehouse.scratch import ScratchWarehouse
from tests.integration.warehouse.synthetic_facts import fact_frames
from tests.integration.warehouse.synthetic_market import END, Frames, market_frames


@pytest.fixture(scope="session")
def new_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], ScratchWarehouse]]:
    """Makes warehouses without a row, each in a folder of its own."""
    dbt = DbtServer(tmp_path_factory.mktemp("dbt_target"))

    def make() -> ScratchWarehouse:
        return ScratchWarehouse(tmp_path_factory.mktemp("warehouse"), dbt)

    yield make
    dbt.stop()


@pytest.fixture(scope="session")
def frames() -> Frames:
    """The synthetic market with the facts of every further source."""
    market = market_frames()
    return {**market, **fact_frames(market)}


@pytest.fixture(scope="session")
def full(new_warehouse: Callable[[], ScratchWarehouse], frames: Frames) -> ScratchWarehouse:
    """The synthetic market as of its end, built in one go. Only read."""
    warehouse = new_warehouse()
    warehouse.land_all(frames)
    warehouse.build(END)
    return warehouse
