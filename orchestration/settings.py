"""Settings of a run, from the environment (prefix `TIDEMARK_`) and nowhere else.

Belongs here: one typed settings object, what each setting means, and the refusal of values that cannot work.
Does not: reading files or tables. Nothing is read at import; callers call `load_settings()`.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestration.lib.errors import TidemarkError

SourceKind = Literal["simulated", "archive", "live"]

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent


class SettingsError(TidemarkError):
    """A setting has a value that cannot work."""


class ProviderSettings(BaseModel):
    """How to reach one provider.

    Attributes:
        enabled: Whether live and simulated runs ask it.
        base_url: Root of its API; point it at any server that speaks the same format.
        min_interval_seconds: Least time between two requests of a live run.
        api_key: Key, from the environment only; never shown.
    """

    enabled: bool = True
    base_url: str
    min_interval_seconds: float = Field(ge=0)
    api_key: SecretStr | None = None


class SimulationSettingsEnv(BaseModel):
    """The simulated market: its seed, its size, whether anything predicts anything, and the free tier's history limit."""

    seed: int = 7
    tokens: int = Field(default=250, ge=130, le=6000, description="Below 130 too few are eligible for a first model.")
    is_null: bool = False
    full_history: bool = True


class Settings(BaseSettings):
    """All settings of a run. Nested ones are set like `TIDEMARK_COINGECKO__API_KEY`."""

    model_config = SettingsConfigDict(env_prefix="TIDEMARK_", env_nested_delimiter="__", extra="ignore", frozen=True)

    source: SourceKind = "simulated"
    archive: Path | None = None
    mapping: Path = REPOSITORY_ROOT / "orchestration" / "mappings" / "shared_data.yaml"
    as_of: date | None = None
    data_dir: Path | None = None
    indices_dir: Path = REPOSITORY_ROOT / "models_ml" / "indices" / "definitions"
    correction_weeks: int = Field(default=8, ge=0, description="Corrections older than this wait for make rebuild.")
    live_universe: int = Field(default=500, ge=1, le=5000, description="Tokens a live run follows, by market cap.")
    live_history_days: int = Field(default=365, ge=60, description="Days of history a live run fills at its start.")
    simulation: SimulationSettingsEnv = SimulationSettingsEnv()

    binance: ProviderSettings = ProviderSettings(base_url="https://api.binance.com", min_interval_seconds=0.05)
    coingecko: ProviderSettings = ProviderSettings(
        base_url="https://api.coingecko.com/api/v3",
        min_interval_seconds=12.0,  # keyless: measured bans below it
    )
    coinmetrics: ProviderSettings = ProviderSettings(
        base_url="https://community-api.coinmetrics.io/v4",
        min_interval_seconds=0.6,  # 10 requests in 6 s
    )
    alternative_me: ProviderSettings = ProviderSettings(base_url="https://api.alternative.me", min_interval_seconds=1.0)

    @model_validator(mode="after")
    def archive_goes_with_its_source(self) -> Self:
        """An archive run needs a folder to read."""
        if self.source == "archive" and self.archive is None:
            raise ValueError("SOURCE=archive needs ARCHIVE=<folder with the history files>")
        return self

    @property
    def folder(self) -> Path:
        """Where everything is written: `TIDEMARK_DATA_DIR`, or `data/simulated` and `data/real` below the project."""
        if self.data_dir is not None:
            return self.data_dir.expanduser().resolve()
        return REPOSITORY_ROOT / "data" / ("simulated" if self.source == "simulated" else "real")

    @property
    def kind(self) -> Literal["simulated", "real"]:
        """What a data folder may hold: simulated rows never mix with real ones."""
        return "simulated" if self.source == "simulated" else "real"


def load_settings() -> Settings:
    """Settings from the environment.

    Raises:
        SettingsError: With every bad value, one a line.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = []
        for item in error.errors():
            name = "TIDEMARK_" + "__".join(str(part) for part in item["loc"]).upper() if item["loc"] else "settings"
            problems.append(
                f"{name}: {item['msg'].removeprefix('Value error, ')} (got {item['input']!r})"
                if item["loc"]
                else item["msg"].removeprefix("Value error, ")
            )
        raise SettingsError("; ".join(problems)) from None
