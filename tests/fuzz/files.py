"""Readers of files and settings that users write or a disk may damage.

Belongs here: how each is read, and a sound file to begin with. Does not: damage and property (`mutation.py`, `judgement.py`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import polars as pl
from pydantic import SecretStr

from models_ml.indices.definition import parse_definition
from models_ml.indices.definition_versions import definition_yaml, values_json
from models_ml.optimiser.goals import parse_goal
from models_ml.optimiser.search import expand, parse_search
from models_ml.orders.plan import PlanRules
from orchestration.alerts.rules import read_addresses, read_rules
from orchestration.lib.bulk_import import load_mapping, validate_archive
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.manifest import read_manifest
from orchestration.lib.order_sheets import KnownToken, Targets, make_sheet, read_holdings
from orchestration.lib.publication_lags import read_lags
from orchestration.lib.source_journal import SourceJournal
from orchestration.settings import SHIPPED_INDICES, load_settings
from orchestration.sources.exchanges.order_rules import VenueState
from tests.fuzz.wire import NOW

TOKENS = {
    "bitcoin": KnownToken("bitcoin", "BTC", False, 100_000.0, 2e12),
    "ethereum": KnownToken("ethereum", "ETH", False, 3_000.0, 4e11),
    "tether": KnownToken("tether", "USDT", True, 1.0, 1e11),
}
TARGETS = Targets("hodl10", NOW.date(), NOW, {"bitcoin": 0.7, "ethereum": 0.3})
"""What the orders of a damaged file are made for."""


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="tidemark-fuzz-")


def _file(name: str, body: bytes) -> Path:
    path = Path(_folder().name) / name
    path.write_bytes(body)
    return path


def _definition(body: bytes) -> Any:
    definition = parse_definition(_text(body), name="damaged.yaml")
    return [values_json(definition), parse_definition(definition_yaml(definition), name="again.yaml").index_id]


@cache
def _model_driven() -> Any:
    return parse_definition((SHIPPED_INDICES / "ai_top100.yaml").read_text(), name="ai_top100.yaml")


def _search(body: bytes) -> Any:
    return len(expand(_model_driven(), parse_search(_text(body), name="search.yaml")).definitions)


def _orders(holdings: Path, markets: Path) -> Any:
    state = VenueState.load(markets, venue="binance")
    held = read_holdings(holdings, TOKENS, members=TARGETS.weights, quote="USDT")
    sheet = make_sheet(TARGETS, TOKENS, held, state, quote="USDT", capital=Decimal(1000), rules=PlanRules())
    return sheet.plan


def _settings(body: bytes) -> Any:
    pairs = (line.partition("=") for line in _text(body).replace("\x00", "").split("\n"))
    given = {name.strip(): value for name, sign, value in pairs if sign and name.strip().startswith("TIDEMARK_")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDEMARK_")}
    usable = {name: value.encode("utf-8", "replace").decode() for name, value in given.items()}
    with mock.patch.dict(os.environ, kept | usable, clear=True):
        settings = load_settings()
        return [settings.secrets(), str(settings.folder)]


def _archive(name: str, dataset: str, columns: Mapping[str, str]) -> Callable[[bytes], Any]:
    listed = "".join(f"      {ours}: {theirs}\n" for ours, theirs in columns.items())
    text = f"version: 1\nfiles:\n  - path: {name}\n    dataset: {dataset}\n    required: true\n    columns:\n{listed}"

    def read(body: bytes) -> Any:
        path = _file(name, body)
        mapping = load_mapping(_file("mapping.yaml", text.encode()))
        return [each.landed for each in validate_archive(mapping, path.parent)]

    return read


def _marker(body: bytes) -> Any:
    folder = DataFolder(Path(_folder().name) / "data")
    folder.root.mkdir(exist_ok=True)
    folder.marker.write_bytes(body)
    return [folder.kind, folder.has_history()]


def _journal(body: bytes) -> Any:
    journal = SourceJournal(Path(_folder().name) / "journal")
    journal.path.parent.mkdir(parents=True, exist_ok=True)
    journal.path.write_bytes(body)
    return len(journal.attempts())


MARKETS = json.dumps(
    {
        "venue": "binance",
        "asked_at": "2025-01-06T00:30:00+00:00",
        "precision_mode": 4,
        "markets": {
            f"{base}/USDT": {
                **{"id": f"{base}USDT", "symbol": f"{base}/USDT", "base": base, "quote": "USDT", "spot": True},
                **{"active": True, "taker": 0.001, "maker": 0.001, "feeSide": "get"},
                "precision": {"amount": 0.00001, "price": 0.01},
                "limits": {"amount": {"min": 0.00001, "max": 9000.0}, "cost": {"min": 5.0, "max": None}},
            }
            for base in ("BTC", "ETH")
        },
        "quotes": {"BTC/USDT": ["99999.5", "100000"], "ETH/USDT": ["3000", "3000.5"]},
    }
)
HOLDINGS = "token_id,symbol,amount\nbitcoin,,0.015\n,ETH,1.2\n,USDT,250\nethereum,ETH,0.1\n"
PRICES = (
    "id,day,price,cap\nbitcoin,2024-12-30,93000.5,1.8e12\nbitcoin,2024-12-31,94000,1.9e12\nethereum,2024-12-31,3300,\n"
)
SEARCH = (
    "vary:\n  selection.count: [10, 20]\n  weighting.cap: [0.2, 0.4]\n  weighting.method: [equal, rank]\n"
    "  rotation: [null, {steps: [{below_btc_average_days: 200, share: 0.5}], min_hold_days: 7}]\nvariants: 8\nseed: 3\n"
)
MAPPING = """version: 1
files:
  - path: prices.csv
    dataset: coingecko/market_daily
    required: true
    filters:
      - {column: kind, equals: daily}
      - {column: price, not_null: true}
    where: "price < 1e6"
    columns:
      coin_id: {column: id, case: lower}
      market_date: {column: day, date_format: "%d.%m.%Y"}
      price_usd: {column: price_cents, multiply: 0.01}
      market_cap_usd: {column: cap, zero_to_null: true}
      symbol: {constant: BTC}
      volume_24h_usd: {sql: "volume_coins * price"}
    dedupe:
      - {column: revision, prefer: greatest}
  - path: vestings.parquet
    dataset: defillama/unlock_events
    beside: {tokens: tokens.parquet}
    from_sql: select file.* from file left join tokens using (name)
    columns: {protocol: protocol, section: section, starts_at: at, unlock_type: kind, position: position, amount_tokens: tokens}
"""
SETTINGS = """TIDEMARK_SOURCE=live
TIDEMARK_AS_OF=2025-01-06
TIDEMARK_COINGECKO__API_KEY=a-key
TIDEMARK_COINGECKO__MIN_INTERVAL_SECONDS=2.5
TIDEMARK_BINANCE__BASE_URL=https://api.binance.com
TIDEMARK_BINANCE__HOSTS={"fapi.binance.com": "https://fapi.binance.com"}
TIDEMARK_SIMULATION__TOKENS=250
TIDEMARK_SIMULATION__FAULTS=coingecko:rate_limited:0.1,binance:timeout
TIDEMARK_EXCHANGES=["binance", "okx"]
TIDEMARK_RETENTION__QUARANTINE_DAYS=30
TIDEMARK_ALERTS_URLS=phone=ntfy://host/topic mail=mailto://a:b@example.org
TIDEMARK_TUNING_TRIALS=0
"""
RULES = """watch: [bitcoin, ethereum]
indices: all
routes: {signal_flips: [phone], failed_runs: []}
lines: 10
own:
  - name: dip
    title: Below a dollar
    sql: select token_id from api.daily where price_usd < 1 and date = $week
    key: [token_id]
    line: "{{ token_id }} is below a dollar"
"""
JOURNAL = "".join(
    json.dumps({"at": "2025-01-06T00:30:00+00:00", "run_id": "a-run", "source": source, "dataset": "markets", **what})
    + "\n"
    for source, what in (
        (
            "coingecko",
            {"status": "answered", "received": 224, "landed": 224, "quarantined": 0, "failed": 0, "reason": ""},
        ),
        ("binance", {"status": "down", "reason": "binance: timed out"}),
    )
)
LAGS = "source,dataset,lag_hours\ncoingecko,market_daily,1\nbinance,candles_daily,0.25\n"
MANIFEST_SEED = Path(__file__).with_name("recorded") / "manifest.json"
MARKER = json.dumps({"kind": "simulated", "created_at": "2025-01-06T00:00:00+00:00", "start_date": "2022-01-03"})


def _prices_as_parquet() -> bytes:
    path = Path(_folder().name) / "seed.parquet"
    pl.DataFrame(
        {
            "id": ["bitcoin", "bitcoin", "ethereum"],
            "day": [datetime(2024, 12, day, tzinfo=UTC).date() for day in (30, 31, 31)],
            "price": [93000.5, 94000.0, 3300.0],
            "cap": [1.8e12, 1.9e12, None],
        }
    ).write_parquet(path)
    return path.read_bytes()


PRICE_COLUMNS = {"coin_id": "id", "market_date": "day", "price_usd": "price", "market_cap_usd": "cap"}

FILES: Mapping[str, Callable[[bytes], Any]] = {
    "index_definition": _definition,
    "optimiser_search": _search,
    "optimiser_goal": lambda body: parse_goal(_text(body)),
    "import_mapping": lambda body: load_mapping(_file("mapping.yaml", body)).version,
    "import_csv": _archive("prices.csv", "coingecko/market_daily", PRICE_COLUMNS),
    "import_parquet": _archive("prices.parquet", "coingecko/market_daily", PRICE_COLUMNS),
    "orders_holdings": lambda body: _orders(_file("holdings.csv", body), _file("markets.json", MARKETS.encode())),
    "orders_markets": lambda body: _orders(_file("holdings.csv", HOLDINGS.encode()), _file("markets.json", body)),
    "manifest": lambda body: read_manifest(_file("manifest.json", body)).sequence,
    "settings": _settings,
    "alert_rules": lambda body: read_rules(_text(body), name="alerts.yaml").watch,
    "alert_addresses": lambda body: len(read_addresses(SecretStr(_text(body)))),
    "publication_lags": lambda body: read_lags(_file("lags.csv", body)),
    "data_folder_marker": _marker,
    "source_journal": _journal,
}


def seeds_of(target: str) -> list[str | bytes]:
    """Sound inputs of a target."""
    texts: dict[str, list[str | bytes]] = {
        "index_definition": [path.read_text() for path in sorted(SHIPPED_INDICES.glob("*.yaml"))],
        "optimiser_search": [SEARCH],
        "optimiser_goal": [
            "annual_return=0.15,max_drawdown=0.10",
            "cautious",
            "{max_drawdown: 0.2, rank_by: annual_return}",
        ],
        "import_mapping": [MAPPING],
        "import_csv": [PRICES],
        "import_parquet": [_prices_as_parquet()],
        "orders_holdings": [HOLDINGS],
        "orders_markets": [MARKETS],
        "manifest": [MANIFEST_SEED.read_text()],
        "settings": [SETTINGS],
        "alert_rules": [RULES],
        "alert_addresses": ["phone=ntfy://host/topic mail=mailto://a:b@example.org", "ntfys://host/topic"],
        "publication_lags": [LAGS],
        "data_folder_marker": [MARKER],
        "source_journal": [JOURNAL],
    }
    return texts[target]
