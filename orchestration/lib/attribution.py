"""What each provider asks to be said wherever its data are shown, and whether its raw values may be passed on.

The one place of these facts; they stand in the manifest of every publication, on the report's page of data and in
docs/reference/sources.md. They are our reading of each provider's terms and no legal advice: who publishes reads them again. What
says nothing allows nothing: `not_stated` counts like `restricted`.

Belongs here: texts and terms by source. Does not: where they are shown, which tables they keep from a copy (`redistribution.py`).
"""

from orchestration.lib.manifest import Redistribution, SourceTerms


def _terms(attribution: str, redistribution: Redistribution, terms: str) -> SourceTerms:
    return SourceTerms(attribution=attribution, redistribution=redistribution, terms=terms)


def _exchange(name: str, terms: str = "Its terms restrict the redistribution of raw market data.") -> SourceTerms:
    return _terms(f"Market data of {name}.", "restricted", terms)


TERMS = {
    "alternative_me": _terms(
        "Crypto Fear & Greed Index by alternative.me (https://alternative.me/crypto/fear-and-greed-index/).",
        "with_attribution",
        "Attribution next to the data.",
    ),
    "aspie": _terms("Counts collected by sierra073/aspie.", "not_stated", "No licence stated."),
    "binance": _exchange("Binance"),
    "bitstamp": _exchange("Bitstamp"),
    "coinbase": _exchange("Coinbase", "Its market data agreement restricts redistribution."),
    "coingecko": _terms(
        "Data provided by CoinGecko (https://www.coingecko.com).",
        "restricted",
        "Attribution with a link is due; raw data may be neither resold nor redistributed.",
    ),
    "coinmarketcap": _terms("Data of CoinMarketCap.", "restricted", "Its terms restrict redistribution."),
    "coinmetrics": _terms(
        "Coin Metrics Community Data (https://coinmetrics.io/community-network-data/).",
        "non_commercial",
        "CC BY-NC 4.0: with attribution, not in commerce.",
    ),
    "defillama": _terms(
        "Data of DefiLlama (https://defillama.com).",
        "not_stated",
        "The licence of its data is not stated; ask before redistribution.",
    ),
    "defipulse": _terms("Data of DeFi Pulse (closed).", "not_stated", "No licence stated."),
    "electric_capital": _terms(
        "Crypto Ecosystems by Electric Capital (https://github.com/electric-capital/crypto-ecosystems).",
        "with_attribution",
        "CC BY 4.0.",
    ),
    "fred": _terms(
        "FRED, Federal Reserve Bank of St. Louis (https://fred.stlouisfed.org).",
        "restricted",
        "FRED is to be cited; some series, the VIX among them, carry third-party copyright, and all of them stand in one table.",
    ),
    "gate": _exchange("Gate"),
    "gdelt": _terms(
        "The GDELT Project (https://www.gdeltproject.org).",
        "with_attribution",
        "Any use, with its name and a link.",
    ),
    "geckoterminal": _terms(
        "On-chain data provided by GeckoTerminal (https://www.geckoterminal.com).",
        "not_stated",
        "Attribution with a link is due; nothing is said of redistribution.",
    ),
    "github": _terms(
        "Repository counts of the GitHub REST API (https://docs.github.com/rest).",
        "with_attribution",
        "Only counts of public repositories are kept, nothing of persons.",
    ),
    "kraken": _exchange("Kraken"),
    "kucoin": _exchange("KuCoin"),
    "lbma": _terms(
        "LBMA precious metal prices.", "restricted", "Their use needs a licence of ICE Benchmark Administration."
    ),
    "okx": _exchange("OKX"),
    "published_indices": _terms(
        "Levels of CCI30, CRIX, BGCI, BITWISE10, HODL5, F5, NCI, DPI and MVI.",
        "restricted",
        "They belong to their providers.",
    ),
    "reddit": _terms(
        "Counts and titles of posts of the Reddit API.",
        "restricted",
        "Titles are for scoring only; commercial use needs a contract with Reddit.",
    ),
    "rss": _terms(
        "Headlines with links to CoinDesk, Cointelegraph and Decrypt.",
        "restricted",
        "The articles are their publishers'.",
    ),
    "twitter": _terms(
        "Counts of tweets of the CrypTop12 data set; cite its paper (ICMLA 2021).", "not_stated", "No licence stated."
    ),
    "yahoo": _terms("Data of Yahoo Finance.", "restricted", "Its terms restrict redistribution."),
}
ATTRIBUTION = {source: f"{terms.attribution} {terms.terms}" for source, terms in TERMS.items()}
"""Attribution and terms as one text."""
