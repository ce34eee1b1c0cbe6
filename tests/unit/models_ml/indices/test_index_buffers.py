"""What entry and exit buffers are for: fewer exchanges of members, measured over many random markets, and one case by hand."""

import numpy as np
import polars as pl

from models_ml.indices.sections import Selection
from models_ml.indices.selection import choose

MARKETS, TOKENS, REBALANCES, COUNT = 200, 25, 10, 8


def ranked(order):
    return pl.DataFrame({"token_id": [f"t{token:02d}" for token in order], "rank": range(1, len(order) + 1)})


def member_changes(orders, selection):
    """Members that enter over the rebalances after the first."""
    held, entered = set(), 0
    for number, order in enumerate(orders):
        chosen = set(choose(ranked(order), held=held, selection=selection)["token_id"])
        entered += len(chosen - held) if number else 0
        held = chosen
    return entered


def test_buffers_exchange_fewer_members_over_many_random_markets():
    rng = np.random.default_rng(11)
    plain, buffered = Selection(count=COUNT), Selection(count=COUNT, entry_rank=COUNT - 2, exit_rank=COUNT + 3)
    changes = []
    for _ in range(MARKETS):
        sizes = rng.normal(0, 1.5, TOKENS) + np.cumsum(rng.normal(0, 0.25, (REBALANCES, TOKENS)), axis=0)
        orders = np.argsort(-sizes, axis=1)
        changes.append((member_changes(orders, plain), member_changes(orders, buffered)))
    without, with_buffers = np.array(changes, dtype=float).T

    assert with_buffers.mean() < 0.7 * without.mean()
    assert (with_buffers <= without).mean() > 0.95


def test_a_constituent_inside_the_exit_buffer_stays_and_one_inside_the_entry_rank_takes_the_last_place():
    selection = Selection(count=3, entry_rank=1, exit_rank=4)
    held = {"t00", "t01", "t02"}

    # t03 is third, but t02, now fourth, is inside the exit buffer: nothing is exchanged.
    stays = choose(ranked([0, 1, 3, 2, 4]), held=held, selection=selection)
    # t03 is first, inside the entry rank: the constituent that ranks last of those kept goes.
    exchanged = choose(ranked([3, 0, 1, 2, 4]), held=held, selection=selection)
    # t02 is fifth, outside the buffer.
    leaves = choose(ranked([0, 1, 3, 4, 2]), held=held, selection=selection)

    assert set(stays["token_id"]) == held
    assert set(exchanged["token_id"]) == {"t00", "t01", "t03"}
    assert set(leaves["token_id"]) == {"t00", "t01", "t03"}
