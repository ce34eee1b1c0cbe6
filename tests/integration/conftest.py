"""What a run that knew less must say the same about, view by view of the SQL interface."""

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Compared:
    """How a view of `api` is compared between two folders.

    Attributes:
        known_in: SQL of the week from which on a row is known.
        key: Columns that must be the same rows.
        values: Columns that must be equal to 1e-9.
        where: SQL of the rows to compare.
    """

    known_in: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    where: str = "true"

    def rows(self, tidemark, view, week):
        columns = ", ".join((*self.key, *self.values))
        return tidemark.query(
            f"select {columns} from api.{view} where {self.known_in} <= ? and {self.where} order by {', '.join(self.key)}",
            week,
        )


WEEK_AND_TOKEN = ("as_of_week", "token_id")
EVALUATED_IN = "as_of_week + case when model = 'investor' or ends_with(model, '_90d') then 91 else 21 end"
VIEWS = {
    "trader_grades": Compared("as_of_week", WEEK_AND_TOKEN, ("trader_grade", "trader_rank", "score", "coverage")),
    "trading_signals": Compared("as_of_week", WEEK_AND_TOKEN, ("signal", "p_bullish", "p_neutral", "p_bearish")),
    "bull_bear": Compared("as_of_week", ("as_of_week",), ("bullish_share", "bearish_share", "tokens")),
    "index_compositions": Compared("as_of_week", (*WEEK_AND_TOKEN, "index_id"), ("weight", "weight_change")),
    "index_rebalances": Compared("effective_at::date", ("index_id", "effective_at", "token_id"), ("target_weight",)),
    "index_levels": Compared("date + 1", ("index_id", "date"), ("level",)),
    "moonshots": Compared("as_of_week", WEEK_AND_TOKEN, ("rank", "score", "checks_true", "checks_known")),
    "base_rates": Compared(
        "as_of_week",
        ("as_of_week", "cap_bucket", "volatility_bucket", "outcome", "horizon_days"),
        ("observations", "hits", "share", "share_low", "share_high", "touched_share", "stopped_share"),
    ),
    "moonshot_chances": Compared("as_of_week", WEEK_AND_TOKEN, ("p_2x_90d", "p_3x_90d", "volatility_quintile")),
    "model_monitor": Compared("as_of_week", ("as_of_week", "model", "metric"), ("value",)),
    "confidence": Compared(
        "as_of_week", WEEK_AND_TOKEN, ("trader_confidence", "investor_confidence", "calls_confidence")
    ),
    # Sectors rest on undated lists, and few of the test market have the twenty tokens that are ranked.
    "model_evaluation": Compared(
        EVALUATED_IN, ("as_of_week", "model", "universe", "metric"), ("value",), where="not is_hindsight"
    ),
}


@pytest.fixture(params=sorted(VIEWS))
def compared_view(request):
    """Every view that is compared, by name."""
    return request.param


@pytest.fixture(scope="session")
def hold_equal():
    """Holds that two folders say the same in a view about all that was known by a week."""

    def hold(full, truncated, *, view, week):
        compared = VIEWS[view]
        expected, found = compared.rows(full, view, week), compared.rows(truncated, view, week)
        assert found.height > 0
        assert found.select(compared.key).equals(expected.select(compared.key))
        for value in compared.values:
            assert found[value].is_null().equals(expected[value].is_null()), value
            assert ((found[value] - expected[value]).abs().max() or 0) <= 1e-9, value

    return hold
