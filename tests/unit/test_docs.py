"""What README and docs name is there: pages and their headings, make's targets, settings."""

import re
from functools import cache
from pathlib import Path

import pytest

from orchestration.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [*(REPOSITORY / name for name in ("README.md", "CHANGELOG.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
SETTING = re.compile(r"\bTIDEMARK_([A-Z0-9_]+[A-Z0-9])\b(?!_)")
INDEX = REPOSITORY / "docs" / "README.md"


@cache
def headings(page):
    """Anchors of a page, as a forge makes them from its headings."""
    lines = (line for line in page.read_text(encoding="utf-8").splitlines() if re.match("#+ ", line))
    texts = (re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower()) for line in lines)
    return {text.replace(" ", "-") for text in texts}


def links(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if not link.startswith(("http://", "https://")):
            path, _, anchor = link.partition("#")
            yield link, (page.parent / path).resolve() if path else page, anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_to_pages_and_headings_that_exist(page):
    gone = [link for link, path, _ in links(page) if not path.exists()]
    lost = [
        link
        for link, path, anchor in links(page)
        if anchor and path.suffix == ".md" and path.exists() and anchor not in headings(path)
    ]

    assert (gone, lost) == ([], [])


def test_the_index_of_the_docs_links_every_page():
    linked = {path for _, path, _ in links(INDEX)}

    assert [page.name for page in PAGES if "docs" in page.parts and page not in {*linked, INDEX}] == []


def test_commands_that_the_docs_name_are_targets_of_make():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    named = {
        (page.name, target)
        for page in PAGES
        for code in re.findall(r"`([^`\n]+)`|^ *(make .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        for target in re.findall(r"^make ([a-z][a-z-]*)", code[0] or code[1])
    }

    assert ("README.md", "run") in named
    assert {(page, target) for page, target in named if target not in targets} == set()


def known_settings(model, prefix=""):
    """Names of a settings class as the environment spells them."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}".upper()
        inner = field.annotation
        if isinstance(inner, type) and hasattr(inner, "model_fields"):
            yield from known_settings(inner, f"{prefix}{name}__")


def test_settings_that_the_docs_name_exist():
    named = {(page.name, setting) for page in PAGES for setting in SETTING.findall(page.read_text(encoding="utf-8"))}
    known = {
        *known_settings(Settings),
        "QUIET",
        "UI_HOST",
        "UI_PORT",
    }  # the command line's own, known before any setting is read

    assert ("commands-and-settings.md", "DATA_DIR") in named
    assert {(page, setting) for page, setting in named if setting not in known} == set()
