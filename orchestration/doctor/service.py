"""What is set up around the runs: settings, sources, alerts, schedules.

Belongs here: checks of the environment's settings and of who is to be asked or told. Does not: values of a run (`contents.py`).
"""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from pydantic import BaseModel

from orchestration.doctor.finding import FAILS, OPERATE, Finding, Level, Patient
from orchestration.lib.source_journal import SourceJournal
from orchestration.settings import ProviderSettings, Settings

PREFIX = "TIDEMARK_"
NOT_SETTINGS = frozenset(
    {
        "TIDEMARK_AS_OF_INSTANT",
        "TIDEMARK_DAGSTER_DIR",
        "TIDEMARK_DBT_TARGET",
        "TIDEMARK_LAKE_DATA",
        "TIDEMARK_QUIET",
        "TIDEMARK_REBUILT_FROM",
        "TIDEMARK_SERVING",
        "TIDEMARK_SHARED_DATA",
        "TIDEMARK_TOUCHED",
        "TIDEMARK_UI_HOST",
        "TIDEMARK_UI_PORT",
        "TIDEMARK_WAREHOUSE",
    }
)
"""Names that commands, steps and tests read besides the settings."""

SILENT_AFTER = timedelta(days=8)
PATIENCE_SECONDS = 8.0
HEARTBEAT_WITHIN = timedelta(minutes=5)


def settings(patient: Patient) -> Finding:
    """Every setting has a value that can work."""
    if patient.settings is None:
        return Finding("problem", patient.settings_error, "correct it", f"{FAILS}#a-setting-cannot-work")
    given = sorted(name for name in patient.environment if name.startswith(PREFIX))
    return Finding(
        "ok",
        f"SOURCE={patient.settings.source}; set: {', '.join(given) or 'nothing'}",
        page="docs/reference/commands-and-settings.md",
    )


def unknown_settings(patient: Patient) -> Finding:
    """No variable looks like a setting and is read by nothing."""
    known = {*setting_names(), *NOT_SETTINGS}
    said = []
    for name in sorted(name for name in patient.environment if name.startswith(PREFIX)):
        if name.upper() in known or any(
            name.upper().startswith(f"{each}__") and each.endswith("HOSTS") for each in known
        ):
            continue
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.7)
        said.append(f"{name} is read by nothing" + (f", did you mean {near[0]}?" if near else ""))
    if said:
        return Finding("warning", "; ".join(said), "rename or unset it", "docs/reference/commands-and-settings.md")
    return Finding("ok", "every TIDEMARK_ name is read")


def sources(patient: Patient) -> Finding:
    """Which sources are on, which have a key, when each last answered; asked online, whether it answers now."""
    if patient.settings is None:
        return Finding("warning", "not looked at: the settings cannot be read", "correct the settings")
    last: dict[str, str] = {}
    down: dict[str, str] = {}
    for each in SourceJournal(patient.folder.root).attempts():
        if each.status == "down":
            down[each.source] = each.reason
        else:
            last[each.source] = each.at
            down.pop(each.source, None)
    providers = dict(_providers(patient.settings))
    on = [name for name, provider in providers.items() if provider.enabled]
    keyed = [name for name in on if providers[name].api_key is not None]
    said = f"{len(on)} of {len(providers)} on; with a key: {', '.join(keyed) or 'none'}"
    if patient.settings.source != "live":
        return Finding(
            "ok",
            f"{said}; SOURCE={patient.settings.source} asks none of them outside this machine",
            page="docs/how-to/go-live.md",
        )
    silent = [
        name for name, at in last.items() if datetime.fromisoformat(at).astimezone(UTC) < patient.now - SILENT_AFTER
    ]
    troubles = [f"{name} did not answer at last ({reason[:80]})" for name, reason in sorted(down.items())]
    troubles += [f"{name} answered last on {last[name][:10]}" for name in sorted(silent) if name not in down]
    if patient.is_online:
        troubles += [f"{name}: {trouble}" for name, (trouble, _) in _asked(patient).items() if trouble]
        said += f"; {sum(not trouble for trouble, _ in _asked(patient).values())} answer now"
    if troubles:
        return Finding(
            "warning",
            f"{said}; {'; '.join(troubles)}",
            "select * from api.source_health",
            f"{FAILS}#a-source-does-not-answer",
        )
    return Finding("ok", said)


def alerts(patient: Patient) -> Finding:
    """Somebody is told of what happens."""
    if patient.settings is None:
        return Finding("warning", "not looked at: the settings cannot be read", "correct the settings")
    if patient.settings.has_alerts:
        rules = patient.settings.alerts_folder / "alerts.yaml"
        return Finding(
            "ok",
            f"addresses are set; rules: {rules if rules.exists() else 'those shipped'}",
            page="docs/how-to/alerts.md",
        )
    level: Level = "warning" if patient.settings.source == "live" else "ok"
    return Finding(
        level,
        "nobody is told: TIDEMARK_ALERTS_URLS is not set",
        "set an address" if level == "warning" else "",
        "docs/how-to/alerts.md",
    )


def schedules(patient: Patient) -> Finding:
    """Which schedules are on, and whether the daemon that starts them runs."""
    on = [
        row[0]
        for row in _dagster_rows(
            patient, "schedules/schedules.db", "select instigator_body from instigators where status = 'RUNNING'"
        )
    ]
    names = sorted(
        name for name in ("weekly_schedule", "ingest_daily_schedule") if any(f'"{name}"' in str(body) for body in on)
    )
    beats = _dagster_rows(patient, "history/runs.db", "select max(timestamp) from daemon_heartbeats")
    newest = datetime.fromisoformat(str(beats[0][0])).replace(tzinfo=UTC) if beats and beats[0][0] else None
    is_alive = newest is not None and newest > patient.now - HEARTBEAT_WITHIN
    said = f"on: {', '.join(names) or 'none'}; daemon {'runs' if is_alive else 'does not run'}" + (
        f", last heard {newest:%Y-%m-%d %H:%M} UTC" if newest else ""
    )
    if names and not is_alive:
        return Finding("problem", said, "start it (make serve): a schedule without a daemon starts nothing", OPERATE)
    return Finding("ok", said)


def setting_names() -> set[str]:
    """Names of all settings, nested ones and groups included."""
    return set(_names(Settings, PREFIX))


def first_date_header(patient: Patient) -> str | None:
    """The `Date` that a provider's server sent; None where none was asked."""
    if not patient.is_online or patient.settings is None or patient.settings.source != "live":
        return None
    return next((date for _, date in _asked(patient).values() if date), None)


def _names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name.upper()}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _names(field.annotation, f"{prefix}{name.upper()}__")


def _providers(settings: Settings) -> Iterator[tuple[str, ProviderSettings]]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, ProviderSettings):
            yield name, value


def _asked(patient: Patient) -> dict[str, tuple[str, str]]:
    """One request to the base address of each source that is on: what is wrong, empty where it answers, and its `Date`."""
    urls = (
        {name: each.base_url for name, each in _providers(patient.settings) if each.enabled} if patient.settings else {}
    )
    return _answers(tuple(sorted(urls.items())))


@cache
def _answers(urls: tuple[tuple[str, str], ...]) -> dict[str, tuple[str, str]]:
    import httpx

    found = {}
    with httpx.Client(timeout=PATIENCE_SECONDS, follow_redirects=False) as client:
        for name, url in urls:
            try:
                answer = client.head(url)
            except httpx.HTTPError as error:
                found[name] = (f"no answer ({type(error).__name__})", "")
                continue
            # A root without a page says 404 or 405, which is an answer.
            trouble = (
                f"HTTP {answer.status_code}"
                if answer.status_code >= 500 or answer.status_code in (403, 429, 451)
                else ""
            )
            found[name] = (trouble, answer.headers.get("date", ""))
    return found


def _dagster_rows(patient: Patient, name: str, query: str) -> list[tuple[Any, ...]]:
    """Rows of one of Dagster's SQLite files, opened so that not even its journal is touched; none where it is not there."""
    path = patient.folder.dagster / name
    if not path.exists():
        return []
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
    try:
        return connection.execute(query).fetchall()
    except sqlite3.Error:
        return []  # a file that another release of Dagster laid out, or that is just being made
    finally:
        connection.close()
