"""make optimise: from a warehouse with grades to a page, a table and a definition; what does not fit is refused with the way out."""

import datetime as dt

import duckdb
import numpy as np
import polars as pl
import pytest

from models_ml.indices.definition import DEFINITIONS_FOLDER, load_definitions, parse_definition
from models_ml.indices.engine import fold
from models_ml.indices.state import new_state
from models_ml.optimiser.goals import Goal
from models_ml.optimiser.search import Search
from orchestration.cli import main
from orchestration.commands_optimise import optimise_index
from orchestration.lib.errors import TidemarkError
from orchestration.lib.index_search import IndexSearchError, graded_weeks, search_index
from orchestration.lib.index_weeks import read_market
from orchestration.lib.weeks import mondays

FIRST, DAYS, TOKENS = dt.date(2021, 1, 3), 420, 30  # a Sunday
FIRST_GRADED = dt.date(2021, 3, 15)


def frames():
    generator = np.random.default_rng(3)
    days = [FIRST + dt.timedelta(days=offset) for offset in range(DAYS)]
    names = ["bitcoin", *(f"t{number:02d}" for number in range(TOKENS - 1)), "usd-one", "usd-two"]
    common = generator.normal(0, 0.03, (DAYS, 1))
    prices = 10 * np.exp(np.cumsum(common + generator.normal(0, 0.03, (DAYS, len(names))), axis=0))
    prices[:, -2:] = 1.0
    supply = np.append(generator.lognormal(17, 1, TOKENS), [9e9, 8e9])
    daily = pl.DataFrame({"market_date": days}).join(pl.DataFrame({"token_id": names}), how="cross")
    daily = daily.with_columns(price_usd=pl.Series(prices.ravel()), is_carried=pl.lit(value=False))
    universe = daily.drop("is_carried").with_columns(
        is_stable=pl.col("token_id").str.starts_with("usd"),
        is_wrapped=pl.lit(value=False),
        is_supply_carried=pl.lit(value=False),
        market_cap_usd=pl.Series((prices * supply).ravel()),
        volume_30d_median_usd=pl.lit(5e7),
        age_days=(pl.col("market_date") - FIRST).dt.total_days() + 200,
    )
    tokens = pl.DataFrame({"token_id": names, "symbol": names, "sector": ["L1"] * len(names)}).with_columns(
        is_fiat_backed=pl.col("token_id").str.starts_with("usd"),
        valid_from=pl.lit(FIRST),
        valid_to=pl.lit(None, pl.Date),
    )
    weeks = [
        day + dt.timedelta(days=1) for day in days if day.weekday() == 6 and day + dt.timedelta(days=1) >= FIRST_GRADED
    ]
    grades = pl.DataFrame({"as_of_week": weeks}).join(pl.DataFrame({"token_id": names[:-2]}), how="cross")
    grades = grades.with_columns(
        score=pl.Series(generator.normal(size=grades.height)),
        trader_grade=pl.Series(generator.uniform(0, 100, grades.height)),
    )
    calls = grades.select("as_of_week", "token_id").with_columns(
        signal=pl.Series(generator.choice([-1, 0, 1], grades.height, p=[0.4, 0.2, 0.4]))
    )
    bitcoin = pl.DataFrame({"market_date": days, "btc_price_usd": prices[:, 0]}).with_columns(
        btc_sma_100d_usd=pl.col("btc_price_usd").rolling_mean(20),
        btc_sma_200d_usd=pl.col("btc_price_usd").rolling_mean(40),
    )
    return {
        "marts.fct_daily": daily,
        "marts.fct_universe_daily": universe,
        "marts.dim_tokens": tokens,
        "marts.feat_market_daily": bitcoin,
        "learning.trader_grades_current": grades,
        "learning.trading_signals_current": calls,
        "learning.daily_grades_current": pl.DataFrame(
            schema={"market_date": pl.Date, "token_id": pl.String, "trader_score": pl.Float64}
        ),
    }


OWN = """
index_id: ai_own
name: Own
kind: ai
methodology: The 20 best by score.
eligibility: {min_market_cap_usd: 10_000_000, min_volume_30d_usd: 500_000}
ranking: {by: score, among_largest: 100}
selection: {count: 20, exit_rank: 40}
weighting: {method: market_cap, cap: 0.20}
calendar: {rule: weekly_model}
rotation: {min_hold_days: 7}
minimum_constituents: 10
"""


@pytest.fixture(scope="module")
def market_frames():
    return frames()


@pytest.fixture
def folder(market_frames, monkeypatch, tmp_path):
    monkeypatch.setenv("TIDEMARK_DATA_DIR", str(tmp_path))
    (tmp_path / "indices").mkdir()
    (tmp_path / "indices" / "ai_own.yaml").write_text(OWN)
    (tmp_path / "indices" / "ai_slow.yaml").write_text(
        OWN.replace("ai_own", "ai_slow").replace("cap: 0.20", "cap: 0.20, max_turnover: 0.3")
    )
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("create schema marts")
        connection.execute("create schema learning")
        for name, frame in market_frames.items():
            connection.register("rows_of", frame.to_arrow())
            connection.execute(f"create table {name} as select * from rows_of")
    return tmp_path


def test_a_search_leaves_a_page_a_table_and_a_definition_that_runs(folder, capsys):
    assert optimise_index("ai_own", goal="annual_return=0.15,max_drawdown=0.10", variants=30) == 0

    told = capsys.readouterr().out
    page = (folder / "optimiser" / "ai_own.md").read_text()
    table = pl.read_parquet(folder / "optimiser" / "ai_own.parquet")
    definition = parse_definition((folder / "optimiser" / "ai_own_chosen.yaml").read_text(), name="chosen")
    assert str(folder / "optimiser" / "ai_own.md") in told
    assert "met the goal (at least 15% a year and no drawdown above 10%" in told
    assert "Probability of overfitting" in told
    assert all(sentence in page for sentence in told.splitlines() if sentence.startswith("- "))
    assert "walk-forward" in page
    assert definition.index_id == "ai_own_chosen"
    assert definition.ranking.by in table.filter("is_chosen")["choices"][0]
    assert 2 <= table.height <= 30


SHIPPED = next(each for each in load_definitions(DEFINITIONS_FOLDER) if each.index_id == "ai_top100")


@pytest.mark.parametrize("definition", [parse_definition(OWN, name="own"), SHIPPED], ids=["own", "shipped"])
def test_the_definition_as_it_is_has_the_figures_of_the_index_engine(folder, definition):
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        first, last = graded_weeks(connection)
        market = read_market(connection, [definition], until=last)

        answer = search_index(
            connection,
            definition,
            search=Search(vary={"selection.exit_rank": [22, 40]}),
            goal=Goal(),
            cost_bps=0,
            processes=1,
        )

    results = fold(definition, new_state(definition), mondays(first, last), market)
    levels = [row for result in results for row in result.levels.iter_rows()]
    assert (answer.first_day, answer.last_day) == (levels[0][0], levels[-1][0])
    years = (levels[-1][0] - levels[0][0]).days / 365
    assert answer.figures.annual_return[0] == pytest.approx((levels[-1][2] / levels[0][2]) ** (1 / years) - 1, rel=1e-9)


def test_the_flagship_is_searched_as_it_is_published(folder, capsys):
    assert optimise_index("ai_top100", variants=20) == 0

    table = pl.read_parquet(folder / "optimiser" / "ai_top100.parquet")
    assert table.height > 5
    assert "Left out" not in capsys.readouterr().out
    assert "No variant is the published index" not in (folder / "optimiser" / "ai_top100.md").read_text()


def test_a_search_of_ones_own_is_read_from_its_file(folder, tmp_path, capsys):
    path = tmp_path / "search.yaml"
    path.write_text("vary: {selection.count: [15, 20, 25], weighting.cap: [0.1, 0.2]}")

    assert main(["optimise", "--index", "ai_own", "--search", str(path), "--cost-bps", "10"]) == 0

    table = pl.read_parquet(folder / "optimiser" / "ai_own.parquet")
    assert table.height == 6
    assert "after 10 basis points" in (folder / "optimiser" / "ai_own.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"index_id": "ai_top10"}, "INDEX=ai_top10 is no index; model-driven ones are "),
        ({"index_id": "hodl10"}, "calendar.rule monthly"),
        ({"index_id": "ai_own", "goal": "riches"}, "GOAL=riches is no goal"),
        ({"index_id": "ai_own", "cost_bps": -1.0}, "COST_BPS=-1 is no cost"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(folder, arguments, told):
    with pytest.raises(TidemarkError, match=told):
        optimise_index(**arguments)

    assert not (folder / "optimiser").exists()


def test_a_search_file_that_is_not_there_is_named(folder, tmp_path):
    with pytest.raises(TidemarkError, match=r"none\.yaml cannot be read"):
        optimise_index("ai_own", search=tmp_path / "none.yaml")


def test_without_a_warehouse_or_grades_the_run_that_makes_them_is_named(folder):
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("drop table learning.trader_grades_current")
    with pytest.raises(IndexSearchError, match="no grades yet"):
        optimise_index("ai_own")

    (folder / "warehouse.duckdb").unlink()
    with pytest.raises(TidemarkError, match="no warehouse; run make run first"):
        optimise_index("ai_own")


def test_rules_that_are_left_out_are_named_where_they_are_asked_to_be(folder, capsys):
    with pytest.raises(TidemarkError, match=r"weighting\.max_turnover 0\.3"):
        optimise_index("ai_slow", variants=10)

    assert optimise_index("ai_slow", variants=10, is_simplified=True) == 0

    page = (folder / "optimiser" / "ai_slow.md").read_text()
    assert "Left out, so that no variant is the published index: weighting.max_turnover 0.3" in capsys.readouterr().out
    assert (
        "**No variant is the published index: these rules of it are left out here: weighting.max_turnover 0.3.**"
        in page
    )
