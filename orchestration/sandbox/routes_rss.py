"""The RSS feeds of three publishers: RSS 2.0 with CDATA and media namespaces, some newest items and no history.

CoinDesk redirects without the slash at the end and corrects titles, Cointelegraph tags its links and stands behind a firewall,
Decrypt leaves out some guids. An item may come twice in one answer.

Belongs here: the wire format of www.coindesk.com, cointelegraph.com and decrypt.co. Does not: what is published (`news.py`).
"""

from __future__ import annotations

import email.utils
from collections.abc import Callable
from functools import cached_property
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from orchestration.sandbox.news import Headline, Newsroom
from orchestration.sandbox.served import ServedMarket

HOSTS = ("www.coindesk.com", "cointelegraph.com", "decrypt.co")
BLOCKED_STATUS = 403

_ITEMS = {"coindesk": 25, "cointelegraph": 30, "decrypt": 20}
_REPEATED_EVERY, _WITHOUT_GUID_EVERY = 11, 7
_CHALLENGE = (
    "<!DOCTYPE html><html lang='en-US'><head><title>Just a moment...</title></head>"
    "<body><h1>cointelegraph.com</h1><p>Verify you are human by completing the action below.</p></body></html>"
)


def error_body(status: int) -> str:
    """What the publishers say under an HTTP status: pages, never XML."""
    return _CHALLENGE if status == 403 else f"Error {status}"


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below all three hosts."""
    feeds = _Feeds(served)
    return [
        Route("/arc/outboundfeeds/rss/", feeds.coindesk),
        Route("/arc/outboundfeeds/rss", feeds.coindesk_elsewhere),
        Route("/rss", feeds.cointelegraph),
        Route("/feed", feeds.decrypt),
    ]


class _Feeds:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served

    @cached_property
    def _newsroom(self) -> Newsroom:
        return Newsroom(self._served.market)

    async def coindesk(self, request: Request) -> Response:
        """Guids are UUIDs; all is CDATA."""
        return self._feed("coindesk", _coindesk_item)

    async def coindesk_elsewhere(self, request: Request) -> Response:
        """The address without its last slash."""
        return RedirectResponse(f"{request.url.path}/", 308)

    async def cointelegraph(self, request: Request) -> Response:
        """Guids are addresses, links carry tags."""
        return self._feed("cointelegraph", _cointelegraph_item)

    async def decrypt(self, request: Request) -> Response:
        """Titles are escaped, dates have an offset, some guids are missing."""
        return self._feed("decrypt", _decrypt_item)

    def _feed(self, name: str, write: Callable[[Headline, str], str]) -> Response:
        now = self._served.clock.now
        items = []
        for headline in self._newsroom.newest(name, now, _ITEMS[name]):
            item = write(headline, headline.title_at(now))
            items += [item] * (2 if headline.number % _REPEATED_EVERY == 0 else 1)
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom" '
            'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:media="http://search.yahoo.com/mrss/">\n'
            f"<channel><title>{name}</title><link>https://{name}.example</link><language>en-us</language><ttl>5</ttl>\n"
            + "\n".join(items)
            + "\n</channel></rss>\n"
        )
        return Response(text, media_type="application/rss+xml; charset=utf-8")


def _coindesk_item(headline: Headline, title: str) -> str:
    uuid = f"{headline.number:08x}-5d1f-4c1e-9f4e-{headline.number:012x}"
    return (
        f"<item><title><![CDATA[{title}]]></title><link>https://www.coindesk.com/markets/{_slug(headline)}</link>"
        f'<guid isPermaLink="false">{uuid}</guid><pubDate>{email.utils.format_datetime(headline.published_at)}</pubDate>'
        "<description><![CDATA[<p>What the publisher wrote.</p>]]></description><dc:creator><![CDATA[A Writer]]></dc:creator>"
        '<category domain="tag">Markets</category><content:encoded/>'
        f'<media:content url="https://cdn.example/{headline.number}.jpg" type="image/jpeg"><media:title>No title</media:title>'
        "</media:content></item>"
    )


def _cointelegraph_item(headline: Headline, title: str) -> str:
    link = f"https://cointelegraph.com/news/{_slug(headline)}"
    tagged = f"{link}?utm_source=rss_feed&amp;utm_medium=rss&amp;utm_campaign=rss_partner_inbound"
    return (
        f"<item><title><![CDATA[ {title} ]]></title><link>{tagged}</link><guid isPermaLink='true'>{link}</guid>"
        f"<pubDate>{headline.published_at:%a, %d %b %Y %H:%M:%S} +0000</pubDate>"
        "<description><![CDATA[<img src='https://images.example/a.jpg'>]]></description></item>"
    )


def _decrypt_item(headline: Headline, title: str) -> str:
    link = f"https://decrypt.co/{headline.number}/{_slug(headline)}"
    guid = "" if headline.number % _WITHOUT_GUID_EVERY == 0 else f'<guid isPermaLink="false">{headline.number}</guid>'
    return (
        f"<item><title>{escape(title)}</title><link>{link}</link>{guid}"
        f"<pubDate>{email.utils.format_datetime(headline.published_at, usegmt=True)}</pubDate></item>"
    )


def _slug(headline: Headline) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in headline.title.lower()).split()
    return "-".join([*words[:6], str(headline.number)])
