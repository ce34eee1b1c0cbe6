"""FRED's wire format and the economy behind it."""

from datetime import UTC, date, datetime

import httpx
import numpy as np
import pytest

from orchestration.sandbox.macro import DAILY, MONTHLY, WEEKLY, MacroSeries, is_holiday
from orchestration.sandbox.runner import RunningSandbox
from orchestration.sandbox.settings import SimulationSettings

RANGES = {
    "DFF": (0.05, 6), "DGS10": (0.5, 8), "DGS2": (0.1, 8), "T10Y2Y": (-4, 5), "T10YIE": (0.5, 4.5), "DFII10": (-2.5, 6),
    "VIXCLS": (8, 85), "DTWEXBGS": (85, 150), "WALCL": (5e6, 11e6), "RRPONTSYD": (0, 3000), "M2SL": (19000, 30000),
}  # fmt: skip


def get(http: httpx.Client, sandbox: RunningSandbox, **params) -> httpx.Response:
    return http.get(f"{sandbox.url_for('fred.stlouisfed.org')}/graph/fredgraph.csv", params=params)


def test_days_come_with_empty_cells_on_holidays_and_no_weekends(http, sandbox):
    answer = get(http, sandbox, id="DGS10", cosd="2024-12-20", coed="2024-12-31")

    lines = answer.text.splitlines()
    assert lines[0] == "observation_date,DGS10"
    assert [line.split(",")[0] for line in lines[1:]] == [f"2024-12-{day}" for day in (20, 23, 24, 25, 26, 27, 30, 31)]
    assert [line for line in lines if line.endswith(",")] == ["2024-12-25,"]


def test_a_figure_appears_when_it_is_released(http, sandbox):
    def newest(series_id: str) -> str:
        return get(http, sandbox, id=series_id, cosd="2024-10-01").text.splitlines()[-1].split(",")[0]

    sandbox.clock.now = datetime(2025, 1, 6, 21, 0, tzinfo=UTC)  # Monday, 16:00 in New York
    before = [newest(name) for name in ("DGS10", "DTWEXBGS", "WALCL", "M2SL")]
    sandbox.clock.now = datetime(2025, 1, 6, 22, 0, tzinfo=UTC)
    after = [newest(name) for name in ("DGS10", "DTWEXBGS", "WALCL", "M2SL")]

    assert before == ["2025-01-02", "2024-12-27", "2025-01-01", "2024-11-01"]
    assert after == ["2025-01-03", "2025-01-03", "2025-01-01", "2024-11-01"]


def test_unknown_series_are_a_page_and_joined_ones_have_points(http, sandbox):
    page = get(http, sandbox, id="NOSUCH")
    joined = get(http, sandbox, id="DFF,DGS10", cosd="2024-12-28", coed="2024-12-30")

    assert page.text.startswith("<!DOCTYPE html>")
    assert [line.split(",")[2] for line in joined.text.splitlines()[:3]] == ["DGS10", ".", "."]


@pytest.mark.parametrize("seed", [1, 2, 7])
def test_series_stay_in_plausible_ranges_and_agree_with_each_other(seed):
    series = MacroSeries(SimulationSettings(seed=seed))
    now = datetime(2025, 7, 7, tzinfo=UTC)

    values = {
        name: {each.day: float(each.text) for each in series.visible(name, now) if each.text}
        for name in (*DAILY, *WEEKLY, *MONTHLY)
    }

    outside = {
        name: (min(found.values()), max(found.values()))
        for name, found in values.items()
        if not (RANGES[name][0] <= min(found.values()) and max(found.values()) <= RANGES[name][1])
    }
    day = date(2024, 6, 4)
    assert outside == {}
    assert values["T10Y2Y"][day] == pytest.approx(values["DGS10"][day] - values["DGS2"][day], abs=0.011)
    assert values["DFII10"][day] == pytest.approx(values["DGS10"][day] - values["T10YIE"][day], abs=0.011)
    assert 3 < len(set(values["DFF"].values())) < 40


def test_the_economy_says_nothing_of_the_market(market):
    series = MacroSeries(market.settings)
    start = market.settings.start
    close = np.log(market.panel.token(0).close)
    found = {}
    for name in DAILY:
        days = [(each.day - start).days for each in series.visible(name, datetime(2025, 7, 1, tzinfo=UTC)) if each.text]
        texts = [float(each.text) for each in series.visible(name, datetime(2025, 7, 1, tzinfo=UTC)) if each.text]
        pairs = [
            (b - a, close[day + 7] - close[day])
            for a, b, day in zip(texts, texts[1:], days[1:], strict=False)
            if 0 <= day < len(close) - 8
        ]
        found[name] = np.corrcoef(*np.array(pairs).T)[0, 1]

    assert max(abs(value) for value in found.values()) < 0.12  # some 900 overlapping pairs


def test_holidays_are_those_of_the_federal_reserve():
    # https://www.federalreserve.gov/aboutthefed/k8.htm
    of_2023 = ["01-02", "01-16", "02-20", "05-29", "06-19", "07-04", "09-04", "10-09", "11-23", "12-25"]

    found = [f"{day:%m-%d}" for day in np.arange("2023-01-01", "2024-01-01", dtype="M8[D]").tolist() if is_holiday(day)]

    assert found == of_2023  # Veterans Day of 2023 is a Saturday and not kept
