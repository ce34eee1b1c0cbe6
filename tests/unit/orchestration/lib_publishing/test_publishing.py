import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from orchestration.lib.manifest import ManifestError, read_manifest
from orchestration.lib.publishing import PublishError, SourceLoads
from orchestration.lib.whole_file import sha256_of
from tests.unit.orchestration.lib_publishing.conftest import TABLES, verified

ROOT = Path(__file__).parents[4]
WEEK = date(2025, 1, 6)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return tmp_path / "published"


def open_under(path: Path, alias: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"attach '{path}' as {alias} (read_only)")
    return connection


def test_every_api_object_works_renamed_moved_and_under_any_alias(publish_week, published, tmp_path):
    publish_week()
    moved = tmp_path / "elsewhere" / "copy.duckdb"
    moved.parent.mkdir()
    (published / "warehouse.duckdb").rename(moved)
    (tmp_path / "warehouse.duckdb").unlink()

    with open_under(moved, "x") as reader:
        objects = reader.execute(
            "select table_name, table_type from information_schema.tables "
            "where table_catalog = 'x' and table_schema = 'api'"
        ).fetchall()
        rows = {name: len(reader.execute(f'select * from x.api."{name}"').fetchall()) for name, _ in objects}

    assert rows == {"grades": 10, "best": 1, "from_staging": 1, "glossary": 1}
    assert dict(objects) == {"grades": "VIEW", "best": "VIEW", "from_staging": "BASE TABLE", "glossary": "BASE TABLE"}


def test_a_readers_own_tables_do_not_get_in_the_way(publish_week, published):
    publish_week()

    with open_under(published / "warehouse.duckdb", "x") as reader:
        reader.execute("create schema marts; create table marts.dim_tokens as select 'mine' as token_id, 1 as place")
        tokens = reader.execute("select distinct place from x.api.grades order by 1").fetchall()

    assert tokens == [(0,), (1,), (2,), (3,), (4,)]


def test_the_copy_holds_what_is_published_with_comments_and_nothing_else(publish_week, published):
    publication = publish_week()

    with open_under(published / "warehouse.duckdb", "x") as reader:
        schemas = {row[0] for row in reader.execute("select distinct schema_name from duckdb_tables()").fetchall()}
        comments = dict(
            reader.execute(
                "select table_name || '.' || column_name, comment from duckdb_columns() "
                "where table_name in ('dim_tokens', 'grades')"
            ).fetchall()
        )
        table_comment = reader.execute("select comment from duckdb_tables() where table_name = 'dim_tokens'").fetchone()
        view_comment = reader.execute("select comment from duckdb_views() where view_name = 'grades'").fetchone()
        views = {row[0] for row in reader.execute("select view_name from duckdb_views() where not internal").fetchall()}
    assert schemas == {"learning", "indices", "screens", "marts", "quality", "api"}
    assert table_comment == ("Tokens, it's all of them.",)
    assert view_comment == ("Grades of all weeks.",)
    assert (comments["dim_tokens.token_id"], comments["grades.place"]) == ("Token.", "Place of the token.")
    assert views == {f"{table.name}_current" for table in TABLES} | {"grades", "best"}
    assert publication.manifest.objects["marts.dim_even"].rows == 3
    assert not (published / "warehouse.duckdb.wal").exists()


def test_parquet_files_hold_all_versions(publish_week, published, warehouse, record):
    with duckdb.connect(str(warehouse)) as connection:
        record(connection, WEEK, shift=1.0)

    publication = publish_week()

    grades = pl.read_parquet(published / "parquet" / "learning.trader_grades.parquet")
    assert sorted(grades["version"].unique()) == [1, 2]
    assert {path.name for path in (published / "parquet").iterdir()} == {
        f"{name}.parquet" for name in ("quality.unit_versions", *(table.full_name for table in TABLES))
    }
    assert publication.manifest.files["parquet/learning.trader_grades.parquet"].rows == grades.height == 15


def test_manifests_form_a_chain_and_say_what_was_published(publish_week, published):
    first = publish_week()
    second = publish_week(1)

    content = json.loads((published / "manifest.json").read_text())
    kept = sorted(path.name for path in (published / "manifests").iterdir())
    assert kept == ["000001.json", "000002.json"]
    assert (published / "manifests" / "000002.json").read_bytes() == (published / "manifest.json").read_bytes()
    assert content["sequence"] == 2
    assert content["previous_manifest_sha256"] == sha256_of(published / "manifests" / "000001.json")
    assert content["attribution"] == {"coingecko": "Data provided by CoinGecko"}
    assert content["inputs"]["loads"]["coingecko"]["load_count"] == 3
    assert content["files"]["warehouse.duckdb"]["sha256"] == sha256_of(published / "warehouse.duckdb")
    assert (first.manifest.previous_manifest_sha256, first.is_new, second.is_new) == (None, True, True)
    assert verified(published).manifests == 2


def test_publishing_what_did_not_change_makes_no_manifest(publish_week, published):
    publish_week()
    before = (published / "manifest.json").read_bytes()
    later = datetime(2025, 1, 9, tzinfo=UTC)

    again = publish_week(created_at=later, input_cutoff=later, loads={"coingecko": SourceLoads(load_count=9)})

    assert (again.is_new, again.reason) == (False, "nothing changed")
    assert (published / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"code_version": "def"},
        {"inputs_hash": "other"},
        {"model_versions": {}},
        {"attribution": {"fred": "St. Louis Fed"}},
    ],
)
def test_a_change_of_code_models_or_inputs_makes_a_manifest(publish_week, changes):
    publish_week()

    again = publish_week(created_at=datetime(2025, 1, 9, tzinfo=UTC), **changes)

    assert (again.is_new, again.manifest.sequence, again.reason) == (True, 2, "content changed")


def test_a_damaged_or_missing_file_is_published_anew(publish_week, published):
    publish_week()
    (published / "warehouse.duckdb").write_bytes(b"not a database")
    (published / "parquet" / "indices.levels.parquet").unlink()

    again = publish_week(created_at=datetime(2025, 1, 9, tzinfo=UTC))

    assert again.reason == "repair of parquet/indices.levels.parquet, warehouse.duckdb"
    assert verified(published).is_ok


def test_a_warehouse_that_rewrites_history_is_not_published(publish_week, published, warehouse):
    publish_week()
    before = sha256_of(published / "warehouse.duckdb")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update quality.unit_versions set content_hash = 'better' where version = 1")

    with pytest.raises(PublishError, match="Past calls cannot be rewritten"):
        publish_week(1)

    assert sha256_of(published / "warehouse.duckdb") == before
    assert verified(published).is_ok


def test_a_manifest_cannot_be_older_than_the_versions_it_signs(publish_week):
    publish_week()

    with pytest.raises(PublishError, match="before the newest recorded version"):
        publish_week(1, created_at=datetime(2025, 1, 13, tzinfo=UTC))


def test_a_manifest_cannot_be_older_than_the_one_before(publish_week):
    publish_week()

    with pytest.raises(PublishError, match="is not after manifest 1"):
        publish_week(created_at=datetime(2025, 1, 6, 3, tzinfo=UTC), code_version="def")


def test_a_broken_view_names_itself_and_leaves_the_published_copy(publish_week, published, warehouse):
    publish_week()
    before = sha256_of(published / "warehouse.duckdb")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("drop table staging.stg_secret")

    with pytest.raises(PublishError, match=r"api\.from_staging"):
        publish_week(1)

    assert sha256_of(published / "warehouse.duckdb") == before


def test_a_warehouse_that_is_open_for_writing_elsewhere_is_refused_in_words(publish_week, warehouse):
    program = f"import duckdb, sys; c = duckdb.connect({str(warehouse)!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        writer.stdout.readline()

        with pytest.raises(PublishError, match="cannot be opened"):
            publish_week()

        writer.stdin.close()


def test_a_warehouse_without_versioned_tables_is_refused(publish_week, warehouse):
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("drop table screens.moonshots")

    with pytest.raises(PublishError, match=r"screens\.moonshots missing"):
        publish_week()


def test_an_unreadable_manifest_is_not_overwritten(publish_week, published):
    publish_week()
    (published / "manifests" / "000001.json").write_text("{}")

    with pytest.raises(ManifestError, match="not a manifest"):
        publish_week(1)


PUBLISH_PROGRAM = """
import json, os, signal, sys, time
from datetime import UTC, date, datetime
from pathlib import Path
from orchestration.lib.publishing import PublicationInfo, publish
from orchestration.lib.versioned_tables import VERSIONED_TABLES

folder, code_version, kill_at = Path(sys.argv[1]), sys.argv[2], sys.argv[4]
tables = [table for table in VERSIONED_TABLES if table.full_name in sys.argv[5:]]
created_at = datetime.fromisoformat(sys.argv[3])

def report(step):
    if step == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)

info = PublicationInfo(created_at, "simulated", date(2025, 1, 6), code_version, {}, "in", created_at, {}, {})
print("start", flush=True)
publish(folder / "warehouse.duckdb", folder / "published", info=info, tables=tables, report_step=report)
"""
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}


def publish_elsewhere(folder: Path, number: int, kill_at: str = "") -> subprocess.Popen:
    created_at = datetime(2025, 1, 7, tzinfo=UTC) + timedelta(hours=number)
    names = [table.full_name for table in TABLES]
    arguments = [str(folder), f"code-{number}", created_at.isoformat(), kill_at, *names]
    return subprocess.Popen(
        [sys.executable, "-c", PUBLISH_PROGRAM, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE
    )


def read_published(published: Path) -> int:
    with open_under(published / "warehouse.duckdb", "x") as reader:
        return len(reader.execute("select * from x.api.grades").fetchall())


@pytest.mark.parametrize(
    "step",
    [
        "warehouse built",
        "parquet built",
        "renamed parquet/indices.levels.parquet",
        "renamed warehouse.duckdb",
        "numbered manifest",
        "manifest",
    ],
)
def test_killed_after_a_step_readers_still_read_and_the_next_publish_repairs(publish_week, published, tmp_path, step):
    publish_week()

    with publish_elsewhere(tmp_path, 1, kill_at=step) as process:
        process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert read_published(published) == 10
    assert read_manifest(published / "manifest.json").sequence in (1, 2)
    publish_week(2)
    assert verified(published).manifests in (2, 3)
    assert not [path for path in published.rglob("*") if path.name.startswith(".")]


def test_killed_at_any_instant_readers_still_read_and_the_next_publish_repairs(publish_week, published, tmp_path):
    publish_week()

    for number, seconds in enumerate((0.02, 0.1, 0.2, 0.35), start=1):
        with publish_elsewhere(tmp_path, number) as process:
            process.stdout.readline()
            time.sleep(seconds)
            process.kill()

        assert read_published(published) == 10

    publish_week(created_at=datetime(2025, 1, 9, tzinfo=UTC))
    assert verified(published).is_ok
    assert not [path for path in published.rglob("*") if path.name.startswith(".")]


def test_what_duckdb_had_put_on_the_disk_when_it_was_killed_is_removed(publish_week, published):
    publish_week()
    spilled = published / ".publishing-warehouse.duckdb.tmp"
    spilled.mkdir()
    (spilled / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"rows")

    publish_week(2)

    assert not spilled.exists()


READER_PROGRAM = """
import sys, duckdb
from pathlib import Path
path, stop, count = sys.argv[1], Path(sys.argv[2]), 0
while not stop.exists():
    with duckdb.connect(path, read_only=True) as connection:
        assert len(connection.execute("select * from api.grades").fetchall()) % 5 == 0
    count += 1
    if count == 1:
        print("reading", flush=True)
print(count)
"""


def test_a_reader_in_another_process_never_fails_while_copies_are_published(publish_week, published, tmp_path):
    publish_week()
    stop = tmp_path / "stop"
    program = [sys.executable, "-c", READER_PROGRAM, str(published / "warehouse.duckdb"), str(stop)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        reader.stdout.readline()

        for number in range(1, 6):
            publish_week(number)
        stop.touch()
        counted, errors = reader.communicate()

    assert errors == ""
    assert int(counted) > 5
