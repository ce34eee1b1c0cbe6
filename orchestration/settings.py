"""Settings of a run, from the environment (prefix `TIDEMARK_`) and nowhere else.

Belongs here: one typed settings object, what each setting means, and the refusal of values that cannot work.
Does not: reading files or tables. Nothing is read at import; callers call `load_settings()`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSettingError

from models_ml.learning.calendar import TUNING_TRIALS_A_YEAR
from orchestration.lib.errors import TidemarkError
from orchestration.lib.manifest import PublishFor
from orchestration.sources.datasets.exchanges import EXCHANGES
from orchestration.sources.redaction import without_password

SourceKind = Literal["simulated", "archive", "live"]

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent
SHIPPED_INDICES = REPOSITORY_ROOT / "models_ml" / "indices" / "definitions"


SECRET: Final = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|URLS|CATALOGUE|POSTGRES")
"""Settings whose value is never shown."""


NAMED: Final = re.compile(r"^[a-z][a-z0-9_-]*=(?=[A-Za-z][A-Za-z0-9+.-]*://)")
"""The name in front of an address of alerts."""


class SettingsError(TidemarkError):
    """A setting has a value that cannot work."""


class ProviderSettings(BaseModel):
    """How to reach one provider.

    Attributes:
        enabled: Whether live and simulated runs ask it.
        base_url: Root of its API; point it at any server that speaks the same format.
        hosts: Stand-ins for further hosts of its API, by the host's own name.
        min_interval_seconds: Least time between two requests of a live run.
        concurrency: Requests under way at once, where its adapter makes several.
        api_key: Key, from the environment only; never shown.
        api_secret: Second half of the key, where it has one.
    """

    enabled: bool = True
    base_url: str
    hosts: dict[str, str] = {}
    min_interval_seconds: float = Field(ge=0)
    concurrency: int = Field(default=8, ge=1, le=64)
    api_key: SecretStr | None = None
    api_secret: SecretStr | None = None


class SimulationSettingsEnv(BaseModel):
    """The simulated market and how its providers behave."""

    seed: int = 7
    tokens: int = Field(default=250, ge=130, le=6000, description="Below 130 too few are eligible for a first model.")
    start: date = Field(
        default=date(2022, 1, 3),
        ge=date(2017, 1, 2),
        le=date(2023, 1, 2),
        description="First day of the market; an earlier one is another market, with more history.",
    )
    is_null: bool = Field(default=False, description="Whether nothing predicts anything.")
    identity_events: bool = Field(
        default=False, description="Whether tokens are renamed, migrate, merge and reuse tickers."
    )
    full_history: bool = Field(default=True, description="Whether CoinGecko serves more than the free tier's 365 days.")
    faults: str = Field(default="", description="Misbehaviour, e.g. coingecko:rate_limited:0.1,binance:timeout.")
    latency_seconds: float = Field(default=0.0, ge=0, le=60, description="Typical wait before an answer.")
    enforce_limits: bool = Field(default=False, description="Whether providers refuse those who ask too often.")


class RetentionSettings(BaseModel):
    """What `tidemark compact` may drop; by default nothing, so that every past state can be built again. And how many logs stay."""

    quarantine_days: int | None = Field(default=None, ge=1, description="Drop quarantined records older than this.")
    superseded_days: int | None = Field(
        default=None, ge=1, description="Drop rows that a later load of their key superseded longer ago than this."
    )
    log_runs: int = Field(
        default=200,
        ge=1,
        description="Runs whose structured log and records in Dagster are kept; every run drops older ones.",
    )


class ObjectStoreSettings(BaseModel):
    """How to reach an S3-compatible store; what is not set is found as AWS's own programs find it."""

    endpoint: str | None = Field(
        default=None, description="Address, e.g. https://minio.example:9000; AWS's by default."
    )
    access_key: SecretStr | None = Field(default=None, description="Key id; never shown.")
    secret_key: SecretStr | None = Field(default=None, description="Secret key; never shown.")
    region: str = Field(default="us-east-1", description="Region of the bucket.")

    @property
    def host(self) -> str | None:
        """Host and port of the endpoint."""
        return self.endpoint.partition("://")[2].rstrip("/") if self.endpoint else None

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "http" if self.endpoint and self.endpoint.startswith("http://") else "https"


class LakeSettings(BaseModel):
    """Where the warehouse is when it is a lake; without a catalogue it is a file of the data folder."""

    catalogue: SecretStr | None = Field(
        default=None,
        description="Catalogue of the lake: postgres:dbname=... host=... user=..., or the path of a DuckDB file. Never shown.",
    )
    data: str = Field(
        default="", description="Folder or s3:// address of the lake's files; the same for every process."
    )

    @property
    def admits_writers(self) -> bool:
        """Whether several processes can write at once."""
        return self.catalogue is not None and self.catalogue.get_secret_value().startswith("postgres:")

    @property
    def shown_catalogue(self) -> str:
        """The catalogue without a password."""
        return without_password(self.catalogue.get_secret_value()) if self.catalogue else ""

    @model_validator(mode="after")
    def files_have_a_place(self) -> Self:
        """Refuse a lake whose files every process would look for elsewhere."""
        if self.catalogue is not None and not (self.data.startswith("s3://") or Path(self.data).is_absolute()):
            raise ValueError("a lake needs TIDEMARK_LAKE__DATA=<absolute folder or s3://bucket/prefix>")
        return self


class Settings(BaseSettings):
    """All settings of a run. Nested ones are set like `TIDEMARK_COINGECKO__API_KEY`."""

    # Partial update: a key alone must not take the rest of its provider's defaults away.
    model_config = SettingsConfigDict(
        env_prefix="TIDEMARK_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
        extra="ignore",
        frozen=True,
    )

    source: SourceKind = "simulated"
    archive: Path | None = None
    mapping: Path = REPOSITORY_ROOT / "orchestration" / "mappings" / "shared_data.yaml"
    as_of: date | None = None
    data_dir: Path | None = None
    indices_dir: Path | None = Field(
        default=None, description="Folder of the user's index definitions; by default `indices` in the data folder."
    )
    alerts_urls: SecretStr | None = Field(
        default=None,
        description="Addresses of alerts as apprise writes them, `name=scheme://...`, separated by spaces.",
    )
    alerts_dir: Path | None = Field(
        default=None, description="Folder of alerts.yaml and templates; by default `alerts` in the data folder."
    )
    correction_weeks: int = Field(default=8, ge=0, description="Corrections older than this wait for make rebuild.")
    duckdb_memory: str | None = Field(
        default=None,
        pattern=r"^\d+(\.\d+)?\s?[KMGT]i?B$",
        description="Most memory of DuckDB's buffers in each process of a run, as 6GB; by default a quarter of the machine's.",
    )
    publish_for: PublishFor = Field(
        default="own_use",
        description="Whom the published copy is for; what the terms of sources forbid for them is left out of it.",
    )
    tuning_trials: int = Field(
        default=0,
        ge=0,
        le=TUNING_TRIALS_A_YEAR,
        description="Trials of the tuning of each ranking head, once a calendar year; 0 keeps the stated parameters.",
    )
    live_universe: int = Field(default=500, ge=1, le=6000, description="Tokens a run follows, by market cap.")
    live_history_days: int = Field(default=365, ge=60, description="Days of history a live run fills at its start.")
    simulation: SimulationSettingsEnv = SimulationSettingsEnv()
    retention: RetentionSettings = RetentionSettings()

    landing_url: str | None = Field(
        default=None,
        pattern=r"^s3://[a-z0-9][a-z0-9.-]+(/[A-Za-z0-9._=-]+)*$",
        description="Where landed files are, s3://bucket/prefix; by default the data folder.",
    )
    object_store: ObjectStoreSettings = ObjectStoreSettings()
    lake: LakeSettings = LakeSettings()
    processes: int = Field(default=1, ge=1, le=64, description="Steps of a run at once, each in its own process.")
    training: Literal["here", "dask"] = Field(
        default="here", description="What trains models: the run's process, or Dask."
    )
    dask_scheduler: str | None = Field(
        default=None, description="Scheduler of a Dask cluster, tcp://host:port; by default workers of this machine."
    )
    dask_workers: int = Field(
        default=2, ge=1, le=64, description="Workers on this machine, where no scheduler is named."
    )
    dagster_postgres_url: SecretStr | None = Field(
        default=None,
        description="Dagster's own storage, postgresql+psycopg2://...; by default SQLite files of the data folder.",
    )

    exchanges: tuple[str, ...] = Field(
        default=EXCHANGES,
        description="Exchanges that are asked, in the order of their word where several have a market.",
    )
    order_book_tokens: int = Field(default=200, ge=0, description="Tokens whose order books are read, by volume.")
    derivative_tokens: int = Field(
        default=60, ge=0, description="Tokens whose perpetual's funding and open interest are followed, by volume."
    )
    followed_pools: int = Field(
        default=50, ge=0, le=500, description="Pools of unlisted tokens whose candles are read."
    )
    followed_pool_liquidity_usd: float = Field(default=50_000, ge=0, description="Least liquidity of a pool to follow.")
    protocol_histories: int = Field(
        default=120,
        ge=0,
        description="DeFi protocols of followed tokens whose history is asked, by TVL; four requests each.",
    )
    chain_histories: int = Field(default=30, ge=0, description="Chains of followed tokens whose TVL is asked, by TVL.")
    stablecoin_histories: int = Field(default=20, ge=0, description="Stablecoins whose history is asked, by supply.")
    unlock_files: int = Field(
        default=60, ge=0, description="Unlock schedules outside the index whose file is read, each once a week."
    )

    binance: ProviderSettings = ProviderSettings(base_url="https://api.binance.com", min_interval_seconds=0.05)
    okx: ProviderSettings = ProviderSettings(base_url="https://www.okx.com", min_interval_seconds=0.11)
    coinbase: ProviderSettings = ProviderSettings(
        base_url="https://api.exchange.coinbase.com", min_interval_seconds=0.11
    )
    kucoin: ProviderSettings = ProviderSettings(base_url="https://api.kucoin.com", min_interval_seconds=0.05)
    gate: ProviderSettings = ProviderSettings(base_url="https://api.gateio.ws", min_interval_seconds=0.05)
    kraken: ProviderSettings = ProviderSettings(base_url="https://api.kraken.com", min_interval_seconds=1.0)
    bitstamp: ProviderSettings = ProviderSettings(base_url="https://www.bitstamp.net", min_interval_seconds=0.075)
    coingecko: ProviderSettings = ProviderSettings(
        base_url="https://api.coingecko.com/api/v3",
        min_interval_seconds=12.0,  # keyless: measured bans below it
    )
    geckoterminal: ProviderSettings = ProviderSettings(
        base_url="https://api.geckoterminal.com/api/v2",
        min_interval_seconds=2.0,  # 30 requests a minute
    )
    coinmetrics: ProviderSettings = ProviderSettings(
        base_url="https://community-api.coinmetrics.io/v4",
        min_interval_seconds=0.6,  # 10 requests in 6 s
    )
    defillama: ProviderSettings = ProviderSettings(base_url="https://api.llama.fi", min_interval_seconds=0.5)
    defillama_stablecoins: ProviderSettings = ProviderSettings(
        base_url="https://stablecoins.llama.fi", min_interval_seconds=0.5
    )
    defillama_yields: ProviderSettings = ProviderSettings(base_url="https://yields.llama.fi", min_interval_seconds=0.5)
    unlocks: ProviderSettings = ProviderSettings(
        base_url="https://defillama-datasets.llama.fi", min_interval_seconds=0.5
    )
    github: ProviderSettings = ProviderSettings(base_url="https://api.github.com", min_interval_seconds=0.8)
    fred: ProviderSettings = ProviderSettings(
        base_url="https://fred.stlouisfed.org",
        min_interval_seconds=1.0,  # concurrent requests time out
    )
    alternative_me: ProviderSettings = ProviderSettings(base_url="https://api.alternative.me", min_interval_seconds=1.0)
    rss: ProviderSettings = ProviderSettings(
        base_url="",  # its feeds are of different hosts
        hosts={
            "coindesk": "https://www.coindesk.com/arc/outboundfeeds/rss/",
            "cointelegraph": "https://cointelegraph.com/rss",
            "decrypt": "https://decrypt.co/feed",
        },
        min_interval_seconds=1.0,
    )
    gdelt: ProviderSettings = ProviderSettings(
        base_url="https://api.gdeltproject.org/api/v2",
        min_interval_seconds=5.5,  # one request in 5 s, and a ban that lasts minutes below it
    )
    reddit: ProviderSettings = ProviderSettings(
        base_url="https://oauth.reddit.com",
        hosts={"token": "https://www.reddit.com"},
        min_interval_seconds=0.7,  # 100 requests a minute
    )

    @model_validator(mode="after")
    def archive_goes_with_its_source(self) -> Self:
        """An archive run needs a folder to read."""
        if self.source == "archive" and self.archive is None:
            raise ValueError("SOURCE=archive needs ARCHIVE=<folder with the history files>")
        return self

    @model_validator(mode="after")
    def processes_share_what_admits_them(self) -> Self:
        """Steps in several processes need a warehouse and a storage of Dagster that several can write."""
        if self.processes > 1 and not (self.lake.admits_writers and self.dagster_postgres_url):
            raise ValueError(
                f"TIDEMARK_PROCESSES={self.processes} needs a warehouse that several processes can write "
                "(TIDEMARK_LAKE__CATALOGUE=postgres:...) and TIDEMARK_DAGSTER_POSTGRES_URL; a file admits one"
            )
        url = self.dagster_postgres_url.get_secret_value() if self.dagster_postgres_url else None
        if url is not None and not url.startswith("postgresql+psycopg2://"):
            raise ValueError(
                "TIDEMARK_DAGSTER_POSTGRES_URL has to begin with postgresql+psycopg2://, the driver Dagster uses"
            )
        if self.landing_url and self.lake.catalogue is None:
            raise ValueError("TIDEMARK_LANDING_URL goes with a warehouse in a lake (TIDEMARK_LAKE__CATALOGUE)")
        return self

    @field_validator("exchanges")
    @classmethod
    def exchanges_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse exchanges without an adapter, and repeated ones."""
        unknown = [name for name in names if name not in EXCHANGES]
        if unknown or len(set(names)) < len(names):
            raise ValueError(
                f"{', '.join(unknown) or 'an exchange'} is unknown or repeated; choose among {', '.join(EXCHANGES)}"
            )
        return names

    def secrets(self) -> tuple[str, ...]:
        """Every key of every provider and every address of alerts, so that none of them can appear in what any of them says."""
        values = (getattr(self, name) for name in type(self).model_fields)
        keys = (key for each in values if isinstance(each, ProviderSettings) for key in (each.api_key, each.api_secret))
        addresses = self.alerts_urls.get_secret_value().split() if self.alerts_urls else []
        stores = (self.object_store.secret_key, self.lake.catalogue, self.dagster_postgres_url)
        return (
            *(key.get_secret_value() for key in (*keys, *stores) if key),
            *(NAMED.sub("", each) for each in addresses),
        )

    @property
    def folder(self) -> Path:
        """Where everything is written: `TIDEMARK_DATA_DIR`, or `data/simulated` and `data/real` below the project."""
        if self.data_dir is not None:
            return self.data_dir.expanduser().resolve()
        return REPOSITORY_ROOT / "data" / ("simulated" if self.source == "simulated" else "real")

    @property
    def own_indices_folder(self) -> Path:
        """Where the user's index definitions are: `TIDEMARK_INDICES_DIR`, or `indices` in the data folder."""
        return self.indices_dir if self.indices_dir is not None else self.folder / "indices"

    @property
    def has_alerts(self) -> bool:
        """Whether anybody is to be told anything."""
        return self.alerts_urls is not None and bool(self.alerts_urls.get_secret_value().strip())

    @property
    def alerts_folder(self) -> Path:
        """Where the rules and templates of alerts are: `TIDEMARK_ALERTS_DIR`, or `alerts` in the data folder."""
        return self.alerts_dir if self.alerts_dir is not None else self.folder / "alerts"

    @property
    def indices_folders(self) -> tuple[Path, ...]:
        """Folders of index definitions: the shipped ones, and the user's where it was named or is there."""
        own = self.own_indices_folder
        return (SHIPPED_INDICES, own) if self.indices_dir is not None or own.is_dir() else (SHIPPED_INDICES,)

    @property
    def kind(self) -> Literal["simulated", "real"]:
        """What a data folder may hold: simulated rows never mix with real ones."""
        return "simulated" if self.source == "simulated" else "real"


def is_set(name: str) -> bool:
    """Whether the environment has a setting, for what is asked often: to read all settings takes 20 ms."""
    return bool(os.environ.get(f"TIDEMARK_{name}"))


def load_settings() -> Settings:
    """Settings from the environment.

    Raises:
        SettingsError: With every bad value, one a line.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(map(_problem_of, error.errors()))) from None
    except RecursionError:
        ours = [name for name in os.environ if name.startswith("TIDEMARK_")]
        deepest = max(ours, key=lambda name: os.environ[name].count("[") + os.environ[name].count("{"))
        raise SettingsError(f"{deepest}: brackets within brackets without end; write lists as [1, 2]") from None
    except UnreadableSettingError as error:  # a list or a table that is no JSON; the value may hold a key
        named = re.search(r'field "(\w+)"', str(error))
        name = f"TIDEMARK_{named[1].upper()}" if named else "a setting"
        raise SettingsError(
            f'{name}: is no JSON; write lists as ["binance", "okx"] and tables as {{"name": "value"}}'
        ) from None


def _problem_of(item: Mapping[str, Any]) -> str:
    """A bad value in words; the value is shown where it is one, never a group of settings, which may hold a key."""
    said = item["msg"].removeprefix("Value error, ")
    if not item["loc"]:
        return str(said)
    if item["type"].startswith("date"):
        said = "is no day; write it as YYYY-MM-DD"
    name = "TIDEMARK_" + "__".join(str(part) for part in item["loc"]).upper()
    is_shown = isinstance(item["input"], (str, int, float)) and not SECRET.search(name)
    return f"{name}: {said}" + (f" (got {item['input']!r})" if is_shown else "")
