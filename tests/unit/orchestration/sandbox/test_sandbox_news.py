"""Headlines, tone and communities of the sandbox: their wire formats, and that they follow and never lead."""

import base64
import json
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import httpx
import numpy as np
import pytest

from models_ml.sentiment.polarity import compound
from orchestration.sandbox.news import FEEDS, Coverage, Newsroom, community, post_title
from orchestration.sandbox.runner import RunningSandbox

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
ADDRESSES = {
    "coindesk": "www.coindesk.com/arc/outboundfeeds/rss/",
    "cointelegraph": "cointelegraph.com/rss",
    "decrypt": "decrypt.co/feed",
}


def read_xml(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - our own sandbox wrote it


def feed(http: httpx.Client, sandbox: RunningSandbox, name: str) -> list[ElementTree.Element]:
    text = http.get(sandbox.url_for(ADDRESSES[name])).text
    return read_xml(text).findall("channel/item")


def gdelt(http: httpx.Client, sandbox: RunningSandbox, **params) -> httpx.Response:
    span = {"startdatetime": "20241001000000", "enddatetime": "20250105235959", "format": "json"}
    return http.get(f"{sandbox.url_for('api.gdeltproject.org')}/api/v2/doc/doc", params=span | params)


# -- RSS ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FEEDS)
def test_feeds_hold_their_newest_items_and_nothing_to_come(http, sandbox, name):
    items = feed(http, sandbox, name)

    times = [
        datetime.strptime(item.findtext("pubDate")[5:25], "%d %b %Y %H:%M:%S").replace(tzinfo=UTC) for item in items
    ]
    assert 20 <= len(items) <= 40
    assert times == sorted(times, reverse=True)
    assert NOW - timedelta(days=6) < times[-1] <= times[0] <= NOW


def test_feeds_have_the_quirks_of_theirs(http, sandbox):
    text = http.get(sandbox.url_for(ADDRESSES["coindesk"])).text
    elsewhere = http.get(sandbox.url_for(ADDRESSES["coindesk"].rstrip("/")))
    tagged = feed(http, sandbox, "cointelegraph")[0]

    assert "<title><![CDATA[" in text
    assert "<media:content" in text
    assert elsewhere.status_code == 308
    assert "utm_source=" in tagged.findtext("link")
    assert "utm_" not in tagged.findtext("guid")


def test_some_items_come_twice_and_some_lack_their_guid_and_some_are_corrected_later(http, sandbox):
    seen: dict[str, set[str]] = {}
    repeated = missing = 0
    for hours in range(0, 24 * 20, 8):
        sandbox.clock.now = NOW + timedelta(hours=hours)
        for name in ("coindesk", "decrypt"):
            items = feed(http, sandbox, name)
            guids = [item.findtext("guid") for item in items]
            repeated += len(guids) - len(set(guids))
            missing += guids.count(None)
            for item in items:
                if item.findtext("guid"):
                    seen.setdefault(f"{name} {item.findtext('guid')}", set()).add(item.findtext("title"))

    assert repeated > 0
    assert missing > 0
    assert {len(titles) for titles in seen.values()} == {1, 2}


@pytest.mark.parametrize("kind", ["market", "null_market"])
def test_what_happened_is_reported_on_the_next_day_and_never_before(request, kind):
    market = request.getfixturevalue(kind)
    newsroom = Newsroom(market)
    days = [market.settings.start + timedelta(days=offset) for offset in range(200, 500)]
    reports: dict[tuple[str, str], list] = {}
    for name in FEEDS:
        for day in days:
            end = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
            for each in newsroom.newest(name, end, 60):
                if each.published_at.date() == day:
                    for word in (
                        "pump",
                        "brief rally",
                        "shuts down",
                        "ends on all venues",
                        "largest move",
                        "moves sharply",
                    ):
                        if word in each.title:
                            reports.setdefault((each.coin_id, word), []).append(day)

    happened = {}
    for row in market.events.iter_rows(named=True):
        happened.setdefault(row["coin_id"], set()).add(row["last_date"] + timedelta(days=1))
    assert len(reports) > 10
    assert all(set(found) <= happened[coin_id] for (coin_id, _), found in reports.items())


def test_every_topic_occurs(market):
    newsroom = Newsroom(market)

    topics = {
        each.topic
        for day in range(30)
        for name in FEEDS
        for each in newsroom.newest(name, NOW - timedelta(days=day), 30)
    }

    assert topics == {"etf", "regulation", "hack", "listing", "unlock", "partnership", "none"}


# -- GDELT -------------------------------------------------------------------------------------------------------------


def test_timelines_are_by_day_and_by_the_hour_when_short(http, sandbox):
    tone = gdelt(http, sandbox, query='"bitcoin" sourcelang:english', mode="timelinetone").json()
    counts = gdelt(http, sandbox, query="bitcoin", mode="timelinevolraw").json()
    hourly = gdelt(http, sandbox, query="bitcoin", mode="timelinetone", startdatetime="20250103000000").json()

    assert tone["timeline"][0]["series"] == "Average Tone"
    assert [point["date"] for point in tone["timeline"][0]["data"]][-1] == "20250105T000000Z"
    assert len(tone["timeline"][0]["data"]) == 97
    assert set(counts["timeline"][0]["data"][0]) == {"date", "value", "norm"}
    assert hourly["timeline"][0]["data"][1]["date"] == "20250103T010000Z"


def test_nothing_found_is_an_empty_object_and_complaints_are_sentences(http, sandbox):
    nothing = gdelt(http, sandbox, query='"nosuchtoken"', mode="timelinetone")
    short = gdelt(http, sandbox, query='"xy" sourcelang:english', mode="timelinetone")

    assert nothing.json() == {}
    assert short.text == "The specified phrase is too short.\n"
    assert short.status_code == 200


def test_answers_may_hold_control_characters(http, sandbox):
    text = gdelt(http, sandbox, query="cryptocurrency", mode="timelinetone").text

    with pytest.raises(json.JSONDecodeError, match="control character"):
        json.loads(text)
    assert json.loads(text, strict=False)["timeline"]


@pytest.mark.parametrize("kind", ["market", "null_market"])
def test_tone_follows_returns_and_leads_none(request, kind):
    market = request.getfixturevalue(kind)
    coverage, days = Coverage(market), market.settings.day_count
    followed, led = [], []
    for index, token in enumerate(market.members):
        if token.pegged_to or market.lifetimes.birth[index] or market.lifetimes.is_dead[index]:
            continue
        measured = coverage.measured(token.name, days - 1)
        close = np.log(market.panel.token(index).close)
        at = np.arange(20, days - 15, 7)
        tone = measured[0][at]
        is_written_about = measured[1][at] > 0
        followed += list(zip(tone[is_written_about], (close[at] - close[at - 7])[is_written_about], strict=True))
        led += list(zip(tone[is_written_about], (close[at + 14] - close[at])[is_written_about], strict=True))

    assert len(led) > 5_000
    assert np.corrcoef(*np.array(followed).T)[0, 1] > 0.2
    # In the default market returns are predictable from their own past a little, hence from what follows them.
    assert abs(np.corrcoef(*np.array(led).T)[0, 1]) < (0.02 if market.settings.is_null else 0.08)


def test_what_was_measured_stays(market):
    coverage = Coverage(market)

    early, late = coverage.measured("bitcoin", 500), coverage.measured("bitcoin", 900)

    assert all(np.array_equal(before, after[:501]) for before, after in zip(early, late, strict=True))


# -- Reddit ------------------------------------------------------------------------------------------------------------


def test_keyless_json_is_a_page_and_atom_is_open(http, sandbox):
    page = http.get(f"{sandbox.url_for('www.reddit.com')}/r/bitcoin/about.json")
    without_token = http.get(f"{sandbox.url_for('oauth.reddit.com')}/r/bitcoin/about")
    atom = http.get(f"{sandbox.url_for('www.reddit.com')}/r/bitcoin/.rss")

    assert (page.status_code, without_token.status_code) == (403, 403)
    assert page.text.startswith("<!doctype html>")
    assert len(read_xml(atom.text).findall("{http://www.w3.org/2005/Atom}entry")) == 25


def test_a_key_gives_a_token_and_the_token_communities(http, sandbox):
    basic = base64.b64encode(b"key:secret").decode()
    address = f"{sandbox.url_for('www.reddit.com')}/api/v1/access_token"
    form = {"grant_type": "client_credentials"}
    refused = http.post(address, data=form)
    token = http.post(address, data=form, headers={"Authorization": f"Basic {basic}"}).json()["access_token"]
    signed = {"Authorization": f"Bearer {token}"}

    about = http.get(f"{sandbox.url_for('oauth.reddit.com')}/r/bitcoin/about", headers=signed)
    posts = http.get(f"{sandbox.url_for('oauth.reddit.com')}/r/bitcoin/new?limit=100", headers=signed).json()
    unknown = http.get(f"{sandbox.url_for('oauth.reddit.com')}/r/nosuch/about", headers=signed)

    assert refused.status_code == 401
    assert (about.json()["kind"], about.headers["x-ratelimit-reset"]) == ("t5", "60")
    assert about.json()["data"]["subscribers"] > 100_000
    times = [child["data"]["created_utc"] for child in posts["data"]["children"]]
    assert len(times) == 100
    assert times == sorted(times, reverse=True)
    assert times[0] <= NOW.timestamp()
    assert unknown.status_code == 404


def test_titles_of_posts_follow_the_week_before_and_do_not_lead(market):
    start = datetime.combine(market.settings.start, datetime.min.time(), tzinfo=UTC)
    close = market.panel.token(0).close
    days = range(200, 1200, 7)
    moods = [
        np.mean([compound(post_title(market, 0, start + timedelta(days=day, seconds=37 * n))) for n in range(20)])
        for day in days
    ]

    before = [np.log(close[day - 1] / close[day - 8]) for day in days]
    after = [np.log(close[day + 7] / close[day]) for day in days]

    assert np.corrcoef(moods, before)[0, 1] > 0.5
    assert abs(np.corrcoef(moods, after)[0, 1]) < 0.25


def test_talk_ends_a_month_after_its_token(market):
    index = int(np.flatnonzero(market.lifetimes.is_dead)[0])
    death = datetime.combine(market.settings.start, datetime.min.time(), tzinfo=UTC) + timedelta(
        days=int(market.lifetimes.last[index])
    )

    after = community(market, index, death + timedelta(days=70))

    assert after.posts == []
