"""The notebook's five answers on the first run's published copy, held against other ways to them."""

import importlib.util
from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pytest

from models_ml.learning.evaluation.performance import spaced_weeks
from tests.conftest import REPOSITORY

NOTEBOOK = REPOSITORY / "docs" / "notebooks" / "five_questions.py"
APPROXIMATELY = {"abs": 1e-9}


def opened():
    """The notebook as a module, not yet executed."""
    specification = importlib.util.spec_from_file_location("five_questions", NOTEBOOK)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def said(shown):
    """The texts among what the cells show; the others are figures and choices."""
    return [output.text for output in shown if isinstance(getattr(output, "text", None), str)]


@pytest.fixture(scope="module")
def answers(first):
    """What every cell defined, executed on the published copy of the first run."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TIDEMARK_DATA_DIR", str(first.folder))
        environment.setenv("MPLBACKEND", "agg")
        _, defined = opened().app.run()
    yield defined
    defined["connection"].close()


def test_it_says_which_data_it_sees(answers):
    assert answers["source"]["data_source"] == "simulated"
    assert answers["source"]["last_day"] == date(2025, 1, 5)
    assert answers["is_simulated"]


def test_skill_of_grades_is_the_published_one_and_less_once_volatility_is_taken_out(first, answers):
    skill = {row["ordered_by"]: row for row in answers["grade_skill"].rows(named=True)}
    published = first.query(
        "select avg(value) from api.model_evaluation where model = 'trader' and universe = 'broad' and metric = 'rank_ic_lag1'"
    ).item()

    assert skill["the grade"]["mean"] == pytest.approx(published, **APPROXIMATELY)
    assert skill["the grade, volatility taken out"]["mean"] < skill["the grade"]["mean"]
    for row in skill.values():
        assert row["low"] < row["mean"] < row["high"]


def test_cells_of_grade_and_volatility_are_those_of_plain_sql(first, answers):
    expected = first.query(
        """
        with thirds as (
            select as_of_week, outcomes.token_id, grades.trader_rank,
                return_14d - median(return_14d) over (partition by as_of_week) as excess,
                row_number() over (partition by as_of_week order by volatility_90d, token_id) * 3
                    // (count(*) over (partition by as_of_week) + 1) as third
            from api.call_outcomes as outcomes
            inner join learning.trader_grades as grades using (as_of_week, token_id)
            inner join api.quant_metrics as metrics on outcomes.token_id = metrics.token_id and metrics.date = as_of_week - 1
            where grades.version = 1 and return_14d is not null and volatility_90d is not null
        ),
        fifths as (
            select as_of_week, excess, third,
                row_number() over (partition by as_of_week, third order by trader_rank, token_id) * 5
                    // (count(*) over (partition by as_of_week, third) + 1) as fifth
            from thirds
        ),
        weekly as (select third, fifth, as_of_week, median(excess) as excess from fifths group by all)
        select third, fifth, avg(excess) as excess from weekly group by all order by third, fifth
        """
    )
    fifths = answers["fifths"]

    assert fifths.select("third", "fifth").rows() == [(third, fifth) for third in range(3) for fifth in range(5)]
    assert expected.select("third", "fifth").rows() == fifths.select("third", "fifth").rows()
    assert fifths["excess"].to_list() == pytest.approx(expected["excess"].to_list(), **APPROXIMATELY)


def test_leads_over_the_twins_are_those_of_the_published_statistics(first, answers):
    published = first.query(
        """
        select index_id, statistics.value, statistics.low, statistics.high
        from api.index_statistics as statistics inner join api.index_fact_sheet as sheet using (index_id)
        where basis = 'net_10k' and metric = 'annual_return_difference' and benchmark = sheet.twin and kind = 'ai'
        """
    )
    leads = answers["index_leads"].join(published, on="index_id", suffix="_published")

    assert leads.height == answers["index_leads"].height > 3
    for row in leads.rows(named=True):
        assert row["lead"] == pytest.approx(row["value"], **APPROXIMATELY), row["index_id"]
        assert row["low"] < row["lead"] < row["high"], row["index_id"]
        # Both resample days in runs of 60 on average, with other random numbers.
        width = row["high_published"] - row["low_published"]
        assert row["low"] == pytest.approx(row["low_published"], abs=0.25 * width), row["index_id"]
        assert row["high"] == pytest.approx(row["high_published"], abs=0.25 * width), row["index_id"]
        assert 0 <= row["probability_ahead"] <= 1
        assert row["p_of_many"] >= 1 - row["probability_ahead"]


def test_calibration_is_what_plain_sql_gives(first, answers):
    brier, hits, bullish, rows = first.query(
        """
        select
            avg((p_bullish - (outcome = 1)::int) ** 2 + (p_neutral - (outcome = 0)::int) ** 2 + (p_bearish - (outcome = -1)::int) ** 2),
            avg(is_right::int) filter (outcomes.signal = 1), avg((outcome = 1)::int), count(*)
        from api.call_outcomes as outcomes
        inner join learning.trading_signals as calls using (as_of_week, token_id)
        where calls.version = 1 and outcome is not null
        """
    ).row(0)
    error, table = answers["calibration"]["bullish"]
    gaps = (table["mean_probability"] - table["frequency"]).abs() * table["rows"]

    assert answers["brier"]["brier"].estimate == pytest.approx(brier, **APPROXIMATELY)
    assert error.estimate == pytest.approx(gaps.sum() / rows, **APPROXIMATELY)
    assert table["rows"].sum() == rows
    assert (table["frequency"] * table["rows"]).sum() / rows == pytest.approx(bullish, **APPROXIMATELY)
    assert answers["precision"].row(0, named=True)["call"] == "bullish"
    assert answers["precision"].row(0, named=True)["precision"] == pytest.approx(hits, **APPROXIMATELY)


def test_picks_beside_their_controls_are_the_published_record(first, answers):
    record = first.query("select * from api.moonshot_record where origin = 'backfilled'").row(0, named=True)
    lead = answers["pick_leads"]["doubled"]

    assert lead.estimate == pytest.approx(record["hits_over_controls"], **APPROXIMATELY)
    assert (lead.low, lead.high) == pytest.approx((record["hits_over_controls_low"], record["hits_over_controls_high"]))
    assert answers["picks_by_year"]["picks"].sum() == answers["pairs"].height <= record["picks_known"]


def test_a_past_state_is_what_was_recorded_by_then(first, answers):
    recorded = first.query("select min(recorded_at), max(recorded_at) from learning.trader_grades").row(0)
    current = first.query("select count(*) from learning.trader_grades_current").item()

    before = answers["as_of"]("learning.trader_grades", recorded[0] - timedelta(seconds=1))

    assert before.is_empty()
    assert answers["known_now"].height == current > 0


def test_a_correction_is_told_by_week_with_what_it_changed():
    columns = """
        as_of_week date, token_id varchar, trader_grade double, version integer, version_reason varchar,
        recorded_at timestamptz, superseded_at timestamptz
    """
    first_time, second_time = datetime(2025, 1, 6, tzinfo=UTC), datetime(2025, 1, 13, tzinfo=UTC)
    rows = [
        (date(2025, 1, 6), "a", 50.0, 1, None, first_time, second_time),
        (date(2025, 1, 6), "b", 20.0, 1, None, first_time, second_time),
        (date(2025, 1, 6), "a", 50.0, 2, "late row", second_time, None),
        (date(2025, 1, 6), "b", 26.5, 2, "late row", second_time, None),
        (date(2024, 12, 30), "a", 70.0, 1, None, first_time, None),
    ]
    with duckdb.connect() as connection:
        connection.execute(
            f"set TimeZone = 'UTC'; create schema learning; create table learning.trader_grades ({columns})"
        )
        connection.executemany("insert into learning.trader_grades values (?, ?, ?, ?, ?, ?, ?)", rows)

        def ask(sql, *values):
            return connection.execute(sql, list(values)).pl()

        _, defined = opened().corrections_of.run(ask=ask)

        assert defined["corrections"].drop("recorded_at").rows() == [(date(2025, 1, 6), 2, "late row", 2, 1, 6.5, "b")]
        then = defined["as_of"]("learning.trader_grades", second_time - timedelta(seconds=1))
        assert sorted(then.select("token_id", "trader_grade").rows()) == [("a", 50.0), ("a", 70.0), ("b", 20.0)]
        assert defined["known_now"].height == 3


def test_the_backtest_of_a_week_ignores_all_later_weeks(answers):
    panel = spaced_weeks(answers["ranked"], holding_days=14)
    weeks = panel["as_of_week"].unique().sort()
    cut = weeks[len(weeks) // 2]

    full = answers["backtest"](panel, "own_rank", name="full")
    truncated = answers["backtest"](panel.filter(pl.col("as_of_week") <= cut), "own_rank", name="full")

    assert truncated.height == full.filter(pl.col("as_of_week") <= cut).height > 10
    assert truncated.equals(full.filter(pl.col("as_of_week") <= cut))


def test_a_join_by_the_wrong_week_shows_as_an_edge_no_rank_has(answers):
    edges = answers["edges"]
    peeking, honest = edges["momentum, peeking"], edges["momentum"]

    assert peeking["over_market_low"] > 0.05
    assert peeking["over_market_low"] > honest["over_market_high"]
    assert abs(edges["Trader Grade"]["over_market"]) < 0.03
    assert edges["Trader Grade"]["cost"] > 0


def test_without_a_published_copy_it_says_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEMARK_DATA_DIR", str(tmp_path / "nothing"))
    monkeypatch.setenv("MPLBACKEND", "agg")

    shown, defined = opened().app.run()

    assert any("make run" in text for text in said(shown))
    assert "grade_skill" not in defined


def test_a_young_copy_gets_no_answers_and_no_errors(answers, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    until = answers["graded"]["as_of_week"].min() + timedelta(days=21)

    def ask(sql, *values):
        rows = answers["ask"](sql, *values)
        for day in {"as_of_week", "date"} & set(rows.columns):
            rows = rows.filter(pl.col(day) < until)
        return rows

    shown, defined = opened().app.run(defs={"ask": ask, "connection": None, "published": None})

    assert sum("Ask again later" in text for text in said(shown)) == 5
    assert not {"grade_skill", "index_lead", "brier", "pick_leads", "edges"} & set(defined)
    assert defined["known_now"].height > 0
