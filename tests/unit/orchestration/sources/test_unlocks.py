"""Unlock schedules: amounts and never rates, the coin and never the ticker, and series without a list of releases."""

import json
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.sources.defillama.unlocked_series import releases_of_series
from orchestration.sources.defillama.unlocks import fetch_schedule, fetch_slugs, parse_index, parse_schedule
from orchestration.sources.defillama.wire import Host
from orchestration.sources.errors import RequestRejectedError, UnexpectedBodyError
from orchestration.sources.http import HttpClient, HttpLimits
from orchestration.sources.validation import UnreadableValueError

NOW = datetime(2025, 1, 6, 0, 45, tzinfo=UTC)
DAY, WEEK = 86_400, 604_800
START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())


def at(days: float) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=days)


def cliff(amount: object = 100.0, recipient: object = "Team", **more) -> dict:
    return {"recipient": recipient, "category": "insiders", "unlockType": "cliff", "amount": amount} | more


def linear(rate: object, end: object, previous: float = 0, recipient: str = "Team", **more) -> dict:
    row = {
        "recipient": recipient,
        "category": "insiders",
        "unlockType": "linear_start",
        "previousRatePerWeek": previous,
    }
    return row | {"newRatePerWeek": rate, "endTimestamp": end} | more


def event(days: float, *, cliffs: list | None = None, linears: list | None = None, **more) -> dict:
    row = {"timestamp": START + int(days * DAY), "cliffAllocations": cliffs or [], "linearAllocations": linears or []}
    return row | {"summary": {}} | more


def entry(*events: object, **more) -> dict:
    row = {
        "token": "coingecko:arbitrum",
        "gecko_id": "arbitrum",
        "protocolSlug": "arbitrum-foundation",
        "name": "Arbitrum",
    }
    rest = {"circSupply": 6.9e9, "totalLocked": 3e9, "maxSupply": 1e10, "events": [], "tokenPrice": [{"symbol": "ARB"}]}
    return row | rest | {"unlockEvents": list(events)} | more


def read(*entries: object):
    return parse_index({"data": list(entries)}, now=NOW)


def releases(found) -> list[tuple]:
    columns = ("section", "unlock_type", "starts_at", "ends_at", "amount_tokens", "position")
    return found.events.frame.sort("starts_at", "unlock_type", "position").select(columns).rows()


# -- the index -------------------------------------------------------------------------------------------------------------


def test_a_cliff_is_an_amount_at_an_instant():
    found = read(entry(event(365, cliffs=[cliff(5e7)])))

    row = found.events.frame.row(0, named=True)
    assert (row["protocol"], row["coin_id"], row["token"]) == ("arbitrum-foundation", "arbitrum", "coingecko:arbitrum")
    assert (row["section"], row["category"], row["unlock_type"]) == ("Team", "insiders", "cliff")
    assert (row["starts_at"], row["ends_at"], row["amount_tokens"]) == (at(365), None, 5e7)
    assert row["is_withdrawn"] is False
    assert found.complete == {"arbitrum-foundation"}


def test_a_linear_release_is_its_rate_times_its_length():
    found = read(entry(event(0, linears=[linear(70.0, START + 10 * WEEK)])))

    assert releases(found) == [("Team", "linear", at(0), at(70), 700.0, 0)]


def test_releases_beside_each_other_are_not_cut_where_the_next_begins():
    found = read(
        entry(
            event(0, linears=[linear(70.0, START + 10 * WEEK)]),
            event(7, linears=[linear(10.0, START + 3 * WEEK, previous=70.0)]),
            event(70, linears=[linear(0, None, previous=70.0)]),
        )
    )

    assert [(row[2], row[4]) for row in releases(found)] == [(at(0), 700.0), (at(7), 20.0)]


def test_the_pair_of_rates_is_never_an_amount():
    rates = {"timestamp": START, "noOfTokens": [0, 1e9], "category": "insiders", "unlockType": "linear"}

    found = read(entry(event(0, linears=[linear(7.0, START + WEEK)]), events=[rates]))

    assert [row[4] for row in releases(found)] == [7.0]


def test_several_releases_of_one_day_and_section_are_told_apart_whatever_their_order():
    one = read(entry(event(1, cliffs=[cliff(5.0), cliff(9.0), cliff(7.0, recipient="Airdrop")])))
    other = read(entry(event(1, cliffs=[cliff(7.0, recipient="Airdrop"), cliff(9.0), cliff(5.0)])))

    assert sorted((row[0], row[4], row[5]) for row in releases(one)) == [
        ("Airdrop", 7.0, 0),
        ("Team", 5.0, 1),
        ("Team", 9.0, 0),
    ]
    assert sorted(releases(one)) == sorted(releases(other))


def test_timestamps_may_be_text():
    found = read(entry(event(0, timestamp=str(START), linears=[linear(7.0, str(START + WEEK))])))

    assert [(row[2], row[3]) for row in releases(found)] == [(at(0), at(7))]


def test_a_schedule_without_a_coin_is_kept_without_one():
    found = read(entry(event(1, cliffs=[cliff()])) | {"gecko_id": None, "token": "ethereum:0x91"})

    assert found.events.frame["coin_id"].to_list() == [None]
    assert found.schedules.frame["token"].to_list() == ["ethereum:0x91"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (entry(gecko_id="other"), "token and gecko_id name different coins"),
        (entry(gecko_id=["arbitrum"]), "gecko_id is no text"),
        (entry(protocolSlug=None), "protocolSlug is missing"),
        (entry(maxSupply="much"), "maxSupply is text, not a number"),
        ("text", "record is no object"),
    ],
)
def test_malformed_schedules_are_refused(record, reason):
    found = read(record)

    assert found.events.frame.is_empty()
    assert [each.reason for each in found.schedules.rejected] == [reason]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (event(1, timestamp="soon", cliffs=[cliff()]), "timestamp is text that reads as no number"),
        (event(1, cliffs=[cliff("much")]), "amount is text, not a number"),
        (event(1, cliffs=[cliff(None)]), "amount_tokens is missing or not readable"),
        (event(1, cliffs=[cliff(-5.0)]), "amount_tokens is not above zero"),
        (event(1, cliffs=[cliff(recipient=None)]), "section is missing or not readable"),
        (event(1, cliffs=["text"]), "allocation is no object"),
        (event(1, cliffAllocations="text"), "cliffAllocations is no list"),
        (event(1, linears=[linear(None, START + WEEK)]), "newRatePerWeek is missing"),
        (event(1, linears=[linear(1e308, START + 90 * WEEK)]), "amount is not finite"),
        (event(1, linears=[linear(7.0, None)]), "endTimestamp is missing"),
        (event(1, linears=[linear(7.0, START)]), "amount_tokens is not above zero"),
        ("text", "event is no object"),
    ],
)
def test_a_schedule_with_a_refused_release_is_not_whole(broken, reason):
    found = read(entry(broken, event(9, cliffs=[cliff(3.0)])))

    assert [row[4] for row in releases(found)] == [3.0]
    assert [each.reason for each in found.events.rejected] == [reason]
    assert found.complete == frozenset()


def test_an_event_out_of_order_is_refused_since_its_time_must_be_wrong():
    found = read(entry(event(1, cliffs=[cliff(1.0)]), event(3650, cliffs=[cliff(2.0)]), event(3, cliffs=[cliff(3.0)])))

    assert [row[4] for row in releases(found)] == [1.0, 3.0]
    assert [each.reason for each in found.events.rejected] == ["timestamp is later than that of an event behind it"]
    assert found.complete == frozenset()


def test_a_section_that_begins_decades_ahead_is_refused_and_a_release_may_be_decades_ahead():
    decades = event(7300, cliffs=[cliff(2.0), cliff(3.0, recipient="Treasury")])

    found = read(entry(event(1, cliffs=[cliff(1.0)]), decades))

    assert [(row[0], row[4]) for row in releases(found)] == [("Team", 1.0), ("Team", 2.0)]
    assert [each.reason for each in found.events.rejected] == ["the section begins more than 5 years ahead"]
    assert found.complete == frozenset()


def test_a_schedule_without_releases_is_not_whole():
    assert read(entry()).complete == frozenset()


def test_placeholders_of_nothing_are_left_out():
    found = read(entry(event(1, cliffs=[cliff(0), cliff(2.0)])))

    assert [row[4:] for row in releases(found)] == [(2.0, 0)]
    assert found.complete == {"arbitrum-foundation"}


@pytest.mark.parametrize("payload", [{}, {"data": {}}, {"message": "Too Many Requests"}])
def test_an_index_without_data_is_refused(payload):
    with pytest.raises(UnexpectedBodyError, match="index of unlocks"):
        parse_index(payload, now=NOW)


# -- files -----------------------------------------------------------------------------------------------------------------


def series(*totals: float, start: int = START) -> list[dict]:
    return [
        {"timestamp": start + number * DAY, "unlocked": total, "rawEmission": total, "burned": 0}
        for number, total in enumerate(totals)
    ]


def file_of(sections: dict, *, events: list | None = None, **more) -> dict:
    """A file as the documentation shows it."""
    data = [{"label": label, "data": points} for label, points in sections.items()]
    content = {
        "name": "Sei",
        "gecko_id": "sei-network",
        "documentedData": {"data": data, "tokenAllocation": {"current": {"insiders": 16}}},
        "categories": {"insiders": ["Team"], "airdrop": ["Airdrop"]},
        "metadata": {"token": "coingecko:sei-network", "events": [], "unlockEvents": events or [], "total": 1e10},
        "supplyMetrics": {"maxSupply": 1e10, "adjustedSupply": 9e9, "tbdAmount": 6e8},
    }
    return content | more


def test_a_file_gives_its_releases_and_only_other_sections_come_from_series():
    sections = {"Team": series(0, 50, 100), "Airdrop": series(7, 7, 7)}

    found = parse_schedule(file_of(sections, events=[event(2, cliffs=[cliff(100.0)])]), slug="sei", now=NOW)

    assert releases(found) == [("Airdrop", "cliff", at(0), None, 7.0, 0), ("Team", "cliff", at(2), None, 100.0, 0)]
    row = found.schedules.frame.row(0, named=True)
    assert (row["protocol"], row["coin_id"], row["max_supply_tokens"]) == ("sei", "sei-network", 1e10)
    assert row["file_read_date"] == date(2025, 1, 5)
    assert found.events.frame.sort("starts_at")["category"].to_list() == ["airdrop", "insiders"]


def test_a_file_whose_releases_were_refused_gives_no_series_instead():
    found = parse_schedule(
        file_of({"Team": series(0, 50, 100)}, events=[event(2, cliffs=[cliff("much")])]), slug="sei", now=NOW
    )

    assert found.events.frame.is_empty()
    assert found.complete == frozenset()


@pytest.mark.parametrize("wrap", [lambda text: text, json.loads], ids=["text", "object"])
def test_a_schedule_may_come_as_text_inside_json(wrap):
    body = json.dumps(file_of({"Team": series(0, 100)}))

    found = parse_schedule({"body": wrap(body), "lastModified": "2026-01-01"}, slug="sei", now=NOW)

    assert [row[4] for row in releases(found)] == [100.0]


@pytest.mark.parametrize("payload", [{"body": "{"}, {"body": 5}, {"documentedData": {}}, {"metadata": {}}])
def test_a_file_without_its_parts_is_refused(payload):
    with pytest.raises(UnexpectedBodyError, match="schedule sei"):
        parse_schedule(payload, slug="sei", now=NOW)


def test_a_file_of_two_coins_is_refused():
    found = parse_schedule(file_of({"Team": series(0, 1)}, gecko_id="other"), slug="sei", now=NOW)

    assert found.schedules.frame.is_empty()
    assert [each.reason for each in found.schedules.rejected] == ["token and gecko_id name different coins"]


def test_releases_of_a_coin_the_index_has_are_dropped_and_the_reading_noted():
    found = parse_schedule(file_of({"Team": series(0, 100)}), slug="sei", now=NOW)

    without = found.without_coins({"sei-network"})

    assert without.events.frame.is_empty()
    assert without.schedules.frame.height == 1
    assert without.complete == frozenset()


def test_slugs_are_a_bare_list_and_an_unknown_one_is_final():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("List"):
            return httpx.Response(200, json=["sei", "aave", "sei", None, 7])
        return httpx.Response(404, text="<Error><Code>NoSuchKey</Code></Error>")

    with HttpClient(transport=httpx.MockTransport(answer), limits=HttpLimits(attempts=1)) as http:
        host = Host(http, "http://127.0.0.1:1/defillama-datasets.llama.fi")

        assert fetch_slugs(host) == ["aave", "sei"]
        with pytest.raises(RequestRejectedError, match="404"):
            fetch_schedule(host, "nobody", now=NOW)


# -- series ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        ([], []),
        ([0, 0, 0], []),
        ([5, 5], [(0, None, 5)]),
        ([0, 0, 9, 9], [(2, None, 9)]),
        ([0, 10, 20, 30, 30], [(0, 3, 30)]),
        ([0, 10, 20, 25, 30, 35], [(0, 2, 20), (2, 5, 15)]),
        ([0, 10, 20, 130, 140, 150], [(0, 5, 50), (3, None, 100)]),
        ([0, 4, 14, 24, 30, 30], [(1, 3, 30)]),
        ([0, 0, 7, 7, 7, 14, 14], [(2, None, 7), (5, None, 7)]),
    ],
    ids=["empty", "nothing", "at once", "step", "ramp", "slower", "step on a ramp", "part days", "steps apart"],
)
def test_a_series_is_split_into_steps_and_ramps(totals, expected):
    found = releases_of_series(series(*totals))

    shown = [(each.starts_at, each.ends_at, each.amount) for each in found]
    assert shown == [
        (at(start), None if end is None else at(end), pytest.approx(amount)) for start, end, amount in expected
    ]


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=60))
def test_releases_add_up_to_what_is_unlocked_in_the_end(steps):
    totals = [sum(steps[: number + 1]) for number in range(len(steps))]

    found = releases_of_series(series(*totals))

    assert sum(each.amount for each in found) == pytest.approx(totals[-1], rel=1e-6)
    assert all(each.amount > 0 for each in found)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ("text", "data is no list"),
        (["text"], "point is no object"),
        (series(5, 3), "unlocked falls"),
        (series(-5, 3), "unlocked falls"),
        ([*series(1), *series(2)], "timestamp does not rise"),
        ([{"timestamp": START}], "unlocked is missing"),
        ([{"timestamp": START, "unlocked": "5"}], "unlocked is text, not a number"),
    ],
)
def test_a_series_that_cannot_be_is_refused(points, reason):
    with pytest.raises(UnreadableValueError, match=reason):
        releases_of_series(points)
