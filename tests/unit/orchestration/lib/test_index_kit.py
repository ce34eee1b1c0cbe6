"""The provider's kit as runs record it, and the views of the SQL interface that are made of it."""

import datetime as dt
import json
import re

import duckdb
import polars as pl
import pytest

from models_ml.indices.definition import IndexDefinition, parse_definition
from models_ml.indices.market import CANDIDATE_SCHEMA, PRICE_SCHEMA, MarketData, MarketState
from orchestration.lib.index_backtest import create_backtest_tables
from orchestration.lib.index_insurance import create_insurance_table
from orchestration.lib.index_kit import (
    create_kit_tables,
    record_versions,
    write_documents,
    write_methodologies,
    write_pro_forma,
)
from orchestration.lib.index_weeks import IndexWeeks, append_indices, compute_index
from orchestration.lib.versions import create_versioned_tables
from orchestration.lib.warehouse import create_schemas
from orchestration.settings import REPOSITORY_ROOT
from tests.unit.orchestration.builds import build_of

VIEWS = REPOSITORY_ROOT / "dbt_project" / "models" / "api"
FIRST, WEEK = dt.date(2023, 1, 1), dt.date(2024, 5, 6)
DAYS = [FIRST + dt.timedelta(days=day) for day in range((WEEK - FIRST).days)]
SUPPLY = {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}


def rendered(view):
    """SQL of a view of the interface, names of sources and marts in the place of dbt's calls."""
    sql = (VIEWS / f"{view}.sql").read_text()
    sql = re.sub(r"\{\{ source\('(\w+)', '(\w+)'\) \}\}", r"\1.\2", sql)
    return re.sub(r"\{\{ ref\('(\w+)'\) \}\}", r"marts.\1", sql)


def price(token_id, day):
    """Steady growth, the faster the later in the alphabet."""
    return (1 + "abcd".index(token_id) / 2000) ** (day - FIRST).days


def market(*, until=WEEK, missing=()):
    """Four tokens; `missing` are (token, day) without a price."""
    rows = [
        (day, name, price(name, day)) for day in DAYS for name in SUPPLY if (name, day) not in missing and day < until
    ]

    def candidates(day):
        facts = {"sector": "L1", "is_stable": False, "is_wrapped": False, "is_fiat_backed": False}
        return pl.DataFrame(
            [
                {
                    "token_id": name,
                    "symbol": name.upper(),
                    **facts,
                    "price_usd": price(name, day),
                    "market_cap_usd": price(name, day) * supply * 1e6,
                    "volume_30d_median_usd": 1e6,
                    "age_days": 1000,
                    "trader_grade": 50.0,
                    "score": supply,
                }
                for name, supply in SUPPLY.items()
            ],
            schema=CANDIDATE_SCHEMA,
        )

    prices = pl.DataFrame(rows, schema=PRICE_SCHEMA, orient="row")
    return MarketData(prices=prices, candidates=candidates, market_state=lambda day: MarketState(None))


def definition(index_id="top3", **fields):
    return IndexDefinition.model_validate(
        {
            "index_id": index_id,
            "name": "Top 3",
            "kind": "passive",
            "methodology": "The three largest.",
            "selection": {"count": 3},
            "calendar": {"rule": "monthly"},
            "minimum_constituents": 2,
            **fields,
        }
    )


TOP, MODEL = definition(), definition("model2", selection={"count": 2}, calendar={"rule": "weekly_model"}, twin="top3")


def build(*, hour=0, week=WEEK):
    at = dt.datetime(2024, 5, 6, hour, tzinfo=dt.UTC)
    return build_of(week, at=at, build_id=f"run {hour}")


@pytest.fixture
def connection(tmp_path):
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as opened:
        opened.execute("set TimeZone = 'UTC'")
        create_schemas(opened)
        create_versioned_tables(opened)
        create_backtest_tables(opened)
        create_kit_tables(opened)
        create_insurance_table(opened)
        opened.execute(
            """create table indices.definitions
            (index_id varchar primary key, name varchar, kind varchar, methodology varchar, first_date date, last_date date)"""
        )
        opened.execute("create table marts.fct_daily (market_date date)")
        opened.execute("insert into marts.fct_daily values (?)", [FIRST])
        opened.execute("create table marts.dim_tokens (token_id varchar, is_stable boolean, is_current boolean)")
        opened.execute("insert into marts.dim_tokens values ('c', true, true), ('c', false, false)")
        opened.execute("create schema if not exists api")
        for name in ("index_methodology", "index_pro_forma", "index_coverage", "index_fact_sheet"):
            opened.execute(f"create view api.{name} as {rendered(name)}")
        yield opened


def recorded(connection, *definitions, data=None):
    """Fold, record and write the kit, as a run does."""
    data = data or market()
    computed = [compute_index(connection, each, data, build()) for each in definitions]
    append_indices(connection, computed, build())
    for each in definitions:
        connection.execute(
            "insert into indices.definitions select ?, ?, ?, '', min(date), max(date) from indices.levels_current "
            "where index_id = ? and level is not null",
            [each.index_id, each.name, each.kind, each.index_id],
        )
    record_versions(connection, definitions, build())
    write_methodologies(connection, definitions, year=2024)
    write_pro_forma(connection, computed, data, WEEK)
    return computed


def rows(connection, sql):
    return connection.execute(sql).pl().rows(named=True)


def test_a_definition_is_recorded_when_it_changes_and_the_document_shows_the_log(connection):
    record_versions(connection, [TOP], build())
    unchanged = record_versions(connection, [TOP], build(hour=1))
    changed = definition(selection={"count": 2})

    count = record_versions(connection, [changed], build(hour=2, week=dt.date(2024, 5, 13)))
    write_methodologies(connection, [changed], year=2024)

    found = rows(connection, "select * from api.index_methodology order by version")
    assert (unchanged, count) == (0, 1)
    assert [(each["version"], each["is_in_force"], each["first_week"]) for each in found] == [
        ("1.0", False, WEEK),
        ("2.0", True, dt.date(2024, 5, 13)),
    ]
    assert json.loads(found[1]["changes"]) == ["selection.count: 3 -> 2"]
    assert [parse_definition(each["definition_yaml"], name="recorded") for each in found] == [TOP, changed]
    assert found[0]["document"] is None
    assert "| 2.0 | 2024-05-13 |" in found[1]["document"]
    assert "| 1.0 | 2024-05-06 |" in found[1]["document"]


def test_an_index_that_is_defined_no_more_keeps_its_versions(connection):
    record_versions(connection, [TOP, MODEL], build())

    record_versions(connection, [TOP], build(hour=1))
    write_methodologies(connection, [TOP], year=2024)

    found = rows(connection, "select index_id, is_in_force from api.index_methodology order by index_id")
    assert [tuple(each.values()) for each in found] == [("model2", False), ("top3", True)]


def test_documents_lie_beside_the_copy_and_only_what_changed_is_written(connection, tmp_path):
    record_versions(connection, [TOP, MODEL], build())
    write_methodologies(connection, [TOP, MODEL], year=2024)
    connection.close()
    warehouse, published = tmp_path / "warehouse.duckdb", tmp_path / "published"

    first = write_documents(warehouse, published)
    (published / "methodology" / "gone.md").write_text("an index that is defined no more")
    (published / "methodology" / "top3.md").write_text("torn")
    second = write_documents(warehouse, published)

    assert (first.files, first.written, second.written) == (2, 2, 1)
    assert sorted(path.name for path in second.folder.iterdir()) == ["model2.md", "top3.md"]
    assert (second.folder / "top3.md").read_text().startswith("# Top 3: methodology")


def test_a_rule_index_shows_what_the_newest_close_would_give_and_a_decision_is_final(connection):
    recorded(connection, TOP, MODEL)

    found = rows(connection, "select * from api.index_pro_forma order by index_id, token_id")
    by_index = {name: [each for each in found if each["index_id"] == name] for name in ("top3", "model2")}
    sunday = WEEK - dt.timedelta(days=1)
    caps = {name: price(name, sunday) * SUPPLY[name] for name in ("a", "b", "c")}
    assert {(each["status"], each["effective_at"].date()) for each in by_index["top3"]} == {
        ("indicative", dt.date(2024, 6, 1))
    }
    assert {each["token_id"]: each["target_weight"] for each in by_index["top3"]} == pytest.approx(
        {name: cap / sum(caps.values()) for name, cap in caps.items()}
    )
    now = dict(
        connection.execute(
            "select token_id, weight from indices.compositions_current where index_id = 'top3' and as_of_week = ?",
            [WEEK],
        ).fetchall()
    )
    for each in by_index["top3"]:
        assert each["weight_change"] == pytest.approx(each["target_weight"] - now[each["token_id"]], abs=1e-12)
    # The two largest never change and their weights stay inside the band: nothing was decided this Monday.
    assert {each["status"] for each in by_index["model2"]} == {"unchanged"}
    assert sum(each["target_weight"] for each in by_index["model2"]) == pytest.approx(1)


def test_a_pending_rebalance_is_the_recorded_one(connection):
    weekly = definition("weekly", calendar={"rule": "weekly_model", "retrade": "every_week"})

    recorded(connection, weekly)

    pending = connection.execute(
        "select token_id, target_weight, reason from indices.rebalances_current where effective_at > ? order by token_id",
        [dt.datetime(2024, 5, 6, tzinfo=dt.UTC)],
    ).fetchall()
    found = rows(connection, "select * from api.index_pro_forma order by token_id")
    assert {(each["status"], each["effective_at"].date()) for each in found} == {("decided", dt.date(2024, 5, 7))}
    assert [(each["token_id"], each["target_weight"], each["reason"]) for each in found] == pending


def test_a_run_that_computes_nothing_writes_the_same_pro_forma_from_what_is_recorded(connection):
    recorded(connection, TOP, MODEL)
    before = rows(connection, "select * from api.index_pro_forma order by index_id, token_id")

    write_pro_forma(connection, [IndexWeeks(TOP, ()), IndexWeeks(MODEL, ())], market(), WEEK)

    again = rows(connection, "select * from api.index_pro_forma order by index_id, token_id")
    assert [each["reason"] for each in again] == [each["reason"] for each in before]
    for column in ("target_weight", "weight_change"):
        assert [each[column] for each in again] == pytest.approx([each[column] for each in before], abs=1e-9)


def test_an_index_without_a_basket_says_why_in_a_row_without_a_token(connection):
    narrow = definition("narrow", universe={"sector": "DeFi"})

    write_pro_forma(connection, [IndexWeeks(narrow, ())], market(), WEEK)

    (row,) = rows(connection, "select * from api.index_pro_forma")
    assert (row["status"], row["token_id"]) == ("none", None)
    assert row["reason"] == "0 eligible constituents at the close of 2024-05-05, at least 2 needed"


def test_coverage_counts_weeks_their_reasons_and_the_weight_that_is_priced(connection):
    # b is gone for most of March, the largest but one, so its week's closes have too little of the weight priced.
    gap = [("b", dt.date(2024, 3, 4) + dt.timedelta(days=day)) for day in range(20)]
    recorded(connection, TOP, data=market(missing=gap))

    (found,) = rows(connection, "select * from api.index_coverage")

    statuses = connection.execute(
        "select status, count(distinct as_of_week) from indices.levels_current group by 1 order by 1"
    ).fetchall()
    assert statuses == [("available", found["weeks_available"]), ("unavailable", found["weeks_unavailable"])]
    assert found["weeks_unavailable"] == found["unavailable_reason_weeks"] == 3
    assert "at the close of 2024-03-07, 90.0 % needed" in found["unavailable_reason"]
    assert (found["median_members"], found["undated_inputs"]) == (3.0, "is_stable, is_wrapped")
    assert 0.99 < found["mean_priced_weight"] <= 1
    assert (found["first_level_date"], found["last_level_date"]) == (FIRST, WEEK - dt.timedelta(days=1))


def test_the_fact_sheet_has_returns_of_the_published_level_and_the_figures_of_the_statistics(connection):
    recorded(connection, TOP, MODEL)
    for basis, benchmark, metric, value in (
        ("gross", None, "sharpe", 1.5),
        ("net_10k", "top3", "annual_return_difference", 0.1),
        ("net_10k", "bitcoin", "annual_return_difference", 0.2),
        ("gross", "top3", "annual_return_difference", 9.0),
    ):
        connection.execute(
            "insert into indices.statistics values ('model2', ?, ?, ?, ?, ?, ?, null, null)",
            [basis, benchmark, metric, value, value - 0.05, value + 0.05],
        )

    found = {each["index_id"]: each for each in rows(connection, "select * from api.index_fact_sheet")}

    levels = dict(
        connection.execute("select date, level from indices.levels_current where index_id = 'top3'").fetchall()
    )
    last = WEEK - dt.timedelta(days=1)
    sheet = found["top3"]
    for column, since in {
        "return_1w": dt.date(2024, 4, 28),
        "return_1m": dt.date(2024, 4, 5),
        "return_3m": dt.date(2024, 2, 5),
        "return_ytd": dt.date(2023, 12, 31),
        "return_1y": dt.date(2023, 5, 5),
        "return_since_base": min(levels),
    }.items():
        assert sheet[column] == pytest.approx(levels[last] / levels[since] - 1), column
    assert (sheet["members"], sheet["twin"], sheet["base_level"]) == (3, None, 1000.0)
    assert re.fullmatch(r"A \d\d\.\d %, B \d\d\.\d %, C \d\d\.\d %", sheet["largest"])
    held = dict(
        connection.execute(
            "select token_id, weight from indices.compositions_current where index_id = 'top3' and as_of_week = ?",
            [WEEK],
        ).fetchall()
    )
    assert sheet["stables_weight"] == pytest.approx(held["c"])
    model = found["model2"]
    assert (model["sharpe"], model["sharpe_low"], model["sharpe_high"]) == pytest.approx((1.5, 1.45, 1.55))
    assert (model["annual_return_over_twin"], model["annual_return_over_bitcoin"]) == (0.1, 0.2)
    assert sheet["annual_return_over_twin"] is None


def test_a_return_whose_first_day_lies_in_a_long_gap_is_not_known(connection):
    recorded(connection, TOP)
    connection.execute("create table indices.cut as select * from indices.levels_current")
    connection.execute("update indices.cut set level = null where date between '2024-03-25' and '2024-04-10'")
    sql = rendered("index_fact_sheet").replace("indices.levels_current", "indices.cut")

    (found,) = rows(connection, sql)

    assert found["return_1m"] is None
    assert found["return_3m"] is not None
