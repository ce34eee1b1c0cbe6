"""dbt's connection to a lake: a plugin of dbt-duckdb, named by the target `lake` of profiles.yml.

Belongs here: preparing the connection as every other one is (`lake.py`). Does not: which database it attaches, which the profile says.
"""

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin

from orchestration.lib.lake import prepare


class Plugin(BasePlugin):
    """Gives dbt's connection its extensions and the key of the object store."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Prepare a connection before anything is attached."""
        prepare(conn)
