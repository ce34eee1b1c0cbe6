"""The first run of the default market, as the person who called it and the reader of its tables see it."""

import json
import re
import shutil
from datetime import date

import duckdb
import polars as pl
import pytest

WEEK = "2025-01-06"


def test_a_run_says_what_it_made_and_where(first, first_output):
    graded = first.query("select count(*) from api.trader_grades where as_of_week = ?", WEEK).item()
    best = first.query(
        "select symbol from api.trader_grades where as_of_week = ? order by trader_grade desc, token_id limit 5", WEEK
    )["symbol"].to_list()

    said = first_output

    assert f"Week {WEEK} (simulated data)" in said
    assert f"Tokens graded: {graded}" in said
    top = re.search(r"^Top 5 by Trader Grade: (.*)$", said, re.MULTILINE)
    assert top is not None
    assert [part.split()[0] for part in top[1].split(", ")] == best
    assert "Top 5 by Investor Grade (90 days, a long-horizon price grade): " in said
    assert re.search(r"^In 14 days with a chance of four in five: BTC [\d,]+ to [\d,]+ USD, ETH", said, re.MULTILINE)
    assert f"Published warehouse: {first.published}" in said


def test_a_run_says_what_each_index_holds(first, first_output):
    indices = first.query("select index_id from api.indices order by 1")["index_id"].to_list()
    held = {
        index_id: first.query(
            "select symbol from api.index_compositions where as_of_week = ? and index_id = ? order by weight desc, token_id",
            *(WEEK, index_id),
        )["symbol"].to_list()
        for index_id in indices
    }

    lines = {match[1]: match[2] for match in re.finditer(r"^Index (\w+) \(.*?\).*?: (.*)$", first_output, re.MULTILINE)}

    assert lines.keys() == {"ai_top100", "balanced_mix", "hodl10"}  # the user's own would be told of, too
    assert f"and {len(indices) - len(lines)} more indices: " in first_output
    for index_id, text in lines.items():
        named, _, others = text.partition(" and ")
        symbols = held[index_id]
        assert [part.split()[0] for part in named.split(", ")] == symbols[:5]
        assert others == (f"{len(symbols) - 5} more" if len(symbols) > 5 else "")


def test_every_index_has_figures_before_and_after_costs_against_its_benchmarks(first):
    figures = first.query("select * from api.index_statistics")
    indices = set(first.query("select index_id from api.indices")["index_id"])
    alone = figures.filter(pl.col("benchmark").is_null() & (pl.col("metric") == "annual_return"))
    after, before = (
        dict(alone.filter(pl.col("basis") == basis).select("index_id", "value").iter_rows())
        for basis in ("net_10k", "gross")
    )

    # An index that has not started says why in its pro-forma instead.
    unstarted = set(first.query("select index_id from api.index_pro_forma where status = 'none'")["index_id"])
    assert set(before) == set(after)
    assert set(before) | unstarted == indices
    assert all(after[index_id] < before[index_id] for index_id in before)
    assert set(figures.filter(pl.col("index_id") == "ai_top100")["benchmark"]) == {
        None,
        "bitcoin",
        "ethereum",
        "total_market",
        "hodl100_capped",
    }


def test_every_index_has_a_methodology_beside_the_copy_and_a_pro_forma_that_sums_to_one(first):
    indices = set(first.query("select index_id from api.indices")["index_id"])
    documents = dict(first.query("select index_id, document from api.index_methodology where is_in_force").rows())
    pro_forma = first.query(
        """select index_id, any_value(status) as status, count(token_id) as tokens, sum(target_weight) as weight,
        min(effective_at)::date as effective from api.index_pro_forma group by index_id"""
    )

    files = {path.stem: path.read_text() for path in (first.folder / "published" / "methodology").iterdir()}

    assert set(documents) == indices == set(pro_forma["index_id"])
    assert files == documents
    composed = pro_forma.filter(pl.col("tokens") > 0)
    assert composed.height > len(indices) / 2
    assert set(composed["index_id"]) | set(pro_forma.filter(pl.col("status") == "none")["index_id"]) == indices
    assert composed["weight"].to_list() == pytest.approx([1.0] * composed.height)
    assert (pro_forma["effective"] > date.fromisoformat(WEEK)).all()
    assert set(pro_forma["status"]) <= {"decided", "unchanged", "indicative", "follows", "none"}


def test_a_fact_sheet_says_what_the_published_tables_do(first):
    sheet = first.query("select * from api.index_fact_sheet where index_id = 'ai_top100'").row(0, named=True)
    level = first.query(
        "select max_by(level, date) / min_by(level, date) - 1 from api.index_levels where index_id = 'ai_top100' and level is not null"
    ).item()
    holdings = first.query(
        "select symbol, weight from api.index_compositions where index_id = 'ai_top100' and as_of_week = ? order by weight desc, token_id",
        WEEK,
    )

    assert sheet["return_since_base"] == pytest.approx(level)
    assert sheet["members"] == holdings.height
    assert [part.split()[0] for part in sheet["largest"].split(", ")] == holdings["symbol"].to_list()[:5]
    assert sheet["twin"] == "hodl100_capped"
    assert sheet["annual_return_net"] < sheet["annual_return"]


def test_every_level_follows_from_published_rebalances_and_closes_in_plain_sql(first):
    checked = first.query(
        """select index_id, count(*) as days, max(abs(relative_difference)) as difference from api.index_level_check group by index_id"""
    )
    levels = first.query("select index_id, count(level) as levels from api.index_levels group by index_id")

    joined = levels.join(checked, on="index_id", how="left")

    assert joined["difference"].max() < 1e-9
    # All but the level an index starts from, and in weeks without a valid basket.
    assert (joined["days"] >= 0.95 * joined["levels"] - 1).all()


def test_a_run_says_the_picks_of_the_screen(first, first_output):
    picks = first.query("select rank, symbol from api.moonshots where as_of_week = ? order by rank", WEEK).rows()

    line = re.search(r"^Moonshot screen: (.*)$", first_output, re.MULTILINE)

    assert picks
    assert line is not None
    assert [(int(rank), symbol) for rank, symbol in re.findall(r"(\d+)\. (\S+) ", line[1])] == picks


def test_both_ranking_heads_are_evaluated_by_size_and_sector_once_their_labels_have_ended(first):
    newest = dict(
        first.query(
            "select model, max(as_of_week) from api.model_evaluation where universe = 'broad' group by model"
        ).rows()
    )
    groups = first.query(
        """select model, bool_or(starts_with(universe, 'size_')), bool_or(starts_with(universe, 'sector_'))
        from api.model_evaluation where metric = 'partial_rank_ic' group by model order by model"""
    )
    twice = first.query(
        "select 1 from api.model_evaluation group by as_of_week, model, universe, metric having count(*) > 1"
    )

    assert {model: newest[model] for model in ("trader", "investor")} == {
        "trader": date(2024, 12, 16),
        "investor": date(2024, 10, 7),
    }
    assert groups.rows() == [("investor", True, True), ("trader", True, True)]
    assert twice.is_empty()


def test_a_mean_so_far_is_that_of_all_weeks_up_to_its_own(first):
    series = "model = 'trader' and universe = 'broad' and metric = 'rank_ic_lag1' order by as_of_week"
    values = first.query(f"select value from api.model_evaluation where {series}")["value"].to_list()

    so_far = first.query(f"select mean_value, weeks from api.model_evaluation_cumulative where {series}")

    assert len(values) > 1
    assert so_far["weeks"].to_list() == list(range(1, len(values) + 1))
    assert so_far["mean_value"].to_list() == pytest.approx(
        [sum(values[:weeks]) / weeks for weeks in range(1, len(values) + 1)]
    )


def test_models_of_both_ranking_heads_say_how_they_ranked_since(first):
    ranked = first.query(
        "select distinct model from api.models where mean_rank_ic is not null and evaluated_weeks > 0 order by model"
    )

    assert ranked["model"].to_list() == ["investor", "trader"]


def test_every_check_of_the_run_is_in_the_published_history_with_its_tier(first):
    tiers = dict(first.query("select tier, count(*) from quality.check_results group by tier").rows())
    twice = first.query(
        "select 1 from quality.check_results group by run_id, table_name, check_name, column_name having count(*) > 1"
    )
    weeks = first.query("select distinct as_of_week::varchar as week from quality.check_results")["week"].to_list()

    assert min(tiers[tier] for tier in ("great_expectations", "dbt", "python")) > 40
    assert twice.is_empty()
    assert weeks == [WEEK]


def test_a_run_says_how_its_checks_turned_out_and_where_their_pages_are(first, first_output):
    held, all_of_them = first.query("select count(*) filter (is_passed), count(*) from api.check_results").row(0)
    index = first.published.parent / "data_docs" / "index.html"

    assert f"Checks: {held} of {all_of_them} held" in first_output
    assert str(index) in first_output
    assert "learning.trader_grades" in index.read_text()
    assert "marts.fct_daily" in index.read_text()


def test_every_file_that_the_manifest_names_is_there(first):
    folder = first.published.parent
    (manifest,) = first.manifests()

    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")} | {first.published.name}

    assert files == set(manifest["files"])
    assert {f"parquet/{name}.parquet" for name in manifest["versioned_tables"]} < files
    assert json.loads((folder / "manifest.json").read_text()) == manifest
    assert (manifest["data_source"], manifest["as_of_week"]) == ("simulated", WEEK)
    assert manifest["previous_manifest_sha256"] is None
    landed = {path.name for path in (first.folder / "landing").iterdir()}
    assert {"coingecko", "coinmetrics", "binance", "defillama"} < landed == set(manifest["attribution"])


def test_parquet_beside_the_warehouse_holds_every_row_of_its_table(first):
    (manifest,) = first.manifests()

    counts = {
        name: duckdb.sql(f"select count(*) from '{first.published.parent}/parquet/{name}.parquet'").fetchall()[0][0]
        for name in manifest["versioned_tables"]
    }

    assert counts == {name: first.query(f"select count(*) from {name}").item() for name in counts}


def test_the_published_file_answers_anywhere_under_any_name(first, tmp_path):
    elsewhere = tmp_path / "renamed copy.db"
    shutil.copyfile(first.published, elsewhere)

    with duckdb.connect() as connection:
        connection.execute(f"attach '{elsewhere}' as x (read_only)")
        objects = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'x' union all "
            "select schema_name || '.' || view_name from duckdb_views() where database_name = 'x' and not internal"
        ).fetchall()
        answers = {name: connection.execute(f"select * from x.{name} limit 1").fetchall() for (name,) in objects}

    assert sum(name.startswith("api.") for name in answers) > 70
    assert all(answers[f"api.{view}"] for view in ("trader_grades", "index_levels", "moonshots", "weekly_report"))
    assert not [name for name in answers if name.startswith(("raw.", "staging.", "intermediate."))]


def test_weights_of_every_composition_and_rebalance_sum_to_one(first):
    compositions = first.query("select sum(weight) as total from api.index_compositions group by as_of_week, index_id")
    rebalances = first.query(
        "select sum(target_weight) as total from api.index_rebalances group by index_id, effective_at"
    )
    least = first.query("select min(weight) from api.index_compositions").item()

    assert compositions["total"].to_list() == pytest.approx([1.0] * compositions.height, abs=1e-9)
    assert rebalances["total"].to_list() == pytest.approx([1.0] * rebalances.height, abs=1e-9)
    assert least >= 0


def test_grades_and_ranks_lie_between_0_and_100(first):
    extremes = first.query(
        "select min(trader_grade), max(trader_grade), min(trader_rank), max(trader_rank), "
        "count(*) filter (trader_grade is null or trader_rank is null) from api.trader_grades"
    ).row(0)

    assert min(extremes[0], extremes[2]) >= 0
    assert max(extremes[1], extremes[3]) <= 100
    assert extremes[4] == 0


def test_probabilities_of_every_call_sum_to_one(first):
    wrong = first.query(
        "select * from api.trading_signals where abs(p_bullish + p_neutral + p_bearish - 1) > 1e-9 "
        "or least(p_bullish, p_neutral, p_bearish) < 0 or signal not in (-1, 0, 1) or signal is null"
    )

    assert wrong.is_empty()


def test_every_eligible_token_of_every_week_is_graded_and_called(first):
    coverage = first.query(
        """
        with eligible as (
            select market_date + 1 as as_of_week, token_id from marts.fct_universe_daily
            where is_broad and isodow(market_date) = 7
                and market_date + 1 >= (select min(as_of_week) from api.trader_grades)
        )
        select
            count(*) as eligible, count(grades.token_id) as graded, count(calls.token_id) as called,
            (select count(*) from api.trader_grades) as grades, count(distinct eligible.as_of_week) as weeks
        from eligible
        left join api.trader_grades as grades using (as_of_week, token_id)
        left join api.trading_signals as calls using (as_of_week, token_id)
        """
    ).row(0, named=True)

    assert coverage["weeks"] > 52
    assert coverage["eligible"] == coverage["graded"] == coverage["called"] == coverage["grades"]


def test_every_monday_since_the_first_grade_has_grades(first):
    weeks = first.query("select distinct as_of_week from api.trader_grades order by 1")["as_of_week"]

    gaps = set(weeks.diff().drop_nulls().dt.total_days().to_list())

    assert gaps == {7}
    assert str(weeks.max()) == WEEK
    assert set(weeks.dt.weekday().to_list()) == {1}


def test_rows_say_that_they_are_simulated_and_made_afterwards(first):
    sources = first.query("select distinct data_source from api.daily")["data_source"].to_list()
    origins = first.query("select distinct origin from quality.unit_versions")["origin"].to_list()

    assert sources == ["simulated"]
    assert origins == ["backfilled"]
    assert {row["data_source"] for row in first.manifests()} == {"simulated"}


def test_no_price_is_younger_than_the_sunday_before_the_week(first):
    newest = first.query("select max(date) from api.daily").item()

    assert str(newest) == "2025-01-05"


def test_landed_rows_all_say_simulated_and_when_they_were_known(first):
    landed = first.folder / "landing"

    wrong = duckdb.sql(
        f"select filename from read_parquet('{landed}/*/*/*/*.parquet', union_by_name = true, filename = true) "
        "where data_source <> 'simulated' or available_at is null or loaded_at is null or load_id is null"
    ).fetchall()

    assert wrong == []
    assert not list(first.folder.rglob("*.tmp"))


def test_the_log_of_a_run_has_every_step(first):
    log = (first.folder / "run.log").read_text()

    for step in ("dbt_marts", "calls", "published__warehouse"):
        assert f"{step} - STEP_START" in log
        assert f"{step} - STEP_SUCCESS" in log
