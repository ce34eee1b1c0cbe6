"""Sections of unlock schedules that the archive tells twice."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest

from orchestration.lib.bulk_import import import_archive, load_mapping
from orchestration.lib.connections import LAGS
from orchestration.lib.landing import LandingStore, read_lags
from orchestration.settings import REPOSITORY_ROOT
from orchestration.sources.defillama.unlock_rows import UNLOCK_EVENTS

START = 1_700_000_000


def row(protocol, section, *, documented=False, kind="cliff", amount=1.0, steps=None):
    return {
        "protocol": protocol,
        "section": section,
        "category": "insiders",
        "from_documented": documented,
        "type": kind,
        "start_ts": START,
        "end_ts": START + 100.0 if kind == "linear" else None,
        "amount": amount,
        "steps": steps,
        "step_duration_s": 86_400.0 if steps else None,
        "is_forecast": False,
    }


@pytest.fixture
def import_unlocks(tmp_path):
    def run(rows, replaces):
        archive = tmp_path / "archive"
        archive.mkdir()
        floats = dict.fromkeys(("end_ts", "amount", "steps", "step_duration_s"), pl.Float64)
        pl.DataFrame(rows, schema_overrides=floats).write_parquet(archive / "unlocks.parquet")
        names = sorted({each["protocol"] for each in rows})
        pl.DataFrame(
            {
                "protocol": names,
                "token": [f"coingecko:{name}" for name in names],
                "documented_replaces": [replaces.get(name) for name in names],
            },
            schema_overrides={"documented_replaces": pl.String},
        ).write_parquet(archive / "unlocks_protocols.parquet")
        pl.DataFrame(schema={"coin_id": pl.String, "platform": pl.String, "contract_address": pl.String}).write_parquet(
            archive / "asset_contracts_coingecko.parquet"
        )
        mapping = load_mapping(REPOSITORY_ROOT / "orchestration" / "mappings" / "shared_data.yaml")
        alone = mapping.model_copy(
            update={"files": [entry for entry in mapping.files if entry.path == "unlocks.parquet"]}
        )
        store = LandingStore(tmp_path / "data")
        at = datetime(2026, 1, 1, tzinfo=UTC)
        import_archive(alone, archive, store, as_of=at, loaded_at=at, lags=read_lags(LAGS))
        return store.newest(UNLOCK_EVENTS)

    return run


def test_documented_sections_take_the_place_of_those_they_name(import_unlocks):
    rows = [
        row("a", "Team", amount=5.0),
        row("a", "Team, as documented", documented=True, amount=7.0),
        row("a", "Airdrop", amount=3.0),
        # Names a section it replaces, but has no documented row that could take its place.
        row("b", "Team", amount=2.0),
    ]

    landed = import_unlocks(rows, {"a": json.dumps(["Team"]), "b": json.dumps(["Team"])})

    assert dict(landed.sort("protocol", "section").select("section", "amount_tokens").rows()) == {
        "Airdrop": 3.0,
        "Team, as documented": 7.0,
        "Team": 2.0,
    }
    assert landed.filter(pl.col("section") == "Team")["protocol"].to_list() == ["b"]


def test_instalments_become_a_cliff_each_and_placeholders_none(import_unlocks):
    rows = [row("a", "Team", kind="step", steps=3.0), row("a", "Fund", amount=0.0), row("a", "Burn", amount=-4.0)]

    landed = import_unlocks(rows, {}).sort("starts_at")

    assert landed["unlock_type"].to_list() == ["cliff"] * 3
    assert [int((each - datetime.fromtimestamp(START, UTC)).days) for each in landed["starts_at"]] == [1, 2, 3]
    assert landed["amount_tokens"].to_list() == [1.0] * 3
