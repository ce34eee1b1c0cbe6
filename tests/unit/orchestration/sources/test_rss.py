"""RSS: items, ids and dates of the publishers' shapes, and documents that are no feed."""

import email.utils
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from orchestration.sources.errors import AccessRestrictedError, UnexpectedBodyError
from orchestration.sources.http import HttpClient, HttpLimits
from orchestration.sources.rss import LONGEST_TITLE, fetch_feed, normalise_url, parse_feed, read_kept_item

NOW = datetime(2025, 1, 6, 0, 45, tzinfo=UTC)
URL = "https://publisher.example/feed"

# The shape of CoinDesk's feed (recorded): CDATA, a UUID as guid, namespaces, an empty content:encoded.
COINDESK = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:media="http://search.yahoo.com/mrss/" xmlns:atom="http://www.w3.org/2005/Atom">
<channel><title><![CDATA[CoinDesk]]></title><atom:link href="https://publisher.example" rel="self"/><ttl>5</ttl>
<item><title><![CDATA[Bitcoin &amp; Ether rise <3%]]></title><link>https://www.coindesk.com/markets/2025/01/05/rise/</link>
<guid isPermaLink="false">0f8b1c9e-5d1f-4c1e-9f4e-1c2d3e4f5a6b</guid><pubDate>Sun, 05 Jan 2025 17:04:05 +0000</pubDate>
<description><![CDATA[<p>The publisher's text.</p>]]></description><dc:creator><![CDATA[A Writer]]></dc:creator>
<category domain="tag">Markets</category><content:encoded></content:encoded>
<media:content url="https://cdn.example/1.jpg"><media:title>Not the title</media:title></media:content></item>
</channel></rss>"""


def feed_of(*items: str) -> str:
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>x</title>{"".join(items)}</channel></rss>'


def item(title="News", link="https://a.example/one", guid="1", date="Sun, 05 Jan 2025 10:00:00 GMT") -> str:
    parts = {"title": title, "link": link, "guid": guid, "pubDate": date}
    return (
        "<item>" + "".join(f"<{name}>{text}</{name}>" for name, text in parts.items() if text is not None) + "</item>"
    )


def test_an_item_gives_title_address_and_date_and_never_the_text():
    fetched = parse_feed(COINDESK, "coindesk", now=NOW)

    (row,) = fetched.frame.iter_rows(named=True)
    assert row == {
        "feed": "coindesk",
        "article_id": "0f8b1c9e-5d1f-4c1e-9f4e-1c2d3e4f5a6b",
        "market_date": date(2025, 1, 5),
        "published_at": datetime(2025, 1, 5, 17, 4, 5, tzinfo=UTC),
        "title": "Bitcoin & Ether rise <3%",
        "url": "https://www.coindesk.com/markets/2025/01/05/rise",
    }
    assert fetched.rejected == ()


def test_items_of_the_running_day_are_kept_because_the_feed_forgets():
    fetched = parse_feed(feed_of(item(date="Mon, 06 Jan 2025 00:30:00 GMT")), "x", now=NOW)

    assert fetched.frame["market_date"].to_list() == [date(2025, 1, 6)]


def test_an_item_that_comes_twice_is_one_and_the_newer_title_counts():
    items = [item("New title", guid="7"), item("Old title", guid="7"), item("Other", guid="8")]

    fetched = parse_feed(feed_of(*items), "x", now=NOW)

    assert fetched.frame["title"].to_list() == ["New title", "Other"]
    assert fetched.rejected == ()


@pytest.mark.parametrize(
    ("guid", "link", "article_id"),
    [
        (None, "https://A.example/One/?utm_source=rss&amp;utm_medium=x", "https://a.example/One"),
        ("https://a.example/one?utm_campaign=y", "https://a.example/two", "https://a.example/one"),
        (" abc ", "https://a.example/one", "abc"),
        ("abc", None, "abc"),
    ],
)
def test_the_id_is_the_guid_else_the_address(guid, link, article_id):
    fetched = parse_feed(feed_of(item(guid=guid, link=link)), "x", now=NOW)

    assert fetched.frame["article_id"].to_list() == [article_id]


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("Sun, 05 Jan 2025 10:00:00 GMT", 10),
        ("Sun, 05 Jan 2025 10:00:00 +0200", 8),
        ("Sun, 05 Jan 2025 10:00:00 EST", 15),
        ("05 Jan 2025 10:00 -0000", 10),
        ("Sun, 05 Jan 2025 10:00:00", 10),
    ],
)
def test_mail_dates_are_read_with_their_zone(text, hour):
    fetched = parse_feed(feed_of(item(date=text)), "x", now=NOW)

    assert fetched.frame["published_at"].to_list() == [datetime(2025, 1, 5, hour, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (item(title=""), "title is missing"),
        (item(title=None), "title is missing"),
        (item(title="x" * (LONGEST_TITLE + 1)), f"title is longer than {LONGEST_TITLE} characters"),
        (item(guid=None, link=None), "guid and link are missing"),
        (item(date=None), "pubDate is missing"),
        (item(date="2025-01-05T10:00:00Z"), "pubDate is no RFC 822 date"),
        (item(date=email.utils.format_datetime(NOW + timedelta(hours=1))), "pubDate lies in the future"),
    ],
)
def test_malformed_items_are_refused_and_the_others_read(wrong, reason):
    fetched = parse_feed(feed_of(wrong, item(guid="9")), "x", now=NOW)

    assert fetched.frame["article_id"].to_list() == ["9"]
    assert [each.reason for each in fetched.rejected] == [reason]


def test_what_is_refused_is_kept_without_the_publishers_text():
    wrong = "<item><title>T</title><description>the text</description><guid>1</guid></item>"

    fetched = parse_feed(feed_of(wrong, item(guid="9")), "x", now=NOW)

    (kept,) = fetched.rejected
    assert "the text" not in kept.payload
    assert '"feed": "x"' in kept.payload


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    f"<rss><channel>{item(title='&b;')}</channel></rss>"
)


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE html><html><body>Just a moment...</body></html>",
        BOMB,
        COINDESK[: len(COINDESK) // 2],
        "",
        "Too many requests",
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>x</title></entry></feed>',
        feed_of(),
    ],
    ids=["page", "entities", "cut off", "empty", "sentence", "atom", "no item"],
)
def test_what_is_no_feed_is_refused_and_asked_again(text):
    answers = [httpx.Response(200, text=text), httpx.Response(200, text=COINDESK)]
    transport = httpx.MockTransport(lambda request: answers.pop(0))

    with HttpClient(transport=transport, sleep=lambda pause: None) as http:
        fetched = fetch_feed(http, "coindesk", URL, now=NOW)

    assert fetched.frame.height == 1


def test_redirects_are_followed_to_other_hosts():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "publisher.example":
            return httpx.Response(308, headers={"Location": "https://www.publisher.example/feed/"})
        return httpx.Response(200, text=COINDESK)

    with HttpClient(transport=httpx.MockTransport(answer)) as http:
        fetched = fetch_feed(http, "coindesk", URL, now=NOW)

    assert fetched.frame.height == 1


def test_a_firewall_is_told_apart():
    transport = httpx.MockTransport(
        lambda request: httpx.Response(403, text="<!DOCTYPE html><title>Just a moment</title>")
    )

    with HttpClient(transport=transport) as http, pytest.raises(AccessRestrictedError):
        fetch_feed(http, "cointelegraph", URL, now=NOW)


def test_a_document_with_entities_is_an_error_that_says_so():
    transport = httpx.MockTransport(lambda request: httpx.Response(200, text=BOMB))

    with (
        HttpClient(transport=transport, limits=HttpLimits(attempts=1)) as http,
        pytest.raises(UnexpectedBodyError, match="entities"),
    ):
        fetch_feed(http, "x", URL, now=NOW)


@pytest.mark.parametrize("text", [None, "", "abc", "urn:uuid:1", "mailto:a@b.example", "https://[broken"])
def test_what_is_no_address_has_none(text):
    assert normalise_url(text) is None


def test_what_was_refused_can_be_read_again():
    kept = {"feed": "x", "item": {"title": "T", "link": None, "guid": "1", "pubDate": "Sun, 05 Jan 2025 10:00:00 GMT"}}

    assert [row["article_id"] for row in read_kept_item(kept, NOW)] == ["1"]
