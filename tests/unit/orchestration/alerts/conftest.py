"""A small published copy with what alerts read, and a sender that remembers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.alerts.delivery import Told, tell
from orchestration.lib.manifest import InputVersions, Manifest
from orchestration.settings import Settings

WEEK = date(2025, 1, 6)
NOW = datetime(2025, 1, 6, 3, tzinfo=UTC)

TABLES = """
    create schema api;
    create schema indices;
    create table api.tokens (token_id varchar, symbol varchar, name varchar);
    create table api.indices (index_id varchar);
    create table api.daily_signals (token_id varchar, market_date date);
    create table api.signal_flips (
        token_id varchar, flip_date date, previous_signal tinyint, signal tinyint, flip_price_usd double
    );
    create table indices.rebalances_current (
        index_id varchar, effective_at timestamptz, token_id varchar, symbol varchar, target_weight double, reason varchar,
        as_of_week date
    );
    create table api.moonshots (
        as_of_week date, rank integer, token_id varchar, symbol varchar, candidates integer, p_2x_90d double, p_3x_90d double,
        risk_class varchar, checks_true integer, checks_known integer, price_usd double, stop_usd double, rationale varchar,
        verdict varchar
    );
    create table api.sector_rotation (
        date date, sector varchar, turn varchar, turn_extreme_date date, turn_known_date date, is_hindsight boolean
    );
    insert into api.tokens values
        ('bitcoin', 'BTC', 'Bitcoin'), ('ethereum', 'ETH', 'Ethereum'),
        ('solana', 'SOL', 'Solana'), ('wrapped-solana', 'SOL', 'Wrapped Solana'), ('dai', 'DAI', null);
    insert into api.indices values ('hodl10'), ('ai_top100');
    insert into api.daily_signals values ('bitcoin', '2025-01-05'), ('solana', '2025-01-05');
"""


@dataclass
class Published:
    """The data folder of a small publication, and what is told of it."""

    root: Path
    sequence: int = 0

    @property
    def sunday(self) -> date:
        return WEEK - timedelta(days=1)

    @property
    def warehouse(self) -> Path:
        return self.root / "published" / "warehouse.duckdb"

    def run(self, *statements: str, week: date = WEEK) -> None:
        """Change the copy and publish it anew."""
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            for statement in statements:
                connection.execute(statement)
        self.sequence += 1
        manifest = Manifest(
            sequence=self.sequence,
            created_at=NOW,
            data_source="simulated",
            as_of_week=week,
            code_version="0",
            model_versions={},
            inputs=InputVersions(inputs_hash="", input_cutoff=NOW, loads={}),
            attribution={},
            files={},
            versioned_tables={},
            objects={},
            content_fingerprint="",
            previous_manifest_sha256=None,
        )
        (self.root / "published" / "manifest.json").write_bytes(manifest.as_bytes())

    def flip(self, token_id: str, day: date, signal: int) -> None:
        self.run(f"insert into api.signal_flips values ('{token_id}', '{day}', 0, {signal}, 2.5)")

    def rules(self, text: str) -> None:
        folder = self.root / "alerts"
        folder.mkdir(exist_ok=True)
        (folder / "alerts.yaml").write_text(text)

    def settings(self, addresses: str = "phone=json://localhost/x", **more: str) -> Settings:
        return Settings(data_dir=self.root, alerts_urls=addresses, alerts_dir=None, **more)

    def tell(
        self, sender: object, *, now: datetime = NOW, addresses: str = "phone=json://localhost/x", **more: object
    ) -> Told:
        return tell(self.settings(addresses), instance=None, now=now, sender=sender, **more)

    def journal(self) -> dict:
        return json.loads((self.root / "alerts_journal.json").read_text())


@dataclass
class Remembering:
    """A sender that keeps what it is given, and fails where it is told to."""

    sent: list[tuple[str, str, str]] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    calls: int = 0

    def send(self, name: str, *, title: str, body: str) -> str | None:
        self.calls += 1
        if name in self.failing:
            return "no connection, or no answer in time"
        self.sent.append((name, title, body))
        return None

    @property
    def text(self) -> str:
        return "\n".join("\n".join(each) for each in self.sent)


@pytest.fixture(scope="session")
def empty_copy(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("copy") / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(TABLES)
    return path.read_bytes()


@pytest.fixture
def published(tmp_path: Path, empty_copy: bytes) -> Published:
    """A publication of the week of 2025-01-06 in which nothing happened."""
    root = tmp_path / "data"
    (root / "published").mkdir(parents=True)
    made = {"kind": "simulated", "start_date": "2025-01-01", "created_at": "2025-01-01T00:00:00+00:00"}
    (root / "folder.json").write_text(json.dumps(made))
    folder = Published(root)
    folder.warehouse.write_bytes(empty_copy)
    folder.run()
    return folder


@pytest.fixture
def sender() -> Remembering:
    return Remembering()


@pytest.fixture
def rebalance() -> Callable[..., str]:
    """SQL of an index's targets at an instant."""

    def make(index_id: str, effective_at: str, week: date, targets: dict[str, tuple[float, str]]) -> str:
        rows = ", ".join(
            f"('{index_id}', '{effective_at}', '{token}', upper('{token[:3]}'), {weight}, '{reason}', '{week}')"
            for token, (weight, reason) in targets.items()
        )
        return f"insert into indices.rebalances_current values {rows}"

    return make
