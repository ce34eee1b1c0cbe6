"""dbt's unit tests, run against a warehouse without a row: they need its tables for their columns and nothing else."""

from datetime import date

import pytest

UNIT_TESTS = ("--exclude", "tidemark.api", "--exclude-resource-type", "test")


@pytest.fixture(scope="module")
def empty(new_warehouse):
    return new_warehouse()


@pytest.fixture(scope="module")
def output(empty):
    return empty.build(date(2024, 1, 1), arguments=UNIT_TESTS)


def test_every_rule_of_the_models_holds_in_its_unit_tests(output):
    assert " unit tests" in output
    assert "ERROR=0" in output


def test_a_warehouse_without_a_row_builds(empty, output):
    rows = {name: empty.query(f"select count(*) from {name}").item() for name in empty.relations("marts", "quality")}

    assert {name for name, count in rows.items() if count} == {"marts.feature_catalogue"}
