"""What each provider asks to be said wherever its data are shown; it stands in the manifest and in docs/reference/sources.md.

Belongs here: texts and terms by source. Does not: where they are shown.
"""

_EXCHANGE = "its terms restrict the redistribution of raw market data."

ATTRIBUTION = {
    "alternative_me": "Crypto Fear & Greed Index by alternative.me (https://alternative.me/crypto/fear-and-greed-index/).",
    "aspie": "Counts collected by sierra073/aspie; no licence stated.",
    "binance": f"Market data of Binance; {_EXCHANGE}",
    "bitstamp": f"Market data of Bitstamp; {_EXCHANGE}",
    "coinbase": "Market data of Coinbase; its market data agreement restricts redistribution.",
    "coingecko": "Data provided by CoinGecko (https://www.coingecko.com). Raw data may not be resold.",
    "coinmarketcap": "Data of CoinMarketCap; its terms restrict redistribution.",
    "coinmetrics": "Coin Metrics Community Data, CC BY-NC 4.0 (https://coinmetrics.io/community-network-data/).",
    "defillama": "Data of DefiLlama (https://defillama.com); its licence is not stated, ask before redistribution.",
    "defipulse": "Data of DeFi Pulse (closed); no licence stated.",
    "electric_capital": "Crypto Ecosystems by Electric Capital, CC BY 4.0 (https://github.com/electric-capital/crypto-ecosystems).",
    "fred": "FRED, Federal Reserve Bank of St. Louis (https://fred.stlouisfed.org); some series carry third-party copyright.",
    "gate": f"Market data of Gate; {_EXCHANGE}",
    "gdelt": "The GDELT Project (https://www.gdeltproject.org).",
    "geckoterminal": "DEX data by GeckoTerminal (https://www.geckoterminal.com).",
    "github": "Repository counts of the GitHub REST API (https://docs.github.com/rest).",
    "kraken": f"Market data of Kraken; {_EXCHANGE}",
    "kucoin": f"Market data of KuCoin; {_EXCHANGE}",
    "lbma": "LBMA precious metal prices; their use needs a licence of ICE Benchmark Administration.",
    "okx": f"Market data of OKX; {_EXCHANGE}",
    "published_indices": "Levels of CCI30, CRIX, BGCI, BITWISE10, HODL5, F5, NCI, DPI and MVI; they belong to their providers.",
    "reddit": "Counts and titles of posts of the Reddit API, the titles for scoring only; commercial use needs a contract with Reddit.",
    "rss": "Headlines with links to CoinDesk, Cointelegraph and Decrypt; the articles are theirs.",
    "twitter": "Counts of tweets of the CrypTop12 data set; cite its paper (ICMLA 2021).",
    "yahoo": "Data of Yahoo Finance; its terms restrict redistribution.",
}
