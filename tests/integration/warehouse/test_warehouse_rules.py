"""dbt's unit tests, run against a warehouse without a row: they need its tables for their columns and nothing else."""


def test_every_rule_of_the_models_holds_in_its_unit_tests(empty):
    _, printed = empty

    assert " unit tests" in printed
    assert "ERROR=0" in printed


def test_a_warehouse_without_a_row_builds(empty):
    warehouse, _ = empty

    rows = {
        name: warehouse.query(f"select count(*) from {name}").item() for name in warehouse.relations("marts", "quality")
    }

    # What is written in the project, not read from a source.
    assert {name for name, count in rows.items() if count} == {"marts.dim_exchanges", "marts.feature_catalogue"}
