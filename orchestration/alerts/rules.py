"""What a user sets up: addresses from the environment, and `alerts.yaml` with the watch list and which kinds go where.

    TIDEMARK_ALERTS_URLS="phone=ntfys://... team=slack://..."   names in front of addresses; one without is called `default`
    TIDEMARK_ALERTS_DIR                                         folder of `alerts.yaml` and `templates/`

Belongs here: reading and checking both. Does not: whether apprise knows an address (`sending.py`), what an event is (`events.py`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, SecretStr, StringConstraints, ValidationError, field_validator, model_validator

from models_ml.indices.definition_problems import YamlSource
from models_ml.indices.strict import Strict, Text
from orchestration.alerts.errors import AlertsError
from orchestration.alerts.events import KINDS
from orchestration.lib.due_weeks import LATE_AFTER
from orchestration.settings import Settings

FILE: Final = "alerts.yaml"
TEMPLATES: Final = "templates"
EVERYTHING: Final = ("all",)
DEFAULT_NAME: Final = "default"
ADDRESS: Final = re.compile(r"(?:(?P<name>[a-z][a-z0-9_-]{0,31})=)?(?P<url>[A-Za-z][A-Za-z0-9+.-]*://\S+)")

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]


class OwnAlert(Strict):
    """An alert of the user's own: a query on the published copy, each row an event."""

    name: Slug
    title: Text
    sql: Text
    """Asked with `$week`, the newest published Monday."""

    key: tuple[Slug, ...] = Field(min_length=1)
    """Columns that tell one event from another within a week."""

    line: Text
    """What a row says, a jinja template of the query's columns."""


class AlertRules(Strict):
    """`alerts.yaml`; everything has a default, so it may be absent."""

    watch: tuple[Text, ...] = ("bitcoin", "ethereum")
    """Tokens whose flips are told, by token_id or symbol; `all` for every one."""

    indices: tuple[Text, ...] = ("ai_top100", "hodl10")
    """Indices whose changes are told, by index_id; `all` for every one."""

    routes: dict[str, tuple[Text, ...]] = Field(default_factory=dict)
    """Kind -> names of addresses; a kind that is not named goes to all of them, an empty list is nowhere."""

    lines: int = Field(default=20, ge=1, le=200)
    """Most events one message lists; it counts the rest."""

    late_after_hours: float = Field(default=LATE_AFTER / timedelta(hours=1), gt=0, le=144)
    """Hours after the time of the weekly run from which a week that is not published is late."""

    own: tuple[OwnAlert, ...] = ()

    @field_validator("watch", "indices", mode="before")
    @classmethod
    def all_is_a_list(cls, value: Any) -> Any:
        """`watch: all` without brackets."""
        return list(EVERYTHING) if value == "all" else value

    @model_validator(mode="after")
    def names_are_known_and_told_apart(self) -> Self:
        """Own alerts have names of their own, and routes name kinds that exist."""
        names = [alert.name for alert in self.own]
        taken = sorted({name for name in names if name in KINDS or names.count(name) > 1})
        if taken:
            raise ValueError(f"own: name {', '.join(taken)} is taken already; give each alert another name")
        unknown = sorted(set(self.routes) - {*KINDS, *names})
        if unknown:
            raise ValueError(f"routes: unknown kind {', '.join(unknown)}; choose among {', '.join([*KINDS, *names])}")
        return self

    def destinations(self, kind: str, addresses: Mapping[str, object]) -> tuple[str, ...]:
        """Names of the addresses that hear of a kind."""
        return self.routes.get(kind, tuple(addresses))


class AlertSetup(Strict):
    """Everything a user set up, checked."""

    addresses: dict[str, SecretStr]
    rules: AlertRules
    templates: Path
    fingerprint: str
    """Changes with the rules and with the names of addresses, so that what they choose is looked at anew."""


def load_setup(settings: Settings) -> AlertSetup:
    """Addresses and rules.

    Raises:
        AlertsError: With every problem, one a line: where it is and what to do.
    """
    addresses = read_addresses(settings.alerts_urls)
    folder = settings.alerts_folder
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
    except UnicodeDecodeError as error:
        raise AlertsError(
            f"{path}: is no UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from None
    rules = read_rules(text, name=str(path))
    if addresses:
        _check_routes(rules, addresses, name=str(path))
    named = "\n".join([text, *sorted(addresses)])
    return AlertSetup(
        addresses=addresses,
        rules=rules,
        templates=folder / TEMPLATES,
        fingerprint=hashlib.sha256(named.encode()).hexdigest(),
    )


def read_addresses(value: SecretStr | None) -> dict[str, SecretStr]:
    """Addresses by name; empty where the setting is not there.

    Raises:
        AlertsError: One has no scheme, or a name is given twice; no address is shown.
    """
    found: dict[str, SecretStr] = {}
    words = value.get_secret_value().split() if value else []
    for place, word in enumerate(words, start=1):
        match = ADDRESS.fullmatch(word)
        if match is None:
            raise AlertsError(
                f"TIDEMARK_ALERTS_URLS: address {place} of {len(words)} is none (it is not shown, as it may hold a secret); "
                "write name=scheme://..., with spaces between addresses"
            )
        name = match["name"] or DEFAULT_NAME
        if name in found:
            raise AlertsError(
                f"TIDEMARK_ALERTS_URLS: two addresses are called {name!r}; write name=scheme://... with a name for each"
            )
        found[name] = SecretStr(match["url"])
    return found


def read_rules(text: str, *, name: str) -> AlertRules:
    """The rules in a YAML text; an empty one has the defaults.

    Raises:
        AlertsError: With file, line, field and remedy of every problem.
    """
    if not any(line.split("#")[0].strip() for line in text.splitlines()):
        return AlertRules()
    source = YamlSource.parse(text, name=name)
    problems = source.problems
    if source.content is not None and not problems:
        try:
            return AlertRules.model_validate(source.content)
        except ValidationError as error:
            problems = source.describe(error, known_keys=_known_keys)
    raise AlertsError(
        "\n".join(problem.replace("`index_id: ...` and the other fields", "`watch: [bitcoin]`") for problem in problems)
    )


def _known_keys(path: tuple[Any, ...]) -> list[str]:
    return list((OwnAlert if path[:1] == ("own",) else AlertRules).model_fields)


def _check_routes(rules: AlertRules, addresses: Mapping[str, object], *, name: str) -> None:
    problems = [
        f"{name}: routes.{kind}: {destination!r} is no address; name one of {', '.join(addresses)}, or add "
        f"{destination}=scheme://... to TIDEMARK_ALERTS_URLS"
        for kind, destinations in rules.routes.items()
        for destination in destinations
        if destination not in addresses
    ]
    if problems:
        raise AlertsError("\n".join(problems))
