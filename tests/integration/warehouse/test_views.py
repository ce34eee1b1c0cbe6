"""How a view is made: in one statement, whatever stood in its place."""

from datetime import date

import pytest

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.warehouse import connect, create_schemas

VIEW = "staging.stg_rss__headlines"


@pytest.mark.parametrize("before", ["table", "view"])
def test_a_view_takes_the_place_of_what_had_its_name(new_warehouse, before):
    warehouse = new_warehouse()
    with connect(DataFolder(warehouse.root).warehouse) as connection:
        create_schemas(connection)
        connection.execute(f"create {before} {VIEW} as select 1 as of_before")

    warehouse.build(date(2024, 1, 1), arguments=("--select", VIEW.partition(".")[2]))

    kinds = "select table_type from information_schema.tables where table_name = 'stg_rss__headlines'"
    assert warehouse.query(kinds).rows() == [("VIEW",)]
    assert "of_before" not in warehouse.query(f"from {VIEW}").columns
