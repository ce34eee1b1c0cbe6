"""The research card: which texts from outside are shown, and what is left to the reader."""

import json

import pytest

from models_ml.screens.research_card import (
    ALWAYS_OPEN,
    LONGEST_LINK,
    MOST_OF_A_KIND,
    research_card,
    safe_link,
    safe_name,
)
from tests.unit.models_ml.screens.snapshots import ITEMS


def row(**fields):
    return {
        "token_id": "star",
        "name": "Star",
        "sector": "DeFi",
        "data_source": "live",
        "price_usd": 1.23456789,
        "market_cap_usd": 2e7,
        "volume_30d_median_usd": None,
        "age_days": 200,
        "volatility_30d": 1.1,
        "top_10_holder_share": None,
        "cliff_unlock_30d_share": None,
        "linear_unlock_30d_share": None,
        "exchange_listed_at": None,
        **dict.fromkeys(ITEMS, True),
    } | fields


def link(kind, value, platform=None, *, is_hindsight=True):
    return {"kind": kind, "platform": platform, "value": value, "is_hindsight": is_hindsight}


def card(*links, **fields):
    return json.loads(research_card(row(**fields), links))


@pytest.mark.parametrize(
    "link",
    [
        "https://star.example",
        "http://www.star-coin.example/a?b=c#d",
        " https://star.example/x ",
        "https://star.example:443/",
    ],
)
def test_plain_web_addresses_are_shown_as_they_are(link):
    assert safe_link(link) == link.strip()


@pytest.mark.parametrize(
    "link",
    [
        None,
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://star.example",
        "star.example",
        "https://user:secret@star.example",
        "https://wallet.example@evil.example",
        "https://star.example\\@evil.example",
        "https://star.example/\x00a",
        "https://star.example/a b",
        "https://star.example/\u202egnp.exe",
        "https://localhost/admin",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://star.example:8080/",
        "https://star.example:port/",
        "https://star.example/<script>",
        'https://star.example/"onclick',
        "https://st\u0430r.example",  # a Cyrillic letter
        "https://star.example/" + "a" * LONGEST_LINK,
    ],
)
def test_other_texts_are_no_links(link):
    assert safe_link(link) is None


def test_names_lose_control_characters_and_length():
    assert safe_name("Star\x00 \u202eCoin\n") == "Star Coin"
    assert len(safe_name("a" * 500)) == 80
    assert safe_name("\u200b") is None


def test_links_contracts_and_repositories_are_sorted_into_the_card():
    found = card(
        link("homepage", "https://star.example"),
        link("homepage", "javascript:alert(1)"),
        link("repository", "https://github.com/star/star", is_hindsight=False),
        link("subreddit", "starcoin"),
        link("subreddit", "../../evil"),
        link("contract", "0xAB12", "ethereum"),
        link("contract", "0xCD34", "some-chain"),
        link("contract", "0x1 <b>", "ethereum"),
    )

    assert found["links"] == [
        {"kind": "market page", "url": "https://www.coingecko.com/en/coins/star"},
        {"kind": "homepage", "url": "https://star.example"},
        {"kind": "repository", "url": "https://github.com/star/star"},
        {"kind": "subreddit", "url": "https://www.reddit.com/r/starcoin"},
    ]
    assert found["contracts"] == [
        {"platform": "ethereum", "address": "0xAB12", "url": "https://etherscan.io/token/0xAB12"},
        {"platform": "some-chain", "address": "0xCD34"},
    ]
    assert found["left_out"] == 3
    assert found["links_are_hindsight"] is True
    assert found["known"]["price_usd"] == 1.23457
    assert "volume_30d_median_usd" not in found["known"]
    assert found["unknown"] == list(ALWAYS_OPEN)


def test_only_dated_links_are_no_hindsight():
    found = card(link("repository", "https://github.com/star/star", is_hindsight=False))

    assert found["links_are_hindsight"] is False


def test_no_kind_floods_the_card():
    found = card(*(link("homepage", f"https://star{number}.example") for number in range(20)))

    assert len([each for each in found["links"] if each["kind"] == "homepage"]) == MOST_OF_A_KIND
    assert found["left_out"] == 0


def test_what_no_source_knows_is_a_question_to_the_reader():
    found = card(is_free_of_major_unlock=None, is_large_holder_inflow=None, is_narrative_early=False)

    asked = " ".join(found["unknown"])
    assert "unlock" in found["unknown"][1]
    assert "largest holders" in found["unknown"][0]
    assert "No homepage and no repository" in asked
    assert "No contract is known" in asked
    assert "sector does it belong" not in asked
    assert "sector: no" in found["known"]["checklist"]


def test_made_up_tokens_lead_to_no_real_page():
    found = card(link("contract", "0xAB12", "ethereum"), data_source="simulated")

    assert found["links"] == []
    assert found["contracts"] == [{"platform": "ethereum", "address": "0xAB12"}]
    assert "made up" in found["note"]
    assert card(**{"token_id": "coinmarketcap:star"})["links"] == []
