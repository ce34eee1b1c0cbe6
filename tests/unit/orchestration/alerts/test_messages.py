from datetime import date

import pytest

from orchestration.alerts.errors import AlertsError
from orchestration.alerts.messages import Templates
from orchestration.alerts.rules import AlertRules

DEFAULTS = AlertRules()
FLIP = {
    "token_id": "bitcoin",
    "symbol": "BTC",
    "name": "Bitcoin",
    "previous_signal": 0,
    "signal": 1,
    "flip_date": "2025-01-05",
    "flip_price_usd": None,
}


def message(folder, *, count=1, rules=DEFAULTS):
    return Templates(rules, folder).message(
        "signal_flips", [FLIP] * count, week=date(2025, 1, 6), is_withdrawal=False, data_source="simulated"
    )


def test_a_template_of_ones_own_takes_the_place_of_the_shipped_one(tmp_path):
    (tmp_path / "signal_flips.txt").write_text("{{ symbol }}!")

    assert message(tmp_path).body == "- BTC!\nResearch, no advice."


def test_a_price_that_is_not_known_is_a_dash_and_not_zero(tmp_path):
    assert "2025-01-05, –" in message(tmp_path).body  # noqa: RUF001 - the dash of the formats


def test_a_long_list_is_cut_and_counted(tmp_path):
    body = message(tmp_path, count=7, rules=AlertRules(lines=3)).body

    assert body.count("BTC") == 3
    assert "and 4 more" in body


def test_a_name_that_there_is_not_is_told_with_those_there_are(tmp_path):
    (tmp_path / "signal_flips.txt").write_text("{{ grade }}")

    with pytest.raises(
        AlertsError, match=r"signal_flips cannot be filled \('grade' is undefined\); its names are flip_date"
    ):
        message(tmp_path)


def test_a_template_that_is_not_understood_is_named_with_its_line(tmp_path):
    (tmp_path / "late_weeks.txt").write_text("fine\n{% if %}")

    with pytest.raises(AlertsError, match=r"late_weeks.txt:2: "):
        Templates(AlertRules(), tmp_path)


def test_a_template_cannot_reach_into_python(tmp_path):
    (tmp_path / "signal_flips.txt").write_text("{{ ''.__class__.__mro__ }}")

    with pytest.raises(AlertsError, match="unsafe"):
        message(tmp_path)
