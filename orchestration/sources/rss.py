"""RSS feeds of publishers: the headline, its address and its date, never the text, which belongs to the publisher.

Belongs here: requests and the shape of RSS 2.0. Does not: which feeds (settings), what a headline is about
(`models_ml/sentiment/topics.py`).
Traps: feeds hold some 25 items and no history; one may come twice, lack its guid, or get another title later; links carry
tracking tags; a firewall answers 403 with a page. Documents with a DOCTYPE are refused: a feed has none, an attack does.
"""

from __future__ import annotations

import email.utils
import html
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from xml.etree import ElementTree

from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.http import HttpClient
from orchestration.sources.validation import Fetched, Rejected, UnreadableValueError, refuse_future, validate

HEADLINES: Final = find_dataset("rss", "headlines")
LONGEST_TITLE: Final = 500
FIELDS: Final = ("title", "link", "guid", "pubDate")
ACCEPT: Final = {"Accept": "application/rss+xml, application/xml;q=0.9, text/xml;q=0.8"}


def fetch_feed(http: HttpClient, feed: str, url: str, *, now: datetime) -> Fetched:
    """Fetch what a feed holds now, the running day included, because it may be gone by tomorrow.

    Args:
        http: Shared client.
        feed: Name of the feed.
        url: Its address.
        now: Instant of the request.

    Returns:
        Rows of `rss/headlines`, newest first.

    Raises:
        SourceError: See `errors.py`.
    """
    return http.get_parsed(url, headers=ACCEPT, parse=lambda text: parse_feed(text, feed, now=now))


def parse_feed(text: str, feed: str, *, now: datetime) -> Fetched:
    """Turn a feed into rows; of several items with one id the first counts.

    Raises:
        UnexpectedBodyError: It is no RSS document, or holds no item.
    """
    items = _read_items(text, feed)
    rows: dict[str, dict[str, Any]] = {}
    rejected: list[Rejected] = []
    for item in items:
        try:
            row = read_item(item, feed, now=now)
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), {"feed": feed, "item": item}))
            continue
        rows.setdefault(row["article_id"], row)
    return validate(HEADLINES, list(rows.values()), now=now, rejected=rejected)


def read_item(item: Mapping[str, str | None], feed: str, *, now: datetime) -> dict[str, Any]:
    """Read the fields of one item.

    Raises:
        UnreadableValueError: It has no title, no id, no date, or one to come.
    """
    title = " ".join(html.unescape(item.get("title") or "").split())
    if not title or len(title) > LONGEST_TITLE:
        raise UnreadableValueError(
            "title is missing" if not title else f"title is longer than {LONGEST_TITLE} characters"
        )
    url = normalise_url(item.get("link"))
    article_id = normalise_url(item.get("guid")) or (item.get("guid") or "").strip() or url
    if not article_id:
        raise UnreadableValueError("guid and link are missing")
    published_at = _read_date(item.get("pubDate"))
    refuse_future(published_at, now=now, column="pubDate")
    return {
        "feed": feed,
        "article_id": article_id,
        "market_date": published_at.date(),
        "published_at": published_at,
        "title": title,
        "url": url,
    }


def normalise_url(text: str | None) -> str | None:
    """An address without tracking tags, fragment and closing slash, its host in lower case; None for what is none.

    Example:
        >>> normalise_url("https://Example.com/News/One/?utm_source=rss&id=7#top")
        'https://example.com/News/One?id=7'
    """
    try:
        parts = urlsplit((text or "").strip())
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return None
    query = [(name, value) for name, value in parse_qsl(parts.query) if not name.lower().startswith("utm_")]
    return urlunsplit((parts.scheme, parts.netloc.lower(), parts.path.rstrip("/"), urlencode(query), ""))


def read_kept_item(payload: Any, now: datetime) -> list[dict[str, Any]]:
    """Read a quarantined item again, `{"feed": .., "item": {..}}`.

    Raises:
        UnreadableValueError: It is still malformed.
    """
    item = payload.get("item") if isinstance(payload, dict) else None
    if not isinstance(item, dict) or not isinstance(payload.get("feed"), str):
        raise UnreadableValueError("record lacks feed or item")
    return [read_item(item, payload["feed"], now=now)]


def _read_items(text: str, feed: str) -> list[dict[str, str | None]]:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UnexpectedBodyError(f"rss: {feed} declares a document type or entities; a feed has none, it is not read")
    try:
        root = ElementTree.fromstring(text.lstrip("\ufeff \t\r\n"))  # noqa: S314 - entities are refused above
    except ElementTree.ParseError as error:
        raise UnexpectedBodyError(f"rss: {feed} is no XML ({error}): {text[:120]!r}") from None
    found = root.findall("channel/item")
    if root.tag != "rss" or not found:
        raise UnexpectedBodyError(f"rss: {feed} holds no item of RSS 2.0; its root is <{root.tag}>")
    return [{name: item.findtext(name) for name in FIELDS} for item in found]


def _read_date(text: str | None) -> datetime:
    """Read an RFC 822 date; without an offset it counts as UTC."""
    if not text or not text.strip():
        raise UnreadableValueError("pubDate is missing")
    try:
        published_at = email.utils.parsedate_to_datetime(text.strip())
        return (published_at if published_at.tzinfo else published_at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise UnreadableValueError("pubDate is no RFC 822 date") from None
