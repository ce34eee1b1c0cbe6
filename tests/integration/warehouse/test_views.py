"""How a view is made: in one statement, whatever stood in its place."""

from datetime import date

import pytest

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.resources import EVERY_DAY
from orchestration.lib.warehouse import connect, create_raw_views, create_schemas
from tests.integration.warehouse.scratch import LATEST

VIEW = "staging.stg_rss__headlines"


@pytest.mark.parametrize("before", ["table", "view"])
def test_a_view_takes_the_place_of_what_had_its_name(new_warehouse, before):
    warehouse = new_warehouse()
    with connect(DataFolder(warehouse.root).warehouse) as connection:
        create_schemas(connection)
        create_raw_views(connection, warehouse.root, input_cutoff=LATEST)
        connection.execute(f"create {before} {VIEW} as select 1 as of_before")

    done = warehouse.call_dbt("build", "--select", VIEW.partition(".")[2], week=date(2024, 1, 1), rebuilt=EVERY_DAY)

    assert done.code == 0, done.printed
    kinds = "select table_type from information_schema.tables where table_name = 'stg_rss__headlines'"
    assert warehouse.query(kinds).rows() == [("VIEW",)]
    assert "of_before" not in warehouse.query(f"from {VIEW}").columns
