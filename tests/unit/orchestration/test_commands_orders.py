"""The command `orders` from a published copy and the simulated exchanges to a table and CSV files."""

import csv
import json
import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import duckdb
import polars as pl
import pytest

from orchestration.cli import main
from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.settings import SimulationSettings

TOKENS = 130
WEEK = date(2025, 1, 6)
NOW = datetime(2025, 1, 6, 0, 45, tzinfo=UTC)
WEIGHTS = {"bitcoin": 0.5, "ethereum": 0.3, "tether": 0.1, "nowhere": 0.1}


@pytest.fixture(scope="module")
def market():
    """Newest closes of the simulated market by coin id, with ticker and whether it is pegged."""
    served = ServedMarket(simulate_market(SimulationSettings(tokens=TOKENS)), SandboxClock(NOW))
    closes = served.moment().price
    return {
        member.coin_id: (member.symbol, member.is_stable, float(closes[number]))
        for number, member in enumerate(served.members)
        if closes[number] > 0
    }


@pytest.fixture(scope="module")
def published(market, tmp_path_factory):
    """A published copy: the views that the command reads, of the simulated market."""
    path = tmp_path_factory.mktemp("published") / "warehouse.duckdb"
    tokens = [*((name, *rest) for name, rest in market.items()), ("nowhere", "NOWHERE", False, 2.5)]
    held = [
        *((WEEK, index_id, name, weight) for index_id in ("four", "model") for name, weight in WEIGHTS.items()),
        (WEEK - timedelta(days=7), "waiting", "bitcoin", 1.0),
    ]
    rebalances = [
        ("four", datetime(2025, 1, 1, tzinfo=UTC), "ethereum", 1.0),
        ("model", datetime(2025, 1, 7, tzinfo=UTC), "bitcoin", 1.0),
        ("model", datetime(2025, 1, 7, tzinfo=UTC), "ethereum", 0.0),
    ]
    closes = [(WEEK - timedelta(days=1), name, price, 1e9) for name, _, _, price in tokens]
    tables = {
        "indices": (("index_id",), [("four",), ("waiting",), ("model",)]),
        "index_compositions": (("as_of_week", "index_id", "token_id", "weight"), held),
        "index_rebalances": (("index_id", "effective_at", "token_id", "target_weight"), rebalances),
        "index_levels": (
            ("date", "index_id", "status_reason"),
            [(date(2025, 1, 5), "waiting", "too few constituents")],
        ),
        "tokens": (("token_id", "symbol", "is_stable"), [row[:3] for row in tokens]),
        "daily": (("date", "token_id", "price_usd", "market_cap_usd"), closes),
    }
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("create schema api")
        for name, (columns, rows) in tables.items():
            connection.register("rows_of", pl.DataFrame(rows, schema=columns, orient="row").to_arrow())
            connection.execute(f"create table api.{name} as select * from rows_of")
            connection.unregister("rows_of")
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch, published):
    """A data folder with the published copy in it."""
    monkeypatch.setenv("TIDEMARK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TIDEMARK_SOURCE", "simulated")
    monkeypatch.setenv("TIDEMARK_SIMULATION__TOKENS", str(TOKENS))
    (tmp_path / "published").mkdir()
    shutil.copy(published, tmp_path / "published" / "warehouse.duckdb")
    return tmp_path


def orders(*arguments, index="four", venue="binance"):
    return main(["orders", "--index", index, "--venue", venue, *arguments])


def table(folder, name, *, index="four", venue="binance"):
    path = folder / "orders" / f"{index}_{venue}_{WEEK}" / f"{name}.csv"
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_capital_becomes_orders_that_a_venue_takes(folder, capsys):
    assert orders("--capital", "10000") == 0

    said = capsys.readouterr().out
    assert "four on binance in USDT: weights of 2025-01-06 00:00 UTC" in said
    assert "Nothing was sent" in said
    rows = table(folder, "orders")
    assert [(row["side"], row["market"]) for row in rows] == [("buy", "BTC/USDT"), ("buy", "ETH/USDT")]
    markets = json.loads((folder / "orders" / f"four_binance_{WEEK}" / "markets.json").read_text())["markets"]
    for row in rows:
        step = Decimal(str(markets[row["market"]]["precision"]["amount"]))
        assert Decimal(row["amount_base"]) % step == 0
        assert Decimal(row["notional_quote"]) == Decimal(row["amount_base"]) * Decimal(row["price_quote"])
        assert Decimal(row["fee_quote"]) == Decimal(row["notional_quote"]) * Decimal("0.001")
    weights = {row["symbol"]: float(row["weight"]) for row in table(folder, "weights")}
    # A tenth is in the quote currency itself, a tenth waits for a token that the venue does not have.
    assert weights == pytest.approx({"BTC": 0.5, "ETH": 0.3, "NOWHERE": 0.0, "USDT": 0.2}, abs=1e-3)
    assert [row["reason"] for row in table(folder, "skipped")] == ["the venue has no market for NOWHERE in this quote"]


@pytest.mark.parametrize("venue", ["okx", "coinbase", "kucoin", "gate", "kraken", "bitstamp"])
def test_every_other_venue_can_be_planned_for(folder, venue):
    assert orders("--capital", "10000", "--spread", venue=venue) == 0

    bought = {row["symbol"] for row in table(folder, "orders", venue=venue)}
    assert bought >= {"BTC", "ETH"}
    weights = {row["symbol"]: float(row["weight"]) for row in table(folder, "weights", venue=venue)}
    assert weights["BTC"] / weights["ETH"] == pytest.approx(5 / 3, rel=0.01)
    assert sum(weights.values()) == pytest.approx(1, abs=1e-5)


def test_the_holdings_told_are_the_next_runs_and_lead_to_no_order(folder, tmp_path, capsys):
    assert orders("--capital", "10000") == 0
    held = tmp_path / "mine.csv"
    held.write_text((folder / "orders" / f"four_binance_{WEEK}" / "holdings_after.csv").read_text())

    assert orders("--holdings", str(held)) == 0

    assert table(folder, "orders") == []
    assert "No orders" in capsys.readouterr().out


def test_what_has_left_the_index_is_sold_for_what_it_holds(folder, tmp_path, market):
    leaving = next(name for name in market if name not in WEIGHTS and not market[name][1])
    held = tmp_path / "mine.csv"
    held.write_text(f"symbol,token_id,amount\n{market[leaving][0].lower()},,3\neth,,0.5\nUSDT,,50\n,{leaving},2\n")

    assert orders("--holdings", str(held), "--capital", "100") == 0

    sold, *others = table(folder, "orders")
    assert (sold["side"], sold["token_id"], sold["amount_base"]) == ("sell", leaving, "5")
    assert [(row["side"], row["symbol"]) for row in others] == [("buy", "BTC"), ("buy", "ETH")]
    assert leaving not in {row["token_id"] for row in table(folder, "holdings_after")}
    weights = {row["symbol"]: float(row["weight"]) for row in table(folder, "weights")}
    assert weights == pytest.approx({"BTC": 0.5, "ETH": 0.3, "NOWHERE": 0.0, "USDT": 0.2}, abs=0.01)


def test_what_was_decided_on_monday_for_tuesday_is_what_is_bought(folder):
    assert orders("--capital", "1000", index="model") == 0

    assert [row["symbol"] for row in table(folder, "orders", index="model")] == ["BTC"]


def test_a_saved_file_of_markets_stands_in_for_the_venue_and_closes_for_its_prices(
    folder, tmp_path, monkeypatch, capsys
):
    assert orders("--capital", "10000") == 0
    saved = json.loads((folder / "orders" / f"four_binance_{WEEK}" / "markets.json").read_text())
    path = tmp_path / "load_markets.json"
    path.write_text(json.dumps(saved["markets"]))
    monkeypatch.setattr("orchestration.lib.connections.open_connections", None)

    assert orders("--capital", "10000", "--markets", str(path)) == 0

    assert "prices: closes of the published copy" in capsys.readouterr().out
    assert [row["symbol"] for row in table(folder, "orders")] == ["BTC", "ETH"]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (["--capital", "1"], {"index": "five"}, "INDEX=five is no published index; choose among four, model, waiting"),
        (["--capital", "1"], {"index": "waiting"}, "holds nothing in week 2025-01-06: too few constituents"),
        (["--capital", "1"], {"venue": "mtgox"}, "VENUE=mtgox is unknown; choose among binance, okx"),
        ([], {}, "say what is to be invested: CAPITAL=10000"),
        (["--capital", "-5"], {}, "CAPITAL=-5 is no amount"),
        (["--capital", "lots"], {}, "CAPITAL=lots is no amount"),
        (["--capital", "1", "--quote", "EUR"], {}, "QUOTE=EUR is not worth a dollar"),
        (["--capital", "1", "--quote", "FDUSD"], {}, "binance has no spot market in FDUSD; choose another: QUOTE=USDT"),
        (["--capital", "1", "--markets", "gone.json"], {}, "MARKETS=gone.json cannot be read"),
        (["--holdings", "gone.csv"], {}, "HOLDINGS=gone.csv cannot be read"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(folder, capsys, arguments, options, message):
    assert orders(*arguments, **options) == 2

    error = capsys.readouterr().err
    assert error.startswith("tidemark: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (folder / "orders").exists()


def test_every_wrong_row_of_the_holdings_is_named(folder, tmp_path, capsys):
    held = tmp_path / "mine.csv"
    held.write_text("symbol,amount\nBTC,0.1\nGHOST,3\nETH,many\n")

    assert orders("--holdings", str(held)) == 2

    error = capsys.readouterr().err
    assert "line 3: GHOST is no known token" in error
    assert "line 4 (ETH): amount 'many' is no number of 0 or more" in error


def test_holdings_without_the_needed_columns_are_refused(folder, tmp_path, capsys):
    held = tmp_path / "mine.csv"
    held.write_text("coin,quantity\nBTC,0.1\n")

    assert orders("--holdings", str(held)) == 2

    assert "has the columns coin, quantity; it needs amount, and token_id or symbol" in capsys.readouterr().err


def test_before_anything_is_published_the_remedy_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TIDEMARK_DATA_DIR", str(tmp_path))

    assert orders("--capital", "1") == 2

    assert "has nothing published yet; run make run first" in capsys.readouterr().err


def test_an_archive_has_no_venue_to_ask(folder, monkeypatch, capsys):
    monkeypatch.setenv("TIDEMARK_SOURCE", "archive")
    monkeypatch.setenv("TIDEMARK_ARCHIVE", str(folder))

    assert orders("--capital", "1") == 2

    assert "ask it with SOURCE=live, or give MARKETS=file.json" in capsys.readouterr().err


def test_markets_of_another_venue_are_refused(folder, tmp_path, capsys):
    assert orders("--capital", "10000") == 0
    path = folder / "orders" / f"four_binance_{WEEK}" / "markets.json"

    assert orders("--capital", "10000", "--markets", str(path), venue="okx") == 2

    assert "is of binance, but VENUE=okx" in capsys.readouterr().err
