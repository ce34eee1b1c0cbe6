"""The study behind the flagship's rules: candidates are valid, the choice sees only its own years, the price of insurance adds up."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models_ml.indices.definition import DEFINITIONS_FOLDER, FLAGSHIP, load_definitions
from orchestration.evaluation.ai_rules import (
    UNROTATED,
    Study,
    insurance_verdict,
    kept_to,
    rotation_candidates,
    selection_candidates,
    shipped_rule,
    tried,
)

FIRST = date(2018, 1, 1)


@pytest.fixture(scope="module")
def flagship():
    return next(each for each in load_definitions(DEFINITIONS_FOLDER) if each.index_id == FLAGSHIP)


def levels_of(**returns):
    frames = []
    for name, values in returns.items():
        days = [FIRST + timedelta(days=offset) for offset in range(len(values))]
        frames.append(pl.DataFrame({"date": days, "index_id": name, "level": 1000 * np.cumprod(1 + np.array(values))}))
    return pl.concat(frames)


def test_the_shipped_flagship_is_one_of_the_candidates_that_were_tried(flagship):
    rotations = {each.rotation.model_dump_json() for each in rotation_candidates(flagship).values() if each.rotation}
    assert flagship.rotation.model_dump_json() in rotations
    rules = [
        (each.selection, each.weighting, each.eligibility, each.minimum_constituents)
        for each in selection_candidates(flagship).values()
    ]
    assert (flagship.selection, flagship.weighting, flagship.eligibility, flagship.minimum_constituents) in rules


def test_the_page_says_where_the_index_keeps_to_another_rule_than_is_chosen_now(flagship):
    candidates = selection_candidates(flagship)
    shipped = shipped_rule(flagship, candidates)

    assert candidates[shipped].selection == flagship.selection
    assert candidates[shipped].weighting == flagship.weighting
    assert kept_to(shipped, shipped) == ""
    assert shipped in kept_to(shipped, "20 by equal")


def test_candidates_of_rotation_differ_in_nothing_else(flagship):
    candidates = rotation_candidates(flagship)

    assert candidates[UNROTATED].rotation is None
    assert len({repr(each.model_copy(update={"rotation": None})) for each in candidates.values()}) == 1
    assert {each.ranking.by for each in candidates.values()} == {"market_cap_usd"}


def test_the_verdict_tells_how_much_of_the_largest_fall_was_avoided():
    a_year = 365
    plain = [0.0] + [np.log(2) / a_year] * (a_year - 1) + [-0.001] * a_year
    insured = [0.0] + [np.log(2) / a_year / 2] * (a_year - 1) + [0.0] * a_year
    levels = levels_of(**{UNROTATED: plain, "half": insured})
    study = Study(levels, levels.select("date", "index_id", turnover=pl.lit(0.0)), "half", date(2018, 12, 31))

    assert "largest drawdown -30.6% without and 0.0% with it, cut by 100%" in insurance_verdict(study)


def test_every_candidate_is_shown_before_and_after_and_only_before_decides():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, 800)
    early, late = noise.copy(), noise.copy()
    early[:400] += 0.002
    late[400:] += 0.01
    levels = levels_of(early=early, late=late)
    study = Study(
        levels, levels.select("date", "index_id", turnover=pl.lit(0.01)), "early", FIRST + timedelta(days=400)
    )

    table = tried(study)

    assert table["rule"].to_list() == ["early", "late"]
    assert table["sharpe_after"][0] < table["sharpe_after"][1]
    assert table["turnover_per_year"].to_list() == pytest.approx([3.65, 3.65], rel=0.01)
