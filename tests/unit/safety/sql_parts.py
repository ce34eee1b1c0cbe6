"""What is put into SQL besides constants and quoted names: by file, why it may be, and the parts themselves."""

KNOWN_PARTS: dict[str, tuple[str, frozenset[str]]] = {
    "docs/notebooks/five_questions.py": (
        "one helper runs the questions written out in the notebook, their values as parameters",
        frozenset(["sql"]),
    ),
    "orchestration/alerts/market_events.py": (
        "one helper runs the constants above it, their values as parameters",
        frozenset(["sql"]),
    ),
    "orchestration/alerts/own_events.py": (
        "the user's own query, on a connection that reads the published copy only, with files and settings locked",
        frozenset(["alert.sql"]),
    ),
    "orchestration/cleaning_report.py": (
        "constants of the module",
        frozenset(["TOTALS.format(rows=rows)", "sql"]),
    ),
    "orchestration/doctor/contents.py": (
        "one helper runs the queries written out in the checks, on a warehouse opened to read",
        frozenset(["query"]),
    ),
    "orchestration/doctor/service.py": (
        "one helper runs the queries written out in the checks, on a file opened as immutable",
        frozenset(["query"]),
    ),
    "orchestration/evaluation/calls.py": (
        "columns and views named in the module",
        frozenset(["names"]),
    ),
    "orchestration/evaluation/experiments.py": (
        "columns and views named in the module",
        frozenset(["names"]),
    ),
    "orchestration/evaluation/history.py": (
        "one helper runs the constants of its module, their values as parameters",
        frozenset(["sql"]),
    ),
    "orchestration/evaluation/price_share.py": (
        "columns and views named in the module",
        frozenset(["name"]),
    ),
    "orchestration/evaluation/ranking.py": (
        "columns and views named in the module",
        frozenset(["head.grade", "head.view"]),
    ),
    "orchestration/lib/api_contract.py": (
        "names and examples of views from dbt's YAML, which tests run against the warehouse",
        frozenset(["key", "newest", "view.example", "view.name"]),
    ),
    "orchestration/lib/brought_up.py": (
        "a table of the published copy and a select over one of the warehouse, both quoted, and clauses put together in the module",
        frozenset(["is_differing", "ordered", "parts", "query", "target"]),
    ),
    "orchestration/lib/bulk_import.py": (
        "columns quoted by quote_name, constants by quote_value; SQL of a mapping is checked to be one SELECT and runs behind a fence",
        frozenset(["entry.condition()", "expression", "rows", "scan(each)", "sql"]),
    ),
    "orchestration/lib/bulk_staging.py": (
        "the same, and columns, keys and rules of the registry of datasets",
        frozenset(
            [
                "', '.join(self._dataset.columns)",
                "column",
                "columns",
                "condition",
                "judged",
                "kept",
                "known",
                "landed",
                "listed",
                "orders",
                "partition",
                "ranked",
                "readable",
                "reason",
                "refused",
                "repeated",
                "rows",
                "self._day",
                "self._hash()",
                "self._key",
                "self._refused()",
                "staged",
                "table",
                "tied",
            ]
        ),
    ),
    "orchestration/lib/calls.py": (
        "columns and clauses named in the module",
        frozenset(["score"]),
    ),
    "orchestration/lib/check_results.py": (
        "columns and clauses named in the module",
        frozenset(["', '.join(SCHEMA)", "column", "comment"]),
    ),
    "orchestration/lib/dbt_checks.py": (
        "queries that dbt compiled from the project",
        frozenset(["result['compiled_code']"]),
    ),
    "orchestration/lib/index_backtest.py": (
        "statements written out in the module, one after the other",
        frozenset(["statement"]),
    ),
    "orchestration/lib/index_kit.py": (
        "statements written out in the module, one after the other; in a lake without their key clauses",
        frozenset(["without_keys(connection, statement)"]),
    ),
    "orchestration/lib/index_prospects.py": (
        "columns and clauses named in the module",
        frozenset(["name"]),
    ),
    "orchestration/lib/index_weeks.py": (
        "columns and clauses named in the module",
        frozenset(["columns", "condition", "mart"]),
    ),
    "orchestration/lib/lake.py": (
        "a folder quoted by sql_text, settings and numbers written out on the spot, a secret whose values s3_secret_sql has quoted",
        frozenset(["options", "secret", "setting", "value"]),
    ),
    "orchestration/lib/landing.py": (
        "columns and keys of the registry of datasets, files quoted by read_parquet_sql",
        frozenset(["', '.join(dataset.key)", "same", "sql"]),
    ),
    "orchestration/lib/landing_checks.py": (
        "keys of the registry of datasets; an instant as isoformat writes it",
        frozenset(["after", "as_of.isoformat()", "keys"]),
    ),
    "orchestration/lib/landing_maintenance.py": (
        "columns and keys of the registry of datasets, files quoted by read_parquet_sql",
        frozenset(["kept", "listed", "query"]),
    ),
    "orchestration/lib/ledger.py": (
        "columns of the ledger's own layout",
        frozenset(["columns", "current"]),
    ),
    "orchestration/lib/loads/exchange_lists.py": (
        "a date as isoformat writes it",
        frozenset(["day"]),
    ),
    "orchestration/lib/loads/market_list.py": (
        "one helper runs the constants of its module, their values as parameters",
        frozenset(["sql"]),
    ),
    "orchestration/lib/low_cap_inputs.py": (
        "columns and clauses named in the module",
        frozenset(["chosen", "features"]),
    ),
    "orchestration/lib/market_tables.py": (
        "columns and clauses named in the module",
        frozenset(["columns", "name"]),
    ),
    "orchestration/lib/metadata.py": (
        "clauses of the callers' constants, columns of the catalogue and a date",
        frozenset(["condition", "order", "shown"]),
    ),
    "orchestration/lib/migrations.py": (
        "tables, columns and types of the steps written out in the module and of the registry of versioned tables",
        frozenset(["column", "columns", "kind", "table", "table_ddl(table)"]),
    ),
    "orchestration/lib/model_table.py": (
        "tables and columns of declarations in the code",
        frozenset(["name", "without_keys(connection, create)"]),
    ),
    "orchestration/lib/moonshot_outcomes.py": (
        "tables of declarations in the code",
        frozenset(["table"]),
    ),
    "orchestration/lib/order_sheets.py": (
        "one helper runs the constants of its module, their values as parameters",
        frozenset(["sql"]),
    ),
    "orchestration/lib/portable_views.py": (
        "statements that DuckDB itself serialised",
        frozenset(["sql"]),
    ),
    "orchestration/lib/published_checks.py": (
        "columns and clauses named in the module",
        frozenset(["columns", "table.window"]),
    ),
    "orchestration/lib/published_copy.py": (
        "objects of the warehouse's catalogue, quoted",
        frozenset(["kind", "ordered", "portable.create_sql(view.sql_name)", "rows", "said", "subject"]),
    ),
    "orchestration/lib/publishing.py": (
        "a select over tables of the warehouse's catalogue, quoted",
        frozenset(["query"]),
    ),
    "orchestration/lib/quarantine.py": (
        "one helper runs the constants of its module, their values as parameters",
        frozenset(["sql"]),
    ),
    "orchestration/lib/quarantine_replay.py": (
        "columns and keys of the registry of datasets, files quoted by read_parquet_sql",
        frozenset(["key", "same", "sql"]),
    ),
    "orchestration/lib/raw_views.py": (
        "sources and datasets of the registry, and a condition written out in the module",
        frozenset(["body", "dataset.name", "dataset.source", "lost", "shown"]),
    ),
    "orchestration/lib/reproduce.py": (
        "tables of the catalogue of versioned tables",
        frozenset(["columns", "current"]),
    ),
    "orchestration/lib/run_context.py": (
        "columns and clauses named in the module",
        frozenset(["chosen"]),
    ),
    "orchestration/lib/run_history.py": (
        "files quoted by sql_text",
        frozenset(["lines"]),
    ),
    "orchestration/lib/source_health.py": (
        "sources and datasets of the registry",
        frozenset(["dataset.name", "dataset.source", "thing"]),
    ),
    "orchestration/lib/summary.py": (
        "one helper runs the constants of its module, their values as parameters",
        frozenset(["sql"]),
    ),
    "orchestration/lib/table_comments.py": (
        "tables and columns of dbt's manifest and of declarations in the code, the comment quoted by sql_text",
        frozenset(["column", "layout", "name", "table"]),
    ),
    "orchestration/lib/versioned_layout.py": (
        "tables and columns of declarations in the code",
        frozenset(["';'.join(comments)", "_ddl(sql_name, columns, required=required)", "columns", "schema", "view"]),
    ),
    "orchestration/lib/versions.py": (
        "tables and columns of declarations in the code",
        frozenset(["columns", "incoming", "names", "same_unit", "target", "where"]),
    ),
    "orchestration/lib/warehouse.py": (
        "schemas and datasets of registries; an instant as isoformat writes it; tables and selects that count_rows is given, quoted",
        frozenset(["after", "as_of.isoformat()", "rows", "schema", "view"]),
    ),
    "orchestration/lib/warehouse_restore.py": (
        "columns of the registry of versioned tables, quoted, and statements of the histories, by names of the code and not of a manifest",
        frozenset(["PUBLISHED_HISTORIES[name]", "listed"]),
    ),
    "orchestration/lib/warehouse_tables.py": (
        "tables that the code itself has just made in a database of its own",
        frozenset(["name"]),
    ),
    "orchestration/lib/weekly_inputs.py": (
        "columns and clauses named in the module",
        frozenset(["columns", "days", "features", "market", "mart"]),
    ),
    "orchestration/lib/written_anew.py": (
        "tables and columns of declarations in the code",
        frozenset(["table"]),
    ),
    "orchestration/site/reading.py": (
        "one helper runs the constants of its module, their values as parameters",
        frozenset(["sql"]),
    ),
}
