"""The tokens of a simulated market: who they are, what they are called, how large and how lively they start.

Belongs here: identity, taxonomy and starting properties. Does not: when they live (`lifetimes.py`), how they move
(`prices.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import numpy as np

from orchestration.sandbox.categories import (
    NOISE_CATEGORIES,
    SECTOR_CATEGORIES,
    SECTOR_NAME_ENDINGS,
    SECTOR_WEIGHTS,
)
from orchestration.sandbox.settings import SimulationSettings, Stream

FULL_COVERAGE: Final = (
    "AdrActCnt",
    "CapMVRVCur",
    "CapMrktCurUSD",
    "FeeTotNtv",
    "FlowInExNtv",
    "FlowOutExNtv",
    "PriceUSD",
    "SplyCur",
    "TxCnt",
)
"""Metrics of the on-chain feed for the two tokens it covers in full, in alphabetical order as the feed lists them."""

FLOW_COVERAGE: Final = tuple(metric for metric in FULL_COVERAGE if metric != "CapMVRVCur")
CHAIN_COVERAGE: Final = tuple(metric for metric in FLOW_COVERAGE if not metric.startswith("Flow"))
PRICE_COVERAGE: Final = ("PriceUSD",)
COVERED_MAJORS: Final = 10
"""Invented tokens with on-chain data: three with flows, six without, one with its price only."""

# fmt: off
_FIRST_SYLLABLES = (
    "Ald", "Bryn", "Cald", "Dorv", "Elb", "Fenn", "Gorm", "Hesk", "Ild", "Jorv", "Kelm", "Lork", "Murn",
    "Nesk", "Orv", "Pelk", "Quen", "Rusk", "Selm", "Torv", "Ulm", "Vark", "Wend", "Yarl", "Zesk", "Ombr",
    "Skav", "Trel", "Drun", "Glav",
)
_LAST_SYLLABLES = (
    "ara", "ebo", "imi", "onda", "usk", "enta", "ovi", "irra", "ulo", "ampo", "etta", "okko", "yssa", "aldo",
)
# fmt: on
_SHARED_TICKER_RANKS = (14, -4)  # among the invented tokens by size: a known one, and an obscure namesake
_STABLE_VOLATILITY = 0.0006
_SECTOR_BETA = {"Meme": 1.25, "AI": 1.2, "Exchange": 0.8, "RWA": 0.95, "Privacy": 0.95}


@dataclass(frozen=True, kw_only=True)
class Token:
    """One simulated token, as it starts.

    Attributes:
        coin_id: CoinGecko id.
        symbol: Ticker in upper case; two tokens share one.
        categories: CoinGecko category ids, noise included.
        pegged_to: `usd`, or the coin id whose price it follows, or None.
        is_protected: Whether it lives through the whole span.
        is_fake_cap: Whether its market cap is huge and nobody trades it.
        opening_cap_usd: Market cap on its first day.
        opening_price_usd: Price on its first day.
        daily_volatility: Standard deviation of its idiosyncratic daily log return.
        beta: Loading on the market's return.
        turnover: Typical daily volume as a fraction of its market cap.
        supply_growth: Growth of the circulating supply, fraction per year.
        max_supply_tokens: Largest supply ever, None where unlimited or unknown.
        coinmetrics_metrics: Metrics of the on-chain feed, empty where it is not covered.
        opening_addresses: Active addresses on the first day, 0 without on-chain data.
    """

    coin_id: str
    symbol: str
    name: str
    sector: str
    categories: tuple[str, ...]
    is_stable: bool = False
    is_wrapped: bool = False
    pegged_to: str | None = None
    is_protected: bool = False
    is_fake_cap: bool = False
    platform: str | None = None
    genesis_date: date | None = None
    github_repo: str | None = None
    opening_cap_usd: float
    opening_price_usd: float
    daily_volatility: float
    beta: float = 1.0
    turnover: float = 0.05
    supply_growth: float = 0.02
    max_supply_tokens: float | None = None
    coinmetrics_metrics: tuple[str, ...] = ()
    opening_addresses: float = 0.0


def make_tokens(settings: SimulationSettings) -> list[Token]:
    """All tokens ever alive: eight fixed ones, then invented ones from the largest to the smallest."""
    random = settings.random(Stream.TOKENS)
    fixed = _fixed_tokens()
    count = settings.tokens - len(fixed)
    names = _distinct_names(random, count)
    tickers = _distinct_tickers(names, {token.symbol for token in fixed})
    sectors = random.choice(list(SECTOR_WEIGHTS), size=count, p=list(SECTOR_WEIGHTS.values()))
    caps = 6e10 * np.exp(-(np.linspace(0.0, math.log(6e10 / 1.5e6), count) ** 1.0) + random.normal(0.0, 0.3, count))
    caps = np.sort(caps)[::-1]
    invented = [
        _invented_token(
            random,
            settings,
            name=names[rank],
            ticker=tickers[rank],
            sector=str(sectors[rank]),
            cap_usd=float(caps[rank]),
            rank=rank,
        )
        for rank in range(count)
    ]
    known, namesake = _SHARED_TICKER_RANKS
    invented[namesake] = replace(invented[namesake], symbol=invented[known].symbol)
    return fixed + invented


def _fixed_tokens() -> list[Token]:
    """The tokens that relative features, peg detection and cleaning cannot do without."""
    return [
        Token(
            coin_id="bitcoin",
            symbol="BTC",
            name="Bitcoin",
            sector="L1",
            categories=("layer-1", "smart-contract-platform", "proof-of-work-pow", "gullhaven-capital-portfolio"),
            is_protected=True,
            genesis_date=date(2009, 1, 3),
            github_repo="https://github.com/bitcoin/bitcoin",
            opening_cap_usd=8.8e11,
            opening_price_usd=46_500.0,
            daily_volatility=0.008,
            turnover=0.035,
            supply_growth=0.015,
            max_supply_tokens=21_000_000.0,
            coinmetrics_metrics=FULL_COVERAGE,
            opening_addresses=950_000.0,
        ),
        Token(
            coin_id="ethereum",
            symbol="ETH",
            name="Ethereum",
            sector="L1",
            categories=("layer-1", "smart-contract-platform", "ethereum-ecosystem", "northsound-ventures-portfolio"),
            is_protected=True,
            genesis_date=date(2015, 7, 30),
            github_repo="https://github.com/ethereum/go-ethereum",
            opening_cap_usd=4.5e11,
            opening_price_usd=3_750.0,
            daily_volatility=0.014,
            beta=1.12,
            turnover=0.045,
            supply_growth=0.004,
            coinmetrics_metrics=FULL_COVERAGE,
            opening_addresses=600_000.0,
        ),
        _usd_stablecoin("tether", "USDT", "Tether", cap_usd=7.8e10, turnover=0.55),
        _usd_stablecoin("usd-coin", "USDC", "USD Coin", cap_usd=4.2e10, turnover=0.12),
        Token(
            coin_id="wrapped-bitcoin",
            symbol="WBTC",
            name="Wrapped Bitcoin",
            sector="Wrapped",
            categories=("wrapped-tokens", "tokenized-btc", "ethereum-ecosystem"),
            is_wrapped=True,
            pegged_to="bitcoin",
            is_protected=True,
            platform="ethereum",
            opening_cap_usd=1.2e10,
            opening_price_usd=46_500.0,
            daily_volatility=0.0012,
            turnover=0.02,
        ),
        Token(
            coin_id="moored-ether",
            symbol="MRETH",
            name="Moored Ether",
            sector="Wrapped",
            categories=("liquid-staking-tokens", "ethereum-ecosystem"),
            is_wrapped=True,
            pegged_to="ethereum",
            is_protected=True,
            platform="ethereum",
            opening_cap_usd=6e9,
            opening_price_usd=3_740.0,
            daily_volatility=0.0015,
            turnover=0.004,
        ),
        replace(
            _usd_stablecoin("harbour-dollar", "HBRD", "Harbour Dollar", cap_usd=9e8, turnover=0.15), is_protected=False
        ),
        Token(
            coin_id="grandeval-reserve",
            symbol="GRVL",
            name="Grandeval Reserve",
            sector="RWA",
            categories=("real-world-assets-rwa", "made-on-mars"),
            is_protected=True,
            is_fake_cap=True,
            platform="ethereum",
            opening_cap_usd=3e12,
            opening_price_usd=3_000.0,
            daily_volatility=0.015,
            beta=0.3,
            turnover=6.5e-12,  # some 19 USD a day
            supply_growth=0.0,
            max_supply_tokens=1_000_000_000.0,
        ),
    ]


def _usd_stablecoin(coin_id: str, symbol: str, name: str, *, cap_usd: float, turnover: float) -> Token:
    return Token(
        coin_id=coin_id,
        symbol=symbol,
        name=name,
        sector="Stablecoin",
        categories=("stablecoins", "usd-stablecoin", "ethereum-ecosystem"),
        is_stable=True,
        pegged_to="usd",
        is_protected=True,
        platform="ethereum",
        opening_cap_usd=cap_usd,
        opening_price_usd=1.0,
        daily_volatility=_STABLE_VOLATILITY,
        turnover=turnover,
        supply_growth=0.12,
    )


def _distinct_names(random: np.random.Generator, count: int) -> list[str]:
    """Invented words; beyond the 420 of two syllables a third one is added, beyond those 1,680 a fourth."""
    longest = [first + last for first in _FIRST_SYLLABLES for last in _LAST_SYLLABLES]
    words = list(longest)
    while len(words) < count:
        longest = [word + last for word in longest for last in ("ne", "ri", "tu")]
        words += longest
    return [words[index] for index in random.permutation(len(words))[:count]]


def _invented_token(
    random: np.random.Generator,
    settings: SimulationSettings,
    *,
    name: str,
    ticker: str,
    sector: str,
    cap_usd: float,
    rank: int,
) -> Token:
    metrics = _coverage(rank)
    if metrics and sector in {"Meme", "Exchange"}:
        sector = "L1"
    ending = str(random.choice(SECTOR_NAME_ENDINGS[sector]))
    # From 1.2 % a day at 60 billion to 8.3 % at 1.5 million, on a straight line in the logarithm of the cap.
    smallness = float(np.clip(math.log(6e10 / cap_usd) / math.log(6e10 / 1.5e6), 0.0, 1.05))
    volatility = (0.012 + 0.071 * smallness) * math.exp(random.normal(0.0, 0.18))
    beta = float(np.clip(random.normal(_SECTOR_BETA.get(sector, 1.1), 0.15), 0.5, 1.8))
    price = 10.0 ** random.uniform(-2.0, 2.0)
    supply = cap_usd / price
    is_platform_native = sector in {"L1", "Privacy"}
    has_max_supply = random.random() < 0.6
    ties = random.random(2)
    return Token(
        coin_id=f"{name}-{ending}".lower(),
        symbol=ticker,
        name=f"{name} {ending}",
        sector=sector,
        categories=_categories_of(random, sector),
        is_protected=bool(metrics),
        platform=None if is_platform_native else str(random.choice(["ethereum", "brinemark", "oskerra"])),
        genesis_date=settings.start - timedelta(days=int(random.integers(200, 2500))) if ties[0] < 0.5 else None,
        github_repo=f"https://github.com/{name.lower()}/{name.lower()}" if ties[1] < 0.55 else None,
        opening_cap_usd=cap_usd,
        opening_price_usd=price,
        daily_volatility=volatility,
        beta=1.0 if settings.is_null else beta,  # a loading that differs would make ranks follow the market's past
        turnover=float(np.clip(0.045 * math.exp(random.normal(0.0, 0.6)), 0.004, 0.4)),
        supply_growth=float(random.uniform(0.0, 0.15)),
        max_supply_tokens=float(f"{supply * random.uniform(1.7, 4.0):.2g}") if has_max_supply else None,
        coinmetrics_metrics=metrics,
        opening_addresses=2_000.0 * (cap_usd / 1e9) ** 0.6 * random.uniform(5.0, 20.0) if metrics else 0.0,
    )


def _coverage(rank: int) -> tuple[str, ...]:
    if rank < 3:
        return FLOW_COVERAGE
    if rank < COVERED_MAJORS - 1:
        return CHAIN_COVERAGE
    return PRICE_COVERAGE if rank == COVERED_MAJORS - 1 else ()


def _distinct_tickers(names: list[str], taken: set[str]) -> list[str]:
    """Tickers of four letters where they are free, else of more.

    None comes twice: the one ticker that two tokens share is chosen on purpose.
    """
    tickers: list[str] = []
    for name in names:
        upper = name.upper()
        candidates = [
            upper[:4],
            upper[:3] + upper[-1],
            upper[:3] + upper[-2:],
            *(upper[:n] for n in range(5, len(upper) + 1)),
            *(f"{upper}{number}" for number in range(2, 10)),  # a longer name may have taken all of a shorter one
        ]
        ticker = next(candidate for candidate in candidates if candidate not in taken)
        taken.add(ticker)
        tickers.append(ticker)
    return tickers


def _categories_of(random: np.random.Generator, sector: str) -> tuple[str, ...]:
    main, *others = SECTOR_CATEGORIES[sector]
    chosen = [main, *(other for other in others if random.random() < 0.45)]
    if sector in {"DeFi", "L2", "DePIN", "Oracle"} and random.random() < 0.4:
        chosen.append("governance")
    chosen.extend(tag for tag in NOISE_CATEGORIES if random.random() < 0.3)
    return tuple(chosen[index] for index in random.permutation(len(chosen)))
