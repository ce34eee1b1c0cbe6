"""The answer: never the best in hindsight alone, with how much of it is luck, in words that follow from the figures."""

import datetime as dt
import json

import numpy as np
import pytest

from models_ml.optimiser.answer import Counts, blocks_for, judge, optimise, wilson
from models_ml.optimiser.errors import TooLittleHistoryError
from models_ml.optimiser.goals import Goal
from models_ml.optimiser.page import VARIANT_SCHEMA, page, variants_table, verdict
from models_ml.optimiser.search import Search

VARIANTS = 60
DAYS = 1100


@pytest.fixture
def judged(definition_of):
    """Judges levels that are made from returns: noise, unless a variant has a daily drift of its own."""

    def make(*, drifts=None, goal=None, seed=1, spikes=None):
        generator = np.random.default_rng(seed)
        common = generator.normal(0.001, 0.02, DAYS)
        returns = common + generator.normal(0, 0.01, (VARIANTS, DAYS))
        for position, drift in (drifts or {}).items():
            returns[position] += drift
        for position, (day, jump) in (spikes or {}).items():
            returns[position, day] += jump
        levels = np.hstack([np.ones((VARIANTS, 1)), np.cumprod(1 + returns, axis=1)])
        days = [dt.date(2021, 1, 4) + dt.timedelta(days=offset) for offset in range(DAYS + 1)]
        return judge(
            tuple(definition_of(index_id=f"v{number}") for number in range(VARIANTS)),
            tuple({"selection.count": 8 + number} for number in range(VARIANTS)),
            Counts(VARIANTS, 3, 2, 1, 0, VARIANTS, "count 1: too few"),
            levels,
            days,
            turnover=np.full(VARIANTS, 6.0),
            goal=goal or Goal(),
            cost_bps=20,
        )

    return make


def test_a_variant_that_is_better_is_chosen_and_the_page_says_it_is_no_luck(judged):
    answer = judged(drifts={17: 0.003})

    assert (answer.chosen, answer.best) == (17, 17)
    assert answer.best_overfitting.probability < 0.05
    assert answer.chosen_beats_as_is > 0.95
    assert answer.deflated_excess[17].probability > 0.99
    told = " ".join(verdict(answer))
    assert "tended to stay the better ones" in told
    assert "no reason to leave" not in told


def test_one_lucky_week_makes_the_best_of_all_days_but_not_the_answer(judged):
    quiet = {23: 0.001}
    answer = judged(drifts=quiet, spikes={40: (500, 4.0)}, goal=Goal(rank_by="annual_return"))

    assert answer.best == 40
    assert answer.chosen == 23


def test_among_equals_the_answer_is_that_the_past_says_nothing(judged):
    probabilities = [judged(seed=seed).best_overfitting.probability for seed in range(5)]

    assert np.mean(probabilities) == pytest.approx(0.5, abs=0.15)
    answer = judged(seed=int(np.argmax(probabilities)))
    assert "worth nothing" in " ".join(verdict(answer))
    assert answer.deflated_excess[answer.best].probability < 0.9


def test_a_goal_that_nothing_meets_is_said_so(judged):
    answer = judged(goal=Goal(annual_return=3.0, max_drawdown=0.02))

    assert not answer.met.any()
    assert verdict(answer)[0].startswith("No variant met the goal (at least 300% a year and no drawdown above 2%")
    assert answer.often_met[answer.chosen].share == 0
    assert 0.3 < answer.often_met[answer.chosen].high < 0.7  # three years that do not overlap do not rule it out
    assert "in 0% of 25 stretches" in verdict(answer)[1]


def test_the_page_and_the_table_hold_what_was_found(judged):
    answer = judged(drifts={17: 0.003}, goal=Goal(max_drawdown=0.3))

    text, table = page(answer, index_id="best8", name="Best 8"), variants_table(answer)

    assert dict(table.schema) == VARIANT_SCHEMA
    assert table.height == VARIANTS
    assert table.filter("is_chosen")["variant"].to_list() == [17]
    assert table["variant"][0] == 17
    assert json.loads(table.filter("is_as_it_is")["choices"][0]) == {"selection.count": 8}
    assert "60 variants of `best8` from 2021-01-04 to 2024-01-09, after 20 basis points" in text
    assert "walk-forward" in text
    assert f"| variant {answer.by_drawdown[0]} |" in text
    assert "nan" not in text.lower()


@pytest.mark.parametrize(("days", "blocks"), [(2000, 12), (300, 10), (112, 4), (166, 4)])
def test_history_is_cut_into_as_many_blocks_as_are_long_enough(days, blocks):
    assert blocks_for(days) == blocks


def test_less_than_four_blocks_of_history_is_refused():
    with pytest.raises(TooLittleHistoryError, match="run the index for 12 more days"):
        blocks_for(100)


def test_the_interval_of_a_share_equals_a_published_one():
    # Brown, Cai, DasGupta 2001, Statistical Science 16(2): Wilson's interval for 0 of 10 ends at z^2 / (10 + z^2) = 0.278.
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.27753), abs=1e-4)
    assert wilson(0.5, 20) == pytest.approx((0.2993, 0.7007), abs=1e-4)


def test_a_search_on_a_market_leaves_out_what_cannot_be_compared(market_of, definition_of, mondays):
    search = Search(
        vary={"selection.count": [6, 8, 10], "weighting.cap": [0.2, 0.5, 1.0], "universe.sector": [None, "nowhere"]}
    )

    answer = optimise(
        definition_of(), market_of(seed=1, weeks=28), mondays(28), search=search, goal=Goal(), cost_bps=30
    )

    counts = answer.counts
    assert counts.late == 9  # no token is in that sector
    assert counts.expanded == counts.compared + counts.late + counts.alike
    assert len(answer.definitions) == counts.compared
    assert np.isfinite(answer.figures.sharpe).all()
    assert answer.definitions[0] == definition_of()


def test_a_definition_that_never_starts_is_refused(market_of, definition_of, mondays):
    definition = definition_of(universe={"sector": "nowhere"})

    with pytest.raises(TooLittleHistoryError, match="never finds enough constituents"):
        optimise(
            definition,
            market_of(seed=1, weeks=28),
            mondays(28),
            search=Search(vary={"selection.count": [6, 8, 10]}),
            goal=Goal(),
            cost_bps=0,
        )
