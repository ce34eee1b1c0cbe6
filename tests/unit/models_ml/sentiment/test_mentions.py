"""Mentions of tokens: names and tickers, and the words that are names and other things too. The titles are made up."""

import polars as pl
import pytest

from models_ml.sentiment.mentions import find_mentions

TOKENS = pl.DataFrame(
    [
        ("bitcoin", "Bitcoin", "btc"),
        ("ethereum", "Ethereum", "eth"),
        ("solana", "Solana", "sol"),
        ("sui", "Sui", "sui"),
        ("near", "NEAR Protocol", "near"),
        ("chainlink", "Chainlink", "link"),
        ("harmony", "Harmony", "one"),
        ("usd-coin", "USD Coin", "usdc"),
        ("yearn", "yearn.finance", "yfi"),
        ("sui-copy", "SuiCopy", "sui"),
        ("ai", "AI", "ai"),
    ],
    schema=["coin_id", "name", "symbol"],
    orient="row",
)


def mentioned(title: str) -> list[str]:
    titles = pl.DataFrame({"article_id": ["x"], "title": [title]})
    return find_mentions(titles, TOKENS)["coin_id"].to_list()


@pytest.mark.parametrize(
    ("title", "coins"),
    [
        ("Bitcoin slips below support", ["bitcoin"]),
        ("Bitcoin's miners and Ethereum\u2019s validators", ["bitcoin", "ethereum"]),
        ("Traders eye SOL before the upgrade", ["solana"]),
        ("A look at $sui and its holders", ["sui"]),
        ("Lending grows on Sui (SUI)", ["sui"]),
        ("USD Coin supply shrinks", ["usd-coin"]),
        ("Why yearn.finance matters, yearn.finance says", ["yearn"]),
        ("NEAR Protocol opens a bridge", ["near"]),
        ("Is NEAR the next to rise?", ["near"]),
        ("Harmony blockchain halts", ["harmony"]),
        ("Bitcoin-backed loans return", ["bitcoin"]),
        ("Price analysis: BTC, ETH, SOL, LINK", ["bitcoin", "chainlink", "ethereum", "solana"]),
    ],
)
def test_names_and_tickers_are_mentions(title, coins):
    assert mentioned(title) == coins


@pytest.mark.parametrize(
    "title",
    [
        "Near record highs, stocks pause",
        "A link between rates and risk",
        "ONE thing to know this week",
        "Living in harmony with regulators",
        "Harmony at last between exchanges",
        "AI is eating software",
        "Solaris is a film",
        "MARKETS RALLY AS SOL LINK AND BTC RISE",
        "the sui generis nature of tokens",
    ],
)
def test_words_that_mean_something_else_are_none(title):
    assert mentioned(title) == []


def test_a_shared_ticker_belongs_to_the_first_token():
    assert mentioned("All about $SUI") == ["sui"]


def test_each_pair_comes_once_in_order():
    titles = pl.DataFrame({"article_id": ["b", "a"], "title": ["BTC and Bitcoin", "Solana"]})

    assert find_mentions(titles, TOKENS).rows() == [("a", "solana"), ("b", "bitcoin")]


def test_no_titles_give_no_rows():
    titles = pl.DataFrame({"article_id": [], "title": []}, schema={"article_id": pl.String, "title": pl.String})

    assert find_mentions(titles, TOKENS).columns == ["article_id", "coin_id"]
