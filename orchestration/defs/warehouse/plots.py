"""Plots that the UI shows beside tables of the market.

Belongs here: which columns of which table a plot shows. Does not: drawing (`orchestration/lib/metadata.py`).
"""

from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

import dagster as dg

from orchestration.lib.metadata import lines_plot

BILLION = 1e9
SECTORS_SHOWN = 8
"""Lines that can still be told apart."""


def bitcoin_plot(connection: Any, data_source: str) -> dg.MarkdownMetadataValue:
    """Bitcoin with its average."""
    rows = connection.execute(
        "select market_date, btc_price_usd, btc_sma_200d_usd from marts.feat_market_daily order by market_date"
    ).pl()
    days = rows["market_date"].to_list()
    return lines_plot(
        {
            "bitcoin, USD": (days, rows["btc_price_usd"].to_list()),
            "200-day average": (days, rows["btc_sma_200d_usd"].to_list()),
        },
        title="Bitcoin and its 200-day average",
        unit="USD, log scale",
        data_source=data_source,
        is_log=True,
    )


def market_plot(connection: Any, data_source: str) -> dg.MarkdownMetadataValue:
    """Market cap of all tokens, of those but bitcoin and stablecoins, and of stablecoins, each from a billion USD on."""
    rows = connection.execute(
        f"""select market_date, market_cap_usd / {BILLION} as total,
            case when altcoin_market_cap_usd >= {BILLION} then altcoin_market_cap_usd / {BILLION} end as altcoins,
            case when stablecoin_market_cap_usd >= {BILLION} then stablecoin_market_cap_usd / {BILLION} end as stablecoins
        from marts.fct_market_daily order by market_date"""
    ).pl()
    days = rows["market_date"].to_list()
    return lines_plot(
        {
            "all tokens": (days, rows["total"].to_list()),
            "without bitcoin and stablecoins": (days, rows["altcoins"].to_list()),
            "stablecoins": (days, rows["stablecoins"].to_list()),
        },
        title="Market cap",
        unit="billion USD, log scale",
        data_source=data_source,
        is_log=True,
    )


def dominance_plot(connection: Any, data_source: str) -> dg.MarkdownMetadataValue:
    """Shares of bitcoin, ether and stablecoins in the market cap."""
    rows = connection.execute(
        """select market_date, 100 * btc_dominance as btc, 100 * eth_dominance as eth, 100 * stablecoin_share as stablecoins
        from marts.fct_market_daily order by market_date"""
    ).pl()
    days = rows["market_date"].to_list()
    return lines_plot(
        {
            "bitcoin": (days, rows["btc"].to_list()),
            "ether": (days, rows["eth"].to_list()),
            "stablecoins": (days, rows["stablecoins"].to_list()),
        },
        title="Dominance",
        unit="% of the market cap",
        data_source=data_source,
    )


def sector_levels(connection: Any) -> dict[str, tuple[list[date], list[float]]]:
    """Index levels of the last year by sector, 100 at its beginning: the largest sectors with a return, the best of the year first."""
    rows = connection.execute(
        f"""with year as (
            select sector, market_date, return_1d, index_level, market_cap_usd,
                first_value(index_level) over days as first_level
            from marts.fct_sectors_daily
            where market_date > (select max(market_date) - 365 from marts.fct_sectors_daily)
            window days as (partition by sector order by market_date rows between unbounded preceding and current row)
        ),
        shown as (
            select sector, max_by(index_level / first_level, market_date) as gain from year
            group by sector having count(return_1d) > 0
            order by max_by(market_cap_usd, market_date) desc nulls last, sector limit {SECTORS_SHOWN}
        )
        select year.sector, year.market_date, 100 * year.index_level / year.first_level as level
        from year inner join shown on year.sector = shown.sector order by shown.gain desc, year.sector, year.market_date"""
    ).pl()
    return {
        str(part["sector"][0]): (part["market_date"].to_list(), part["level"].to_list())
        for part in rows.partition_by("sector", maintain_order=True)
    }


def sectors_plot(connection: Any, data_source: str) -> dg.MarkdownMetadataValue:
    """Sector indices of the last year."""
    return lines_plot(
        sector_levels(connection), title="Sectors over a year", unit="index, 100 a year ago", data_source=data_source
    )


PLOTS: Mapping[str, Mapping[str, Callable[[Any, str], dg.MarkdownMetadataValue]]] = MappingProxyType(
    {
        "feat_market_daily": {"plot": bitcoin_plot},
        "fct_market_daily": {"plot": market_plot, "dominance": dominance_plot},
        "fct_sectors_daily": {"plot": sectors_plot},
    }
)
"""By table, then by the name the UI shows the plot under."""
