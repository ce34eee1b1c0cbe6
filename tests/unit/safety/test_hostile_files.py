"""Files from strangers: mappings that reach out of their archive, archives that are bombs, YAML without end, orders of no size."""

import json
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from models_ml.indices.definition import parse_definition
from models_ml.indices.errors import DefinitionError
from models_ml.optimiser.errors import SearchError
from models_ml.optimiser.goals import parse_goal
from models_ml.optimiser.search import parse_search
from models_ml.orders.errors import MarketRulesError
from models_ml.orders.market_rules import read_market_rules
from models_ml.yaml_text import DEEPEST, LONGEST, YamlTextError, load_yaml
from orchestration.lib import bulk_import
from orchestration.lib.bulk_import import validate_archive
from orchestration.lib.errors import TidemarkError, printable
from orchestration.lib.import_mapping import MappingError, load_mapping
from orchestration.lib.order_sheets import read_holdings
from orchestration.sources.exchanges.order_rules import VenueState
from tests.fuzz.files import MARKETS, TOKENS

MAPPING = """version: 1
files:
  - path: prices.parquet
    dataset: coingecko/market_daily
    required: true
    where: {where}
    columns:
      coin_id: {coin_id}
      market_date: day
      price_usd: price
"""


@pytest.fixture
def archive(tmp_path):
    """A folder with a file of prices."""
    folder = tmp_path / "archive"
    folder.mkdir()
    day = datetime(2024, 12, 31, tzinfo=UTC).date()
    pl.DataFrame({"id": ["bitcoin"], "day": [day], "price": [94000.0]}).write_parquet(folder / "prices.parquet")
    return folder


def validated(archive, *, where="'true'", coin_id="id"):
    path = archive.parent / "mapping.yaml"
    path.write_text(MAPPING.format(where=where, coin_id=coin_id))
    return validate_archive(load_mapping(path), archive)


def test_a_mapping_that_stays_within_its_archive_is_read(archive):
    assert [each.landed for each in validated(archive)] == [1]


@pytest.mark.parametrize(
    "sql",
    [
        "1); copy (select 1) to '{out}'; select (1",
        "true; attach '{out}' as stolen",
        "true) ; install httpfs ; select (true",
    ],
)
def test_sql_of_a_mapping_cannot_begin_another_statement(archive, sql):
    out = archive.parent / "stolen"

    with pytest.raises(MappingError, match=r"where: .*(no SQL that can stand in a query|more than one statement)"):
        validated(archive, where=json.dumps(sql.format(out=out)))

    assert not out.exists()


@pytest.mark.parametrize(
    "sql",
    [
        "(select count(*) > 0 from read_csv('{secret}', header = false))",
        "(select count(*) > 0 from read_text('{secret}'))",
        "(select count(*) > 0 from glob('{folder}/*'))",
        "(select count(*) > 0 from '{secret}')",
    ],
)
def test_sql_of_a_mapping_reads_nothing_outside_of_its_archive(archive, sql):
    secret = archive.parent / "secret.csv"
    secret.write_text("a-key\n")
    sql = sql.format(secret=secret, folder=archive.parent)

    with pytest.raises(MappingError, match=r"where of the mapping does not run|cannot be read"):
        validated(archive, where=json.dumps(sql))


def test_a_link_out_of_the_archive_is_not_followed(archive):
    elsewhere = archive.parent / "elsewhere.parquet"
    (archive / "prices.parquet").rename(elsewhere)
    (archive / "prices.parquet").symlink_to(elsewhere)

    with pytest.raises(MappingError, match="is a link out of the archive"):
        validated(archive)


@pytest.mark.parametrize(
    "path", ["../prices.parquet", "/etc/passwd.csv", "a/../../b.csv", "prices.pickle", "a\x00.csv", "a" * 600 + ".csv"]
)
def test_a_path_that_leaves_the_archive_or_is_none_is_refused(tmp_path, path):
    file = tmp_path / "mapping.yaml"
    text = MAPPING.format(where="'true'", coin_id="id").replace("path: prices.parquet", f"path: {json.dumps(path)}")
    file.write_text(text)

    with pytest.raises(MappingError, match=r"path: "):
        load_mapping(file)


def test_a_file_of_parquet_that_claims_more_rows_than_any_history_is_refused(archive, monkeypatch):
    rows = 300_000
    same = pa.table(
        {"id": pa.array(["bitcoin"] * rows).dictionary_encode(), "day": [None] * rows, "price": [1.0] * rows}
    )
    parquet.write_table(same, archive / "prices.parquet")
    monkeypatch.setattr(bulk_import, "MOST_ROWS", rows - 1)

    with pytest.raises(MappingError, match="claims 300,000 rows, 299,999 are the most"):
        validated(archive)

    assert (archive / "prices.parquet").stat().st_size < 20_000


def test_a_file_of_parquet_whose_pages_are_damaged_says_so(archive):
    path = archive / "prices.parquet"
    frame = pl.DataFrame(
        {
            "id": ["bitcoin"] * 500,
            "day": [datetime(2024, 12, 31, tzinfo=UTC).date()] * 500,
            "price": [1.0 * i for i in range(500)],
        }
    )
    frame.write_parquet(path, compression="zstd")
    raw = bytearray(path.read_bytes())
    raw[4:400] = bytes(396)
    path.write_bytes(raw)

    with pytest.raises(MappingError, match="replace the file"):
        validated(archive)


ALIASES = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
ENDLESS = {
    "aliases that multiply": (ALIASES, "aliases come to more than"),
    "an alias of itself": ("a: &a [*a]\n", "holds it|unhashable|recursive"),
    "brackets without end": ("a: " + "[" * (DEEPEST + 5), f"more than {DEEPEST} levels"),
    "more brackets than Python has levels": ("[" * 5000, f"more than {DEEPEST} levels"),
    "a text without end": ("a: " + "x" * LONGEST, "are the most"),
    "a day that is none": ("a: 2024-02-30\n", "day is out of range"),
    "a number of thousands of digits": ("a: " + "9" * 5000, "digits"),
    "an object of Python": ("a: !!python/object/apply:os.system [id]\n", "could not determine a constructor"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_yaml_without_end_is_refused_by_everything_that_reads_it(tmp_path, name):
    text, said = ENDLESS[name]
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(text)

    with pytest.raises(YamlTextError, match=said):
        load_yaml(text)
    with pytest.raises(DefinitionError, match="not valid YAML"):
        parse_definition(text, name="hostile.yaml")
    with pytest.raises(SearchError, match="not valid YAML"):
        parse_search(text, name="hostile.yaml")
    with pytest.raises(SearchError, match=r"GOAL="):
        parse_goal(text)
    with pytest.raises(MappingError, match="is no YAML"):
        load_mapping(mapping)


def test_aliases_within_bounds_go_on_working():
    assert load_yaml("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}\n") == {
        "a": {"x": 1},
        "b": {"x": 1},
        "c": {"x": 1, "y": 2},
    }


@pytest.mark.parametrize("index_id", ["../etc", "a/b", "a.b", "A", "a b", "a;drop", "1a", "", "a\n", "é"])
def test_an_id_that_is_no_identifier_never_becomes_a_file_name_or_sql(index_id):
    text = f"index_id: {json.dumps(index_id)}\nname: A\n"

    with pytest.raises(DefinitionError, match="index_id"):
        parse_definition(text, name="hostile.yaml")


@pytest.mark.parametrize(
    "changed",
    [
        {"precision": 5},
        {"limits": [1]},
        {"limits": {"amount": "x"}},
        {"precision": {"amount": 1e400}},
        {"precision": {"amount": 10**400}},
        {"precision": {"amount": 1e300}},
        {"taker": float("nan")},
    ],
)
def test_a_market_with_impossible_rules_is_an_error_of_the_house(changed):
    entry = json.loads(MARKETS)["markets"]["BTC/USDT"] | changed

    with pytest.raises(MarketRulesError, match="load the markets again"):
        read_market_rules({"BTC/USDT": entry}, quote="USDT")


@pytest.mark.parametrize("both", [["NaN", "1"], ["1", "1e400"], ["2", "1"], ["0", "1"], ["1"], None, ["x", "y"]])
def test_quotes_that_are_none_are_refused(tmp_path, both):
    path = tmp_path / "markets.json"
    path.write_text(json.dumps(json.loads(MARKETS) | {"quotes": {"BTC/USDT": both}}))

    with pytest.raises(TidemarkError, match="is damaged"):
        VenueState.load(path, venue="binance")


def test_a_markets_file_that_is_nested_without_end_is_refused(tmp_path):
    path = tmp_path / "markets.json"
    path.write_text("[" * 100_000)

    with pytest.raises(TidemarkError, match="cannot be read"):
        VenueState.load(path, venue="binance")


@pytest.mark.parametrize("amount", ["1e999999999", "1e-999999999", "sNaN", "Infinity", "-1", "0x10", ""])
def test_amounts_that_exact_arithmetic_would_write_out_for_ever_are_none(tmp_path, amount):
    path = tmp_path / "holdings.csv"
    path.write_text(f"token_id,amount\nbitcoin,{amount}\n")

    with pytest.raises(TidemarkError, match="is no number of 0 or more"):
        read_holdings(path, TOKENS, members=["bitcoin"], quote="USDT")


def test_a_cell_of_megabytes_is_an_error_of_the_house(tmp_path):
    path = tmp_path / "holdings.csv"
    path.write_text(f"token_id,amount\n{'x' * 200_000},1\n")

    with pytest.raises(TidemarkError, match="field larger than field limit"):
        read_holdings(path, TOKENS, members=["bitcoin"], quote="USDT")


def test_what_a_provider_says_moves_no_cursor_in_the_terminal():
    said = "binance: \x1b[2J\x1b]0;owned\x07 \u202eevil\u2066 \r\x9b31m\tmärkte 币\nnext line"

    shown = printable(said)

    assert not set(shown) & set("\x1b\x07\u202e\u2066\r\x9b")
    assert shown.endswith("\tmärkte 币\nnext line")
