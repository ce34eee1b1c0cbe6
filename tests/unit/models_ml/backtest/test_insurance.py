"""The price of a rotation: what is given up in years in which the market rises, and what is avoided in others."""

import datetime as dt

import polars as pl
import pytest

from models_ml.backtest.errors import BacktestDataError
from models_ml.backtest.insurance import price_of_insurance


def series(name, values):
    days = [dt.date.fromisoformat(day) for day in values]
    return pl.DataFrame(
        {"date": days, "index_id": [name] * len(days), "level": [float(level) for level in values.values()]}
    )


def test_years_by_hand():
    insured = {"2020-06-01": 100, "2020-12-31": 150, "2021-06-30": 120, "2021-12-31": 135}
    plain = {"2020-06-01": 200, "2020-12-31": 400, "2021-06-30": 100, "2021-12-31": 200}
    levels = pl.concat([series("with", insured), series("without", plain)])

    first, second = price_of_insurance(levels, {"with": "without"}).rows(named=True)

    assert (first["year"], first["is_bull_year"]) == (2020, True)
    assert (first["return_with"], first["return_without"]) == pytest.approx((0.5, 1.0))
    assert first["given_up"] == pytest.approx(0.5)
    assert (first["max_drawdown_with"], first["max_drawdown_without"]) == (0, 0)
    assert (second["year"], second["is_bull_year"]) == (2021, False)
    assert (second["return_with"], second["return_without"]) == pytest.approx((-0.1, -0.5))
    assert second["given_up"] == pytest.approx(-0.4)
    assert (second["max_drawdown_with"], second["max_drawdown_without"]) == pytest.approx((-0.2, -0.75))
    assert (second["first_date"], second["last_date"]) == (dt.date(2020, 12, 31), dt.date(2021, 12, 31))


def test_returns_of_the_years_chain_to_that_of_the_whole_time():
    closes = (100.0, 130.0, 90.0, 120.0, 60.0, 240.0)
    days = ["2019-03-01", "2019-12-30", "2020-01-05", "2020-12-31", "2021-08-01", "2022-02-02"]
    levels = pl.concat([series("with", dict(zip(days, closes, strict=True))), series("w", dict.fromkeys(days, 5.0))])

    found = price_of_insurance(levels, {"with": "w"})

    assert (1 + found["return_with"]).product() == pytest.approx(2.4)
    assert found["is_bull_year"].to_list() == [False] * 4


def test_days_that_only_one_of_them_has_do_not_count():
    levels = pl.concat(
        [
            series("with", {"2021-01-01": 1, "2021-02-01": 2, "2021-03-01": 3}),
            series("without", {"2021-01-01": 1, "2021-03-01": 2}),
        ]
    )

    (row,) = price_of_insurance(levels, {"with": "without"}).rows(named=True)

    assert (row["return_with"], row["return_without"]) == pytest.approx((2.0, 1.0))


def test_an_index_that_has_no_levels_has_no_rows():
    levels = series("with", {"2021-01-01": 1, "2021-02-01": 2})

    assert price_of_insurance(levels, {"with": "absent", "other": "with"}).is_empty()


def test_a_day_that_is_there_twice_is_refused():
    levels = series("with", {"2021-01-01": 1})

    with pytest.raises(BacktestDataError, match="2021-01-01"):
        price_of_insurance(pl.concat([levels, levels]), {"with": "with"})
