"""What a real copy shows of raw values, measured, against what `redistribution.py` says of its tables."""

import duckdb
import pytest

from orchestration.lib.redistribution import CALLS, CLASSIFIED, COLUMNS, SERIES
from orchestration.lib.versioned_tables import VERSIONED_TABLES

FIGURES = ("price_usd", "market_cap_usd", "volume_24h_usd")
ENOUGH_ROWS = 20
MOST_OF_A_COLUMN = 0.9
ONE_DAY_IN_SEVEN = 1 / 7


@pytest.fixture(scope="module")
def copy(first):
    with duckdb.connect(str(first.published), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            f"create temp table raw as select token_id, market_date, {', '.join(FIGURES)} from marts.fct_daily"
        )
        yield connection


@pytest.fixture(scope="module")
def shown(copy):
    """Columns in USD that are the close, market cap or volume of their token on a date of theirs, with the share of days they show."""
    columns = copy.execute(
        """
        select
            table_schema || '.' || table_name as name,
            list(column_name) filter (ends_with(column_name, '_usd') and data_type in ('DOUBLE', 'FLOAT')) as numbers,
            list(column_name) filter (data_type = 'DATE') as dates
        from information_schema.columns where table_schema in ('api', 'marts') group by all
        having list_contains(list(column_name), 'token_id') and dates is not null and numbers is not null
        """
    ).fetchall()
    found = {}
    for name, numbers, dates in columns:
        if name in SERIES:
            continue  # all of it goes
        read = ", ".join(("token_id", *dates, *numbers))
        copy.execute(f"create or replace temp table looked_at as select {read} from {name}")
        for date in dates:
            for days_before in (0, 1):
                for number in numbers:
                    equal = " or ".join(f"abs(looked_at.{number} / raw.{figure} - 1) < 1e-9" for figure in FIGURES)
                    known, same, days = copy.execute(
                        f"""
                        select
                            count(looked_at.{number}), count(*) filter ({equal}),
                            count(distinct (looked_at.token_id, raw.market_date)) filter ({equal}) / (select count(*) from raw)
                        from looked_at
                        left join raw
                            on looked_at.token_id = raw.token_id and raw.market_date = looked_at.{date} - {days_before}
                        """
                    ).fetchone()
                    if known >= ENOUGH_ROWS and same >= MOST_OF_A_COLUMN * known:
                        found[name, number] = max(found.get((name, number), 0), days)
    return found


def test_every_published_table_is_classified(first):
    versioned = {table.full_name for table in VERSIONED_TABLES}
    theirs = {f"{name}_current" for name in versioned} | {"quality.unit_versions"}

    unknown = set(first.manifests()[-1]["objects"]) - versioned - theirs - CLASSIFIED

    assert not unknown, f"{', '.join(sorted(unknown))}: classify in orchestration/lib/redistribution.py"


def test_columns_of_raw_values_are_known_as_such(shown):
    assert {("marts.fct_universe_daily", "price_usd"), ("api.top_market_cap", "market_cap_usd")} <= set(shown)

    unsaid = {
        f"{name}.{column}"
        for name, column in shown
        if name not in SERIES and column not in COLUMNS.get(name, {}) and column not in CALLS.get(name, ())
    }

    assert not unsaid, f"{', '.join(sorted(unsaid))} show raw values: say so in orchestration/lib/redistribution.py"


def test_calls_show_at_most_one_day_in_seven(shown):
    shares = {name: share for name, share in shown.items() if name[0] in CALLS and name[1] in CALLS[name[0]]}

    assert shares
    assert {name: share for name, share in shares.items() if share > ONE_DAY_IN_SEVEN} == {}


def test_columns_that_are_left_out_exist(copy):
    there = copy.execute(
        "select table_schema || '.' || table_name || '.' || column_name from information_schema.columns"
    ).fetchall()

    said = {f"{name}.{column}" for name, columns in (*COLUMNS.items(), *CALLS.items()) for column in columns}

    assert said <= {name for (name,) in there}


def test_by_default_everything_is_published_with_its_terms(first):
    newest = first.manifests()[-1]

    assert (newest["publish_for"], newest["left_out"]) == ("own_use", {})
    assert newest["terms"]["coingecko"]["redistribution"] == "restricted"
    assert set(newest["terms"]) == set(newest["attribution"])
