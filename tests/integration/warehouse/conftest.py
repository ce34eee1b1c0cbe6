"""Scratch warehouses that share one parsed dbt project, and the synthetic market in one of them."""

from collections.abc import Callable, Iterator
from datetime import date

import pytest

from tests.integration.warehouse.dbt_server import DbtServer
from tests.integration.warehouse.scratch import TESTED, UNIT_TESTED, ScratchWarehouse
from tests.integration.warehouse.synthetic_facts import fact_frames
from tests.integration.warehouse.synthetic_market import END, Frames, market_frames

WEEK_OF_NOTHING = date(2024, 1, 1)


@pytest.fixture(scope="session")
def new_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], ScratchWarehouse]]:
    """Makes warehouses without a row, each in a folder of its own."""
    dbt = DbtServer(tmp_path_factory.mktemp("dbt_target"))

    def make() -> ScratchWarehouse:
        return ScratchWarehouse(tmp_path_factory.mktemp("warehouse"), dbt)

    yield make
    dbt.stop()


@pytest.fixture(scope="session")
def empty(new_warehouse: Callable[[], ScratchWarehouse]) -> tuple[ScratchWarehouse, str]:
    """A warehouse without a row in which dbt's unit tests have run, and what dbt printed. Only read."""
    warehouse = new_warehouse()
    return warehouse, warehouse.build(WEEK_OF_NOTHING, arguments=UNIT_TESTED)


@pytest.fixture(scope="session")
def frames() -> Frames:
    """The synthetic market with the facts of every further source."""
    market = market_frames()
    return {**market, **fact_frames(market)}


@pytest.fixture(scope="session")
def full(new_warehouse: Callable[[], ScratchWarehouse], frames: Frames) -> ScratchWarehouse:
    """The synthetic market as of its end, built in one go and held to dbt's tests of the data. Only read."""
    warehouse = new_warehouse()
    warehouse.land_all(frames)
    warehouse.build(END, arguments=TESTED)
    return warehouse
