"""Walk-forward: when a history can be learnt from, what a refit may see, and scores out of fold."""

import dataclasses
import datetime as dt

import numpy as np
import polars as pl
import pytest

from models_ml.learning.calendar import training_end
from models_ml.learning.dataset import MINIMUM_TOKENS
from models_ml.learning.ranking import TRADER
from models_ml.learning.walk_forward import (
    first_refit,
    out_of_fold_scores,
    purged_folds,
    training_rows,
    usable_weeks,
)

START = dt.date(2022, 1, 3)
WEEK = dt.timedelta(days=7)
FAR = dt.date(2030, 1, 1)


def weeks_of(*sizes):
    """A frame of consecutive weeks with the given numbers of tokens."""
    rows = [(START + WEEK * week, f"t{token}") for week, size in enumerate(sizes) for token in range(size)]
    return pl.DataFrame(rows, schema=["as_of_week", "token_id"], orient="row")


SHORT = dataclasses.replace(TRADER, rounds=50)
"""A quarter of the rounds: the planted signal needs no more."""


def test_weeks_with_too_few_tokens_are_not_usable():
    frame = weeks_of(MINIMUM_TOKENS, MINIMUM_TOKENS - 1, MINIMUM_TOKENS + 1)

    assert usable_weeks(frame) == [START, START + 2 * WEEK]


def test_the_first_refit_knows_the_labels_of_52_usable_weeks():
    # The 52nd week is that of 2022-12-26; a refit may train on it from 2023-01-16 on, so not yet on 2023-01-02.
    frame = weeks_of(*[MINIMUM_TOKENS] * 80)

    refit = first_refit(frame, FAR, horizon_days=14)

    assert refit == dt.date(2023, 4, 3)
    assert sum(week <= training_end(refit, horizon_days=14) for week in usable_weeks(frame)) >= 52
    assert sum(week <= training_end(dt.date(2023, 1, 2), horizon_days=14) for week in usable_weeks(frame)) == 50


def test_thin_weeks_put_the_first_refit_off():
    # Twelve thin weeks: the 52nd usable one is that of 2023-03-20, and its label is known from 2023-04-10 on.
    frame = weeks_of(*[MINIMUM_TOKENS - 1] * 12, *[MINIMUM_TOKENS] * 60)

    assert first_refit(frame, FAR, horizon_days=14) == dt.date(2023, 7, 3)


@pytest.mark.parametrize("last", [dt.date(2023, 4, 2), dt.date(2022, 6, 1)])
def test_there_is_no_first_refit_before_its_day(last):
    assert first_refit(weeks_of(*[MINIMUM_TOKENS] * 80), last, horizon_days=14) is None


def test_there_is_no_first_refit_without_usable_weeks():
    assert first_refit(weeks_of(*[MINIMUM_TOKENS - 1] * 80), FAR, horizon_days=14) is None
    assert first_refit(weeks_of(), FAR, horizon_days=14) is None


def test_more_weeks_do_not_move_the_first_refit():
    frame = weeks_of(*[MINIMUM_TOKENS] * 120)

    assert {
        first_refit(frame.filter(pl.col("as_of_week") <= START + WEEK * last), FAR, horizon_days=14)
        for last in range(62, 120)
    } == {dt.date(2023, 4, 3)}


def test_each_refit_trains_on_all_usable_weeks_up_to_its_purged_end():
    frame = weeks_of(*[MINIMUM_TOKENS] * 40, 10, *[MINIMUM_TOKENS] * 60)
    refits = [dt.date(2023, 4, 3), dt.date(2023, 7, 3), dt.date(2023, 10, 2)]

    weeks = [set(training_rows(frame, refit, horizon_days=14)["as_of_week"]) for refit in refits]

    assert weeks[0] < weeks[1] < weeks[2]
    for refit, chosen in zip(refits, weeks, strict=True):
        assert min(chosen) == START
        assert max(chosen) == training_end(refit, horizon_days=14) == refit - 3 * WEEK
        assert START + 40 * WEEK not in chosen


def test_later_rows_change_nothing_of_what_a_refit_trains_on(panel_of):
    frame = panel_of(5, tokens=MINIMUM_TOKENS, weeks=80).frame
    refit = dt.date(2023, 4, 3)

    known = frame.filter(pl.col("as_of_week") < refit)

    assert training_rows(known, refit, horizon_days=14).equals(training_rows(frame, refit, horizon_days=14))


def test_out_of_fold_scores_come_from_models_that_saw_neither_the_block_nor_its_neighbours(panel_of, weekly_ics):
    # Of 24 weeks in four blocks the second is 6 to 11. Labels of the two weeks on either side overlap its own or touch them. A
    # marker tells the returns of weeks 4 to 13 and of no others, so whoever scores the second block without them knows nothing,
    # while the models of the other blocks find the marker in it.
    panel = panel_of(6, tokens=150, weeks=24, strength=1.0, planted=range(4, 14))
    refit = START + 23 * WEEK + 3 * WEEK

    scores = out_of_fold_scores(SHORT, panel.frame, panel.labels, refit=refit)

    assert scores.select("as_of_week", "token_id").equals(panel.frame.select("as_of_week", "token_id"))
    assert scores["score_cross_section"].null_count() == 0
    ics = weekly_ics(scores, panel.labels)
    assert ics[[4, 5, 12, 13]].min() > 0.6
    assert abs(ics[6:12].mean()) < 0.1


def test_a_longer_horizon_puts_the_first_refit_off():
    # The 52nd week is that of 2022-12-26; its 90 days, a day of lag and one of embargo end after 2023-03-28.
    frame = weeks_of(*[MINIMUM_TOKENS] * 80)

    assert first_refit(frame, FAR, horizon_days=90) == dt.date(2023, 4, 3)
    assert first_refit(weeks_of(*[MINIMUM_TOKENS - 1], *[MINIMUM_TOKENS] * 80), FAR, horizon_days=90) == dt.date(
        2023, 7, 3
    )


@pytest.mark.parametrize(("folds", "horizon_days"), [(3, 7), (4, 14), (5, 90)])
def test_folds_keep_the_distance_that_an_independent_splitter_keeps(folds, horizon_days):
    # Oracle: purgedcv, which purges labels that overlap the block's and embargoes what follows it. Ours also keeps its distance
    # before the block, so its training weeks are a subset, by at most the lag and embargo on either side.
    import pandas as pd
    from purgedcv import PurgedKFold

    weeks = [START + WEEK * number for number in range(60)]
    bought = pd.Series(pd.to_datetime(weeks))
    ends = pd.Series(pd.to_datetime(weeks) + pd.Timedelta(days=horizon_days))

    ours = list(purged_folds(weeks, folds=folds, horizon_days=horizon_days))
    theirs = list(PurgedKFold(n_splits=folds, prediction_times=bought, evaluation_times=ends).split(np.zeros((60, 1))))

    assert [week for block, _ in ours for week in block] == weeks
    for (block, kept), (their_kept, their_block) in zip(ours, theirs, strict=True):
        assert [weeks[at] for at in their_block] == block
        allowed = {weeks[at] for at in their_kept}
        assert set(kept) <= allowed
        assert all(
            min(abs((week - edge).days) for edge in (block[0], block[-1])) <= horizon_days + 7
            for week in allowed - set(kept)
        )
