"""Writing the site: every page into a new folder, which then takes the place of the old one.

Belongs here: the order of pages, the environment of templates, files. Does not: what a page shows (`pages/`).
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup

from orchestration.lib.code_version import code_version
from orchestration.lib.whole_folder import replaced_folder
from orchestration.site import SITE, formats
from orchestration.site.pages import Page
from orchestration.site.pages.errata import errata
from orchestration.site.pages.indices import indices
from orchestration.site.pages.methodology import methodology
from orchestration.site.pages.moonshots import moonshots
from orchestration.site.pages.overview import overview
from orchestration.site.pages.quality import quality
from orchestration.site.pages.record import record
from orchestration.site.pages.tokens import graded_tokens, tokens
from orchestration.site.reading import Published, published
from orchestration.site.tables import sign

BUILT_FROM = "built-from.json"
HERE = Path(__file__).parent
ASSETS = ("site.css", "site.js")
MENU = (
    ("Overview", "index.html"),
    ("Tokens", "tokens.html"),
    ("Indices", "indices.html"),
    ("Moonshots", "moonshots.html"),
    ("Report card", "report-card.html"),
    ("Data", "quality.html"),
    ("Methodology", "methodology.html"),
    ("Errata", "errata.html"),
)


@dataclass(frozen=True)
class Site:
    """What was written.

    Attributes:
        index: The page to open.
        pages: Number of pages.
        size_bytes: Size of all files.
        first_view_bytes: What a reader's browser takes to show the first page.
        seconds: How long it took.
        is_new: False where the site of this publication was there already.
    """

    index: Path
    pages: int
    size_bytes: int
    first_view_bytes: int
    seconds: float
    is_new: bool


def write_site(folder: Path) -> Site:
    """Write the pages of a published copy into `site/` beside it; those of the same publication and code stay as they are.

    Args:
        folder: The published folder.

    Raises:
        NothingPublishedError: It holds no published copy.
    """
    started = time.monotonic()
    target = folder / SITE
    with published(folder) as copy:
        stamp = {"manifest_sha256": copy.manifest_sha256, "code_version": code_version()}
        if _stamp_of(target) == stamp:
            return _site(target, time.monotonic() - started, is_new=False)
        with replaced_folder(target) as new:
            for name in ASSETS:
                shutil.copyfile(HERE / "assets" / name, new / name)
            templates = environment(copy)
            for page in all_pages(copy):
                path = new / page.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(
                    templates.get_template(page.template).render(page=page, **page.context), encoding="utf-8"
                )
            (new / BUILT_FROM).write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
    return _site(target, time.monotonic() - started, is_new=True)


def all_pages(copy: Published) -> Iterator[Page]:
    """Every page, in the order of the menu."""
    graded = graded_tokens(copy)
    flips = copy.frame(
        "select * from api.signal_flips where flip_date < $week order by token_id, flip_date desc", week=copy.week
    )
    yield overview(copy, graded, flips)
    yield from tokens(copy, graded, flips)
    yield from indices(copy)
    yield moonshots(copy)
    yield record(copy)
    yield quality(copy)
    yield from methodology(copy)
    yield errata(copy)


def environment(copy: Published) -> jinja2.Environment:
    """Templates with the filters and what every page states; texts are escaped, a missing name is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    for name in ("number", "percent", "change", "points", "shift", "usd", "day", "call", "short", "file_name"):
        made.filters[name] = getattr(formats, name)
    made.filters["sign"] = sign
    made.filters["markdown"] = markdown
    made.globals |= {"menu": MENU, "manifest": copy.manifest, "manifest_sha256": copy.manifest_sha256}
    return made


def markdown(text: str) -> Markup:
    """A document as HTML: markup inside it is shown as text, and its headings stand below the page's own."""
    parser = MarkdownIt("commonmark", {"html": False})
    tokens_of_text = parser.parse(text)
    for token in tokens_of_text:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    return Markup(parser.renderer.render(tokens_of_text, parser.options, {}))  # noqa: S704 - html is off, so it is escaped


def _stamp_of(target: Path) -> dict[str, str] | None:
    path = target / BUILT_FROM
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _site(target: Path, seconds: float, *, is_new: bool) -> Site:
    sizes = {path.relative_to(target).as_posix(): path.stat().st_size for path in target.rglob("*") if path.is_file()}
    return Site(
        index=target / "index.html",
        pages=sum(name.endswith(".html") for name in sizes),
        size_bytes=sum(sizes.values()),
        first_view_bytes=sum(sizes[name] for name in ("index.html", *ASSETS)),
        seconds=seconds,
        is_new=is_new,
    )
