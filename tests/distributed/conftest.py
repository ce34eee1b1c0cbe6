"""Servers for tests of more than one machine; a test is skipped, visibly, where they cannot be started here."""

import importlib.util

import pytest

from tests.distributed.servers import object_store, postgres, postgres_programs

PACKAGES = (
    "duckdb_extension_ducklake",
    "duckdb_extension_postgres_scanner",
    "duckdb_extension_httpfs",
    "dagster_postgres",
)


@pytest.fixture(scope="session")
def postgres_server():
    """A Postgres for the session."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: requirements-distributed.lock has them")
    if postgres_programs() is None:
        pytest.skip("Postgres is not installed (Debian: postgresql)")
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def bucket():
    """Settings that reach an empty bucket `landing` of moto's server."""
    if importlib.util.find_spec("moto") is None:
        pytest.skip("moto is not installed: requirements-distributed.lock has it")
    with object_store("landing") as settings:
        yield settings
