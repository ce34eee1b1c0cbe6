"""The rationale: sentences whose numbers are columns of the row."""

import polars as pl

from models_ml.screens.moonshots import MoonshotSettings, screen_moonshots
from models_ml.screens.plan import PlanSettings, plan_picks
from models_ml.screens.rationale import rationale
from tests.unit.models_ml.screens.snapshots import snapshot, token

ODDS = {
    "base_rate_2x_90d": 0.18,
    "base_rate_3x_90d": 0.07,
    "base_rate_half_90d": 0.31,
    "base_rate_observations": 1234,
    "cap_bucket": "20m_to_50m",
}


def words(*tokens, odds=ODDS):
    picks = screen_moonshots(snapshot(*tokens), settings=MoonshotSettings())
    picks = picks.with_columns(atr_14d=pl.lit(0.1), average_move_14d=pl.lit(0.1))
    row = plan_picks(picks, PlanSettings()).row(0, named=True)
    return rationale(row | odds)


def test_a_pick_of_a_week_with_chances_says_why_what_is_against_it_and_its_odds():
    text = words(
        token(
            p_2x_90d=0.214, p_3x_90d=0.081, trader_grade=61.2, other_warnings="single_exchange", excluding_warnings=""
        ),
        token("other", p_2x_90d=0.1),
    )

    assert text == (
        "Ranked 1 of 2 candidates by the model's chance of doubling within 90 days, 21 %, of tripling 8.1 %; 6 of 7 known items speak for "
        "it: momentum 92 of 100, +15 in a week, its sector DeFi rose 3 places in a week and draws volume (sectors are known in hindsight), "
        "a growing community, volume 2.0 times its usual with the price up 30 % in a week, called bullish at 5 of the last 7 closes, newly "
        "listed (2024-02-20). "
        "Against it: Trader Grade only 61; warned of: single exchange. Not known: developers, large holders, unlocks. "
        "Of 1,234 earlier weeks of tokens of its size and volatility 18 % doubled within 90 days and 31 % lost half, with no stop set."
    )


def test_a_week_without_chances_says_that_the_checklist_ranked_it():
    text = words(token())

    assert text.startswith(
        "Ranked 1 of 1 candidate by the checklist's score of 80, as the week has no model of the chance of doubling;"
    )


def test_a_pick_without_odds_and_without_anything_for_it_says_so():
    weak = token(
        p_2x_90d=0.2,
        trader_grade=10.0,
        momentum_score=5.0,
        sector_rank_gain_7d=-1,
        active_addresses_growth_30d=-0.2,
        return_7d=-0.2,
        bullish_closes_7d=0,
        exchange_listed_at=None,
        cliff_unlock_30d_share=0.05,
        linear_unlock_30d_share=0.01,
    )

    text = words(weak, odds=dict.fromkeys(ODDS))

    assert "20 %; no item of the checklist speaks for it." in text
    assert "6.0 % of its supply unlocks within 30 days (5.0 % at once)" in text
    assert "price down 20 % in a week" in text
    assert text.endswith(
        "No odds yet: too few tokens of its volatility have been followed for 90 days before this week."
    )


def test_odds_of_every_size_say_so():
    assert "Of 1,234 earlier weeks of tokens of its volatility, of every size, 18 % doubled" in words(
        token(), odds=ODDS | {"cap_bucket": "all"}
    )
