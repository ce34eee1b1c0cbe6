"""What is true of the exchanges: at which price a token trades on which of them.

Every exchange trades the one simulated price, times a small basis of its own. All of it is drawn by address
(`draws.py`) from the market's seed, so that nothing is kept for all tokens and days; Binance keeps the listings, prices
and volumes of `served.py`, bit for bit.

Belongs here: candles, last prices, outliers. Does not: listings (`exchange_listings.py`), order books
(`exchange_books.py`), perpetuals (`exchange_perpetuals.py`), wire formats (`routes_*.py`).

Defects on purpose, listed by `ExchangeMarkets.defects_of`, none for the tokens of `defects.SPARED`:

- outlier: a day's close, and with it the high or the low, is 15 to 75 % off, on one exchange of the six at a time;
  as often as Binance has bad ticks (`DefectRates.candle_bad_ticks`, 15 per 100,000 token-days, of which those strike
  that fall on an exchange that lists the token), at least 40 days after the listing.
- gap: a day without a candle; `DefectRates.candle_gaps`, 25 per 100,000 days of a listing.
- delisting: a share of each venue's listings ends before the token does (`Venue.delisted_share`), whatever the
  token's price does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.defects import SPARED
from orchestration.sandbox.draws import normal, uniform
from orchestration.sandbox.exchange_listings import BINANCE, VENUES, Listing, Venue, list_tokens
from orchestration.sandbox.served import ServedMarket

Floats = NDArray[np.float64]
Days = NDArray[np.int64]

_QUIET_START_DAYS = 40
_VOLUME_DAYS = 7

# What is drawn; each has its own stream, those before 7 are in `exchange_listings.py`.
_LASTING_BASIS, _DAILY_BASIS, _DAILY_VOLUME, _GAP = 7, 8, 9, 10
_OUTLIER, _OUTLIER_VENUE, _OUTLIER_SIZE = 11, 12, 13


@dataclass(frozen=True)
class Defect:
    """One wrong candle: `kind` is outlier or gap; `factor` is what the close was multiplied by, 0 for a gap."""

    kind: Literal["outlier", "gap"]
    index: int
    day: int
    factor: float


@dataclass(frozen=True)
class Quotation:
    """A listing now, in the exchange's quote.

    Attributes:
        last: Last price.
        opened: Price 24 hours before; the last price where there was none.
        base_volume: Traded in the last 24 hours, tokens.
        quote_volume: The same in the quote.
    """

    last: float
    opened: float
    high: float
    low: float
    base_volume: float
    quote_volume: float

    def bid_ask(self) -> tuple[float, float]:
        """Best prices at the spread that is usual for the volume."""
        half = usual_spread(self.quote_volume) / 2.0
        return self.last * (1.0 - half), self.last * (1.0 + half)


class ExchangeMarkets:
    """One exchange as of the served market's clock. Cheap to make: listings are drawn when first asked for."""

    def __init__(self, served: ServedMarket, venue: Venue) -> None:
        """Look at a served market with the eyes of one exchange."""
        self.served = served
        self.venue = venue
        self.seed = served.market.settings.seed

    # -- who -------------------------------------------------------------------------------------------------------

    @cached_property
    def listings(self) -> list[Listing]:
        """Every listing ever, the largest token first; one at a time for a ticker."""
        return list_tokens(self.served, self.venue)

    @cached_property
    def _by_base(self) -> dict[str, list[Listing]]:
        grouped: dict[str, list[Listing]] = {}
        for listing in self.listings:
            grouped.setdefault(listing.base, []).append(listing)
        return grouped

    def find(self, base: str) -> Listing | None:
        """Who goes, or last went, by a ticker by now; None where nobody has."""
        today = self.served.today()
        return next((each for each in reversed(self._by_base.get(base, [])) if each.first_day <= today), None)

    def visible(self) -> list[Listing]:
        """Who goes or last went by each ticker, those that ended included."""
        found = (self.find(base) for base in self._by_base)
        return [listing for listing in found if listing is not None]

    def is_trading(self, listing: Listing) -> bool:
        """Whether it trades now."""
        return listing.first_day <= self.served.today() <= listing.last_day

    def trading(self) -> list[Listing]:
        """Listings that trade now."""
        return [listing for listing in self.listings if self.is_trading(listing)]

    # -- prices ----------------------------------------------------------------------------------------------------

    def candles(self, listing: Listing) -> tuple[Days, Floats]:
        """Closed days and the unfinished one, in the exchange's quote, oldest first.

        Returns:
            Day numbers, and rows of open, high, low, close and base volume. The newest day is today's while it trades.
            Where a ticker was another token's before, that token's candles come first, as the exchanges keep them.
        """
        today = self.served.today()
        if listing.earlier is not None:
            days_before, rows_before = self.candles(listing.earlier)
            days, rows = self.candles(replace(listing, earlier=None))
            return np.append(days_before, days), np.vstack([rows_before, rows])
        days = np.arange(listing.first_day, max(min(listing.last_day + 1, today), listing.first_day))
        rows = self._closed_rows(listing, days)
        kept = ~self._is_gap(listing, days)
        days, rows = days[kept], rows[kept]
        factor = self._outlier_factor(listing, days)
        rows[:, 3] *= factor
        rows[:, 1] = np.maximum(rows[:, 1], rows[:, 3])
        rows[:, 2] = np.minimum(rows[:, 2], rows[:, 3])
        unfinished = self._unfinished_row(listing)
        if unfinished is None:
            return days, rows
        return np.append(days, today), np.vstack([rows, unfinished])

    def quotations(self, listings: list[Listing]) -> list[Quotation]:
        """Last prices and rolling 24 hours of listings that trade now."""
        moment = self.served.moment()
        index = np.array([listing.index for listing in listings], dtype=np.int64)
        share = np.array([listing.share for listing in listings])
        today = self.served.today()
        rate = 1.0 if self.venue.quote == "USD" else float(moment.price[self.served.index_of["tether"]])
        basis, basis_before = self.basis(index, share, today), self.basis(index, share, today - 1)
        last = moment.price[index] * basis / rate
        before = moment.price_day_ago[index] * basis_before / rate
        opened = np.where(np.isnan(before), last, before)
        high = np.maximum(moment.high[index] * basis / rate, np.maximum(last, opened))
        low = np.minimum(moment.low[index] * basis / rate, np.minimum(last, opened))
        quote_volume = share * moment.volume[index] / rate
        columns = (last, opened, high, low, quote_volume / last, quote_volume)
        return [Quotation(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]

    def turnover_usd(self, listing: Listing) -> float:
        """Mean daily turnover of the exchange's last seven closed days, USD; what liquidity follows from."""
        today = min(self.served.today(), listing.last_day + 1)
        days = np.arange(max(listing.first_day, today - _VOLUME_DAYS), today)
        if not days.size:
            token = self.served.market.members[listing.index]
            return float(listing.share * token.opening_cap_usd * token.turnover)
        return float(listing.share * np.mean(self._panel_rows(listing.index, days)[:, 4]))

    def basis(self, index: int | Days, share: float | Floats, day: int | Days) -> Floats:
        """What the exchange's price is of the common one: 1 on average, some basis points off, more where thin.

        Binance trades the common price itself. Elsewhere the lasting part has a standard deviation of 1 basis point, the
        daily part one of 1.5 to 12.
        """
        if self.venue is BINANCE:
            return np.ones(np.broadcast(index, day).shape)
        size, turnover = self._sizes
        typical = np.maximum(share * size[index] * turnover[index], 1.0)
        daily = np.clip(2.0 * (1e8 / typical) ** 0.2, 1.5, 12.0)
        lasting = normal(self.seed, _LASTING_BASIS, self.venue.number, index)
        points = lasting + daily * normal(self.seed, _DAILY_BASIS, self.venue.number, index, day)
        return np.asarray(np.exp(points * 1e-4))

    def defects_of(self, listing: Listing) -> Iterator[Defect]:
        """Every wrong candle of a listing, from its first to its last day, whatever the clock says."""
        days = np.arange(listing.first_day, listing.last_day + 1)
        is_gap = self._is_gap(listing, days)
        factor = self._outlier_factor(listing, days)
        for day in days[is_gap].tolist():
            yield Defect("gap", listing.index, day, 0.0)
        for position in np.flatnonzero((factor != 1.0) & ~is_gap).tolist():
            yield Defect("outlier", listing.index, int(days[position]), float(factor[position]))

    # -- the common price ------------------------------------------------------------------------------------------

    def _panel_rows(self, index: int, days: Days) -> Floats:
        """True open, high, low, close in USD, volume in USD and market cap of some days of one token."""
        token = self.served.market.panel.token(index)
        return np.column_stack(
            [values[days] for values in (token.open, token.high, token.low, token.close, token.volume, token.cap)]
        )

    def closes_and_caps(self, listing: Listing, days: Days) -> tuple[Floats, Floats]:
        """True closes and market caps of closed days, USD; what funding and open interest follow."""
        rows = self._panel_rows(listing.index, days)
        return rows[:, 3], rows[:, 5]

    def _rate(self, days: Days) -> Floats:
        """USD per unit of the quote at the close of some days."""
        if self.venue.quote == "USD":
            return np.ones(len(days))
        return np.asarray(self.served.market.panel.usdt_rate[np.maximum(days, 0)])

    def _last_price(self, listing: Listing, today: int) -> float:
        """The `last` of `quotations`, without asking for all tokens."""
        fraction = self.served.clock.day_fraction
        price = float(self.served.prices_within(today, fraction, listing.index))
        basis = float(self.basis(listing.index, listing.share, today))
        if self.venue.quote == "USD":
            return price * basis
        return price * basis / float(self.served.prices_within(today, fraction, self.served.index_of["tether"]))

    def _closed_rows(self, listing: Listing, days: Days) -> Floats:
        true = self._panel_rows(listing.index, days)
        basis, basis_before = (self.basis(listing.index, listing.share, days - back) for back in (0, 1))
        rate, rate_before = self._rate(days), self._rate(days - 1)
        open_, close = true[:, 0] * basis_before / rate_before, true[:, 3] * basis / rate
        high = np.maximum(true[:, 1] * basis / rate, np.maximum(open_, close))
        low = np.minimum(true[:, 2] * basis / rate, np.minimum(open_, close))
        traded = listing.share * np.exp(0.15 * self._noise(_DAILY_VOLUME, listing, days))
        return np.column_stack([open_, high, low, close, traded * true[:, 4] / true[:, 3]])

    def _unfinished_row(self, listing: Listing) -> Floats | None:
        """Today's candle so far; its close is the last price of the ticker."""
        today = self.served.today()
        # Past the market's last day everything stands still and no new candle begins.
        if not self.is_trading(listing) or today >= self.served.market.settings.day_count:
            return None
        day = np.array([today])
        opened, _, _, _, traded = self._closed_rows(listing, day)[0]
        last = self._last_price(listing, today)
        fraction = self.served.clock.day_fraction
        return np.array([opened, max(opened, last), min(opened, last), last, fraction * traded])

    # -- draws -----------------------------------------------------------------------------------------------------

    def _noise(self, what: int, listing: Listing, days: Days) -> Floats:
        return normal(self.seed, what, self.venue.number, listing.index, days)

    def _is_gap(self, listing: Listing, days: Days) -> NDArray[np.bool_]:
        rate = self.served.market.settings.defects.candle_gaps / 100_000
        draws = uniform(self.seed, _GAP, self.venue.number, listing.index, days)
        return np.asarray((draws < rate) & self._can_err(listing, days))

    def _outlier_factor(self, listing: Listing, days: Days) -> Floats:
        rate = self.served.market.settings.defects.candle_bad_ticks / 100_000
        # The token's day is struck first and its exchange chosen then, so that never two are wrong on one day.
        strikes = uniform(self.seed, _OUTLIER, listing.index, days) < rate
        venue = 1 + (uniform(self.seed, _OUTLIER_VENUE, listing.index, days) * (len(VENUES) - 1)).astype(np.int64)
        size = 2.0 * uniform(self.seed, _OUTLIER_SIZE, listing.index, days) - 1.0
        factor = 1.0 + np.sign(size) * (0.15 + 0.60 * np.abs(size))
        return np.where(strikes & (venue == self.venue.number) & self._can_err(listing, days), factor, 1.0)

    def _can_err(self, listing: Listing, days: Days) -> NDArray[np.bool_]:
        is_spared = self.served.market.members[listing.index].coin_id in SPARED or self.venue is BINANCE
        return np.asarray((days >= listing.first_day + _QUIET_START_DAYS) & (not is_spared))

    @cached_property
    def _sizes(self) -> tuple[Floats, Floats]:
        """Market cap on the first day and daily turnover as a part of it, one per token."""
        members = self.served.market.members
        return (
            np.array([token.opening_cap_usd for token in members]),
            np.array([token.turnover for token in members]),
        )


def usual_spread(turnover: float) -> float:
    """Spread of a market by its daily turnover in USD, as a fraction of the price, 0.00002 to 0.03.

    Two basis points at 100 million USD a day, falling with the power 0.35 [K: orders of magnitude, not a fit].
    """
    return min(max(2e-4 * (1e8 / max(turnover, 1.0)) ** 0.35, 2e-5), 0.03)
