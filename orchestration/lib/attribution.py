"""What each provider asks to be said wherever its data are shown; it stands in the manifest.

Belongs here: texts and terms by source. Does not: where they are shown.
"""

ATTRIBUTION = {
    "coingecko": "Data provided by CoinGecko (https://www.coingecko.com). Raw data may not be resold.",
    "binance": "Market data of Binance; its terms restrict the redistribution of raw data.",
    "coinbase": "Market data of Coinbase; its market data agreement restricts redistribution.",
    "coinmarketcap": "Data of CoinMarketCap; its terms restrict redistribution.",
    "coinmetrics": "Coin Metrics Community Data, CC BY-NC 4.0 (https://coinmetrics.io/community-network-data/).",
    "alternative_me": "Crypto Fear & Greed Index by alternative.me (https://alternative.me/crypto/fear-and-greed-index/).",
}
