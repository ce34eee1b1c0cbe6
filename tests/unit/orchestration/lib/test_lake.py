import duckdb
import pytest

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.lake import (
    CONTESTED,
    attach_lake,
    dbt_variables,
    is_lake,
    is_lake_path,
    uncontested,
    without_keys,
)
from orchestration.lib.object_store import ObjectPath, s3_secret_sql
from orchestration.lib.versioned_layout import transaction
from orchestration.settings import LakeSettings, ObjectStoreSettings, SettingsError, load_settings

LAKE = {"TIDEMARK_LAKE__CATALOGUE": "postgres:dbname=lake password=hunter2", "TIDEMARK_LAKE__DATA": "/srv/lake"}


@pytest.fixture
def connection():
    with duckdb.connect() as opened:
        yield opened


@pytest.mark.parametrize(
    ("create", "expected"),
    [
        ("create table t (a varchar primary key, b date)", "create table t (a varchar, b date)"),
        ("create table t (a varchar, b date, primary key (a, b))", "create table t (a varchar, b date)"),
        ("create table t (a varchar, b date,\n primary key (a)\n)", "create table t (a varchar, b date\n)"),
    ],
)
def test_a_lake_is_asked_for_no_keys_and_a_file_for_all(connection, monkeypatch, create, expected):
    assert without_keys(connection, create) == create

    monkeypatch.setattr("orchestration.lib.lake.is_lake", lambda _connection: True)

    assert without_keys(connection, create) == expected


def test_a_file_is_no_lake_and_work_on_it_is_done_once(connection):
    done = []

    def work() -> None:
        done.append(1)
        raise duckdb.TransactionException("Transaction conflict")

    assert not is_lake(connection)
    with pytest.raises(duckdb.TransactionException):
        uncontested(connection, work)
    assert done == [1]


def test_what_another_writer_contested_is_done_again(connection, monkeypatch):
    monkeypatch.setattr("orchestration.lib.lake.is_lake", lambda _connection: True)
    monkeypatch.setattr("orchestration.lib.lake.time.sleep", lambda _seconds: None)
    attempts = []

    def work() -> str:
        attempts.append(1)
        if len(attempts) < 3:
            raise duckdb.TransactionException(
                "Failed to commit DuckLake transaction.\nTransaction conflict - attempting to insert"
            )
        return "written"

    assert uncontested(connection, work) == "written"
    assert len(attempts) == 3


def test_another_error_of_a_transaction_is_not_repeated(connection, monkeypatch):
    monkeypatch.setattr("orchestration.lib.lake.is_lake", lambda _connection: True)
    attempts = []

    def work() -> None:
        attempts.append(1)
        raise duckdb.TransactionException("cannot start a transaction within a transaction")

    with pytest.raises(duckdb.TransactionException, match="within"):
        uncontested(connection, work)
    assert len(attempts) == 1
    assert not CONTESTED.search("within a transaction")


def test_a_transaction_within_another_is_part_of_it(connection):
    connection.execute("create table t (a integer)")

    def fail_after_one() -> None:
        with transaction(connection):
            with transaction(connection):
                connection.execute("insert into t values (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_one()
    with transaction(connection):
        connection.execute("insert into t values (2)")

    assert connection.execute("from t").fetchall() == [(2,)]


def test_the_settings_name_the_warehouse_of_a_folder(tmp_path, monkeypatch):
    assert DataFolder(tmp_path).warehouse == tmp_path / "warehouse.duckdb"
    assert dbt_variables(DataFolder(tmp_path).warehouse) == {}

    for name, value in LAKE.items():
        monkeypatch.setenv(name, value)

    lake = DataFolder(tmp_path).warehouse
    assert is_lake_path(lake)
    assert lake.stem == "warehouse"  # dbt's nodes know the database under this name
    assert not lake.exists()
    assert dbt_variables(lake)["TIDEMARK_DBT_TARGET"] == "lake"
    assert DataFolder(tmp_path, is_scratch=True).warehouse == tmp_path / "warehouse.duckdb"


@pytest.mark.parametrize(
    "password",
    ["password=hunter2", "password = hunter2", "password='hunter2 and more hunter2'", "password=a\\ hunter2"],
)
def test_a_catalogue_that_does_not_answer_is_named_without_its_password(monkeypatch, password):
    # What DuckDB 1.5 says of it, which repeats the address; the extension is not there in every environment.
    said = f'IO Error: Unable to connect to Postgres at "dbname=lake {password} host=db": connection refused'

    class Unreachable:
        def execute(self, _statement):
            raise duckdb.IOException(said)

    monkeypatch.setattr("orchestration.lib.lake.prepare", lambda _connection: None)
    for name, value in LAKE.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(duckdb.IOException, match="connection refused") as caught:
        attach_lake(Unreachable(), alias="warehouse", read_only=True)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("catalogue", "shown"),
    [
        ("postgres:dbname=lake password='a \\'hunter2' host=db", "postgres:dbname=lake password=*** host=db"),
        ("postgres:postgresql://me:hunter2@db/lake", "postgres:postgresql://***@db/lake"),
    ],
)
def test_a_catalogue_is_shown_without_its_password_in_every_form(catalogue, shown):
    assert LakeSettings(catalogue=catalogue, data="/srv/lake").shown_catalogue == shown


def test_a_password_of_the_catalogue_is_a_secret(monkeypatch):
    for name, value in LAKE.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()

    assert settings.lake.shown_catalogue == "postgres:dbname=lake password=***"
    assert LAKE["TIDEMARK_LAKE__CATALOGUE"] in settings.secrets()
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"TIDEMARK_PROCESSES": "3"}, "TIDEMARK_LAKE__CATALOGUE=postgres"),
        ({"TIDEMARK_LANDING_URL": "s3://bucket/landing"}, "goes with a warehouse in a lake"),
        ({"TIDEMARK_LANDING_URL": "https://bucket"}, "TIDEMARK_LANDING_URL"),
        ({**LAKE, "TIDEMARK_LAKE__DATA": "lake"}, "absolute folder"),
        ({"TIDEMARK_DAGSTER_POSTGRES_URL": "postgresql://dagster:hunter2@db/dagster"}, "psycopg2"),
    ],
)
def test_settings_that_cannot_work_together_are_refused_without_showing_a_secret(monkeypatch, settings, said):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=said) as refused:
        load_settings()

    assert "hunter2" not in str(refused.value)


def test_an_object_path_keeps_its_address_through_the_operations_of_a_path():
    root = ObjectPath.from_url("s3://bucket/prefix")

    path = root / "landing" / "coingecko" / "x.parquet"

    assert isinstance(path, ObjectPath)
    assert str(path) == "s3://bucket/prefix/landing/coingecko/x.parquet"
    assert path.key == "bucket/prefix/landing/coingecko/x.parquet"
    assert str(path.with_name("y")) == "s3://bucket/prefix/landing/coingecko/y"
    assert path.relative_to(root).parts == ("landing", "coingecko", "x.parquet")
    assert path.parent.name == "coingecko"
    assert path == ObjectPath.from_url(str(path))
    with pytest.raises(ValueError, match="put"):
        path.open("wb")


def test_a_secret_of_the_object_store_is_told_to_duckdb_only_where_there_is_one(connection):
    given = ObjectStoreSettings(endpoint="http://127.0.0.1:9000", access_key="me", secret_key="it's")  # noqa: S106

    sql = s3_secret_sql(given)

    assert s3_secret_sql(ObjectStoreSettings()) is None
    assert sql is not None
    assert "secret 'it''s'" in sql
    assert "use_ssl false" in sql
    assert "endpoint '127.0.0.1:9000'" in sql
