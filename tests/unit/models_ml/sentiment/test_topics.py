"""Topics of headlines: what has one, what only looks like it. The titles are made up."""

import polars as pl
import pytest

from models_ml.sentiment.topics import TOPICS, tag_topics, topics_of


@pytest.mark.parametrize(
    ("title", "topics"),
    [
        ("Issuer files for spot Ether ETF", ("etf",)),
        ("European ETPs see record inflows", ("etf",)),
        ("SEC delays decision on spot ETF once more", ("etf", "regulation")),
        ("Korean lawmakers propose tax on staking rewards", ("regulation",)),
        ("Exchange loses licence after probe", ("regulation",)),
        ("Country moves to ban mining", ("regulation",)),
        ("Bridge exploited for $80 million", ("hack",)),
        ("Attackers drain $3 million from lending pool", ("hack",)),
        ("Exchange hacked, court freezes loot", ("regulation", "hack")),
        ("Coinbase to list two new tokens", ("listing",)),
        ("Several exchanges delist privacy coin", ("listing",)),
        ("Kraken adds support for trading in new token", ("listing",)),
        ("$200 million token unlock due next week", ("unlock",)),
        ("Project unlocks 92 million tokens on Monday", ("unlock",)),
        ("Vesting cliff ahead for early investors", ("unlock",)),
        ("Foundation's lock-up period ends in May", ("unlock",)),
        ("Network partners with card issuer", ("partnership",)),
        ("Two protocols team up on liquidity", ("partnership",)),
        ("Bank inks custody deal with wallet maker", ("partnership",)),
        (
            "SEC sues exchange after listing of unregistered tokens, hackers drained $2 million",
            ("regulation", "hack", "listing"),
        ),
    ],
)
def test_a_headline_has_the_topics_it_reports(title, topics):
    assert topics_of(title) == topics


@pytest.mark.parametrize(
    "title",
    [
        "New upgrade unlocks potential of rollups",
        "How restaking unlocks liquidity for token holders",
        "Phone maker adds wallet unlock by face",
        "Hackathon draws 300 teams",
        "Growth hacking for founders",
        "Startup steals the show at conference",
        "Bitcoin breaches $100,000 for the first time",
        "Nasdaq-listed miner buys 500 BTC",
        "Miner plans Nasdaq listing next year",
        "Marketplace hides inactive NFT listings",
        "Wallet joins watchlist of the week",
        "Venture firm names new general partner",
        "Investing in second layers: a primer",
        "30 sec video explains rollups",
        "Prime minister praises blockchain",
        "Moore's law and the price of storage",
        "Market wrap: altcoins little changed",
    ],
)
def test_what_only_looks_like_a_topic_is_none(title):
    assert topics_of(title) == ()


def test_capitals_matter_only_for_abbreviations():
    assert topics_of("HACKERS DRAIN $5M FROM POOL") == topics_of("hackers drain $5m from pool") == ("hack",)
    assert topics_of("Sec later the price fell") == ()


def test_curly_apostrophes_and_line_breaks_change_nothing():
    assert topics_of("The SEC\u2019s\n new   chair") == ("regulation",)


def test_titles_are_tagged_in_their_order_and_a_missing_one_stays_missing():
    tagged = tag_topics(pl.Series(["ETF approved", None, "Nothing new"], dtype=pl.String))

    assert tagged.columns == [f"is_{topic.name}" for topic in TOPICS]
    assert tagged["is_etf"].to_list() == [True, None, False]


def test_no_titles_give_no_rows():
    assert tag_topics(pl.Series([], dtype=pl.String)).shape == (0, 6)


def test_every_topic_says_what_it_means():
    assert [topic.name for topic in TOPICS] == ["etf", "regulation", "hack", "listing", "unlock", "partnership"]
    assert all(topic.means for topic in TOPICS)
