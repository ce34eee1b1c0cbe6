"""Pages of the site, one module a kind: what is read for it, and the template that shows it.

Belongs here: queries on `api` and what a page makes of them. Does not: HTML (`templates/`), writing files (`build.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        path: File below the site's folder.
        title: Its title and first heading.
        template: Template below `templates/`.
        section: Entry of the menu it belongs to.
        context: What the template shows beside what every page has.
    """

    path: str
    title: str
    template: str
    section: str
    context: Mapping[str, Any]

    @property
    def up(self) -> str:
        """How links of this page reach the site's folder."""
        return "../" * self.path.count("/")
