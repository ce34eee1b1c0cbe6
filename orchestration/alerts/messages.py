"""Messages: events of one kind and week, as lines of a template.

`<kind>.txt` says one event in a line, `message.txt` puts lines together: its first line is the title, the rest the body. A file of
the same name in the user's `templates` folder takes the place of a shipped one. Own alerts have their line in `alerts.yaml`.

Belongs here: templates and what they are given. Does not: choosing events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from orchestration.alerts.errors import AlertsError
from orchestration.alerts.events import KINDS, RUN_KINDS, Fact
from orchestration.alerts.rules import AlertRules
from orchestration.site import formats

SHIPPED: Final = Path(__file__).parent / "templates"
FRAME: Final = "message.txt"
LONGEST_TITLE: Final = 120


@dataclass(frozen=True)
class Message:
    """What an address is sent.

    Attributes:
        title: One line.
        body: Lines of plain text.
    """

    title: str
    body: str


class Templates:
    """The templates of a setup."""

    def __init__(self, rules: AlertRules, folder: Path) -> None:
        """Read what the user's folder has.

        Args:
            rules: The rules, for the lines of own alerts.
            folder: The user's templates; it need not exist.

        Raises:
            AlertsError: A template is not understood: file, line, what is wrong.
        """
        self._rules = rules
        self._folder = folder
        # Plain text, so nothing is escaped here: every text among the facts is harmless already (`text.py`).
        self._made = SandboxedEnvironment(
            loader=jinja2.ChoiceLoader([jinja2.FileSystemLoader(folder), jinja2.FileSystemLoader(SHIPPED)]),
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for name in ("number", "percent", "change", "points", "usd", "call"):
            self._made.filters[name] = getattr(formats, name)
        try:
            self._frame = self._made.get_template(FRAME)
            self._lines = {kind: self._made.get_template(f"{kind}.txt") for kind in KINDS}
            self._lines |= {alert.name: self._made.from_string(alert.line) for alert in rules.own}
        except jinja2.TemplateSyntaxError as error:
            where = error.filename or "a line of own alerts in alerts.yaml"
            raise AlertsError(f"{where}:{error.lineno}: {error.message}; correct the template") from None
        self._titles = {**KINDS, **{alert.name: alert.title for alert in rules.own}}

    def message(
        self,
        kind: str,
        facts: Sequence[Mapping[str, Fact]],
        *,
        week: date | None,
        is_withdrawal: bool,
        data_source: str,
    ) -> Message:
        """The events of one kind and week.

        Raises:
            AlertsError: A template uses a name that there is not; the message lists those there are.
        """
        if kind not in self._lines:
            raise AlertsError(f"alerts.yaml has no own alert {kind!r} any more, so what it found is not sent")
        shown = facts[: self._rules.lines]
        try:
            lines = [" ".join(self._lines[kind].render(each).split()) for each in shown]
            text = self._frame.render(
                title=self._titles[kind],
                kind=kind,
                week=week.isoformat() if week else None,
                data_source=data_source,
                is_withdrawal=is_withdrawal,
                is_research=kind not in RUN_KINDS,
                lines=lines,
                events=shown,
                more=len(facts) - len(shown),
            )
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            names = ", ".join(sorted(facts[0])) if facts else "none"
            raise AlertsError(
                f"the template of {kind} cannot be filled ({' '.join(str(error).split())}); its names are {names}"
            ) from None
        title, _, body = text.strip().partition("\n")
        return Message(" ".join(title.split())[:LONGEST_TITLE], body.strip())
