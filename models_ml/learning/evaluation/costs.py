"""What trading costs: a linear model by liquidity.

Belongs here: the cost of one traded USD of a token. Does not: how much is traded (`performance.py`), an index's own costs (its YAML).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class CostModel:
    """So many basis points of every traded USD, by the liquidity bucket of the token, whatever the size of the order.

    The default is an assumption, fees and half the spread of a small order; it is a setting and no measurement.

    Attributes:
        buckets: (median daily volume in USD a bucket begins at, basis points a side), ascending from a volume of 0.

    Raises:
        ValueError: A volume has no bucket, or a cost is negative.
    """

    buckets: tuple[tuple[float, float], ...] = ((0.0, 120.0), (5e5, 60.0), (5e6, 30.0), (5e7, 10.0))

    def __post_init__(self) -> None:
        """Refuse buckets that leave a volume without a cost."""
        edges = [edge for edge, _ in self.buckets]
        if not edges or edges[0] != 0 or edges != sorted(set(edges)):
            raise ValueError(f"cost buckets begin at the volumes {edges}; they must ascend, and the first begin at 0")
        if min(bps for _, bps in self.buckets) < 0:
            raise ValueError(f"cost buckets {self.buckets} hold a negative cost; give basis points of at least 0")

    def fraction(self, volume: str) -> pl.Expr:
        """Cost of trading one USD, as a fraction; an unknown volume costs what the least liquid bucket does.

        Args:
            volume: Column with the median daily volume in USD, nullable.
        """
        known = pl.col(volume).fill_null(0.0)
        cost = pl.lit(self.buckets[0][1])
        for edge, bps in self.buckets[1:]:  # ascending, so the highest edge below the volume wins
            cost = pl.when(known >= edge).then(pl.lit(bps)).otherwise(cost)
        return cost / 10_000
