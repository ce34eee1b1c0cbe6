"""The long table of rank figures: every series is the one its module gives, and no baseline has the model's planted skill."""

import polars as pl
import pytest

from models_ml.learning.evaluation.baselines import BASELINE_SCORES
from models_ml.learning.evaluation.rank_skill import weekly_partial_rank_ic, weekly_rank_ic
from models_ml.learning.evaluation.skill_table import skill_table, weekly_skill


@pytest.fixture(scope="module")
def panel(random_panel):
    made = random_panel(1, weeks=60, tokens=60, skill=0.4, factor=-0.4)
    number = pl.col("token_id").str.slice(1).cast(pl.Int32)
    return made.with_columns(
        pl.col("log_market_cap") + 18,
        is_liquid=number < 40,
        sector=pl.when(number < 25).then(pl.lit("defi")).when(number < 50).then(pl.lit("gaming")),
        score=pl.when(number != 7).then("score"),
    )


@pytest.fixture(scope="module")
def weekly(panel):
    return weekly_skill(panel, model="trader")


def series_of(weekly, **names):
    return weekly.filter(*(pl.col(column) == value for column, value in names.items())).select(
        "as_of_week", "value", "tokens"
    )


def test_the_series_of_the_model_are_those_of_its_score(panel, weekly):
    liquid, defi = panel.filter("is_liquid"), panel.filter(pl.col("sector") == "defi")

    whole = {"model": "trader", "grouping": "all", "group": "all"}
    broad = series_of(weekly, measure="rank_ic", universe="broad", **whole)
    partial = series_of(weekly, measure="partial_rank_ic", universe="liquid", **whole)
    sector = series_of(weekly, measure="rank_ic", universe="broad", model="trader", grouping="sector", group="defi")

    assert broad.equals(weekly_rank_ic(panel))
    assert partial.equals(weekly_partial_rank_ic(liquid))
    assert sector.equals(weekly_rank_ic(defi))


def test_every_baseline_stands_beside_the_model_on_the_same_tokens(weekly):
    whole = weekly.filter(
        (pl.col("grouping") == "all") & (pl.col("measure") == "rank_ic") & (pl.col("universe") == "broad")
    )

    assert set(whole["model"]) == {"trader", "permuted", *BASELINE_SCORES}
    assert whole["tokens"].unique().to_list() == [59]


def test_the_table_tells_the_model_from_its_baselines(weekly):
    table = skill_table(weekly, block=2).filter((pl.col("universe") == "broad") & (pl.col("grouping") == "all"))

    partial = {row["model"]: row for row in table.filter(pl.col("measure") == "partial_rank_ic").iter_rows(named=True)}
    plain = {row["model"]: row for row in table.filter(pl.col("measure") == "rank_ic").iter_rows(named=True)}
    assert partial["trader"]["low"] > 0.2
    assert plain["low_volatility"]["low"] > 0.2
    assert "low_volatility" not in partial  # a factor has nothing left beyond the factors
    assert plain["permuted"]["low"] < 0 < plain["permuted"]["high"]


def test_years_are_summarised_apart(weekly):
    table = skill_table(weekly.filter(pl.col("model") == "trader"), block=2, by_year=True)

    row = table.filter((pl.col("year") == 2021) & (pl.col("grouping") == "all") & (pl.col("universe") == "broad"))
    assert row.filter(pl.col("measure") == "rank_ic")["weeks"].to_list() == [8]
    assert set(table["year"]) == {2020, 2021}
