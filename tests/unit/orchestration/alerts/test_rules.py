import re

import pytest
from pydantic import SecretStr

from orchestration.alerts.errors import AlertsError
from orchestration.alerts.events import KINDS
from orchestration.alerts.messages import Templates
from orchestration.alerts.rules import load_setup, read_addresses, read_rules
from orchestration.settings import REPOSITORY_ROOT


def test_addresses_have_the_names_in_front_of_them_and_values_keep_their_equal_signs():
    found = read_addresses(SecretStr("phone=ntfys://host/topic?priority=high\n  json://u:p=1@host/x"))

    assert {name: each.get_secret_value() for name, each in found.items()} == {
        "phone": "ntfys://host/topic?priority=high",
        "default": "json://u:p=1@host/x",
    }
    assert "topic" not in repr(found)


@pytest.mark.parametrize(
    "text", ["phone=canary", "canary", "phone=json://canary team=canary", "json://canary json://canary2"]
)
def test_a_bad_address_is_refused_without_being_shown(text):
    with pytest.raises(AlertsError, match="TIDEMARK_ALERTS_URLS") as refused:
        read_addresses(SecretStr(text))

    assert "canary" not in str(refused.value)


def test_without_a_file_everything_has_a_default():
    rules = read_rules("# nothing yet\n", name="alerts.yaml")

    assert rules.watch == ("bitcoin", "ethereum")
    assert rules.destinations("signal_flips", {"phone": 1, "team": 2}) == ("phone", "team")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("watch: [bitcoin]\nindixes: [hodl10]\n", "alerts.yaml:2: indixes: unknown key; did you mean 'indices'?"),
        ("lines: 0\n", "alerts.yaml:1: lines: 0 must be greater than or equal to 1"),
        ("routes: {signal_flip: [phone]}\n", "unknown kind signal_flip; choose among signal_flips, index_changes"),
        ("own: [{name: late_weeks, title: a, sql: a, key: [a], line: a}]\n", "late_weeks is taken already"),
        ("own: [{name: mine, title: a, sql: a, key: [], line: a}]\n", "alerts.yaml:1: own.0.key"),
        ("watch: [bitcoin\n", "alerts.yaml:2: not valid YAML"),
    ],
)
def test_a_bad_rule_is_named_with_its_line_and_the_way_out(text, said):
    with pytest.raises(AlertsError) as refused:
        read_rules(text, name="alerts.yaml")

    assert said in str(refused.value)


def test_a_route_to_an_address_that_is_not_there_names_those_that_are(published):
    published.rules("routes: {late_weeks: [pager]}\n")

    with pytest.raises(AlertsError, match=r"routes.late_weeks: 'pager' is no address; name one of phone"):
        load_setup(published.settings())


def test_the_page_names_every_kind_and_its_rules_and_lines_are_understood(tmp_path):
    page = (REPOSITORY_ROOT / "docs" / "how-to" / "alerts.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)

    rules = read_rules(example, name="alerts.md")
    Templates(rules, tmp_path)

    assert [alert.name for alert in rules.own] == ["grade_jumps"]
    assert all(f"| `{kind}` |" in page for kind in KINDS)
