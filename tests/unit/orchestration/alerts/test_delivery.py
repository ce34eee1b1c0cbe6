from datetime import date, timedelta

import pytest
from filelock import FileLock

from orchestration.alerts import delivery
from orchestration.alerts.errors import AlertsError
from orchestration.alerts.journal import GIVEN_UP_AFTER
from tests.unit.orchestration.alerts.conftest import NOW, WEEK, Remembering

SUNDAY = date(2025, 1, 5)


def test_an_event_is_told_once_however_often_the_week_is_run(published, sender):
    published.flip("bitcoin", SUNDAY, 1)

    first = published.tell(sender)
    published.run()
    again = published.tell(sender, now=NOW + timedelta(hours=1))

    assert (first.events_sent, again.events_sent, again.known) == (1, 0, 1)
    assert sender.sent == [
        (
            "phone",
            "Calls that changed: week of 2025-01-06 (simulated data)",
            "- BTC (Bitcoin): neutral to bullish at the close of 2025-01-05, 2.50 USD\nResearch, no advice.",
        )
    ]


def test_a_correction_tells_what_it_adds_and_what_it_takes_back_and_nothing_else(published, sender):
    published.rules("watch: all\n")
    published.flip("bitcoin", SUNDAY, 1)
    published.flip("dai", SUNDAY, 1)
    published.tell(sender)
    sender.sent.clear()

    published.run("delete from api.signal_flips where token_id = 'dai'")
    published.flip("solana", SUNDAY, -1)
    told = published.tell(sender)

    assert told.withdrawn == 1
    assert [title for _, title, _ in sender.sent] == [
        "Calls that changed, withdrawn: week of 2025-01-06 (simulated data)",
        "Calls that changed: week of 2025-01-06 (simulated data)",
    ]
    assert "DAI (dai)" in sender.sent[0][2]
    assert "SOL" in sender.sent[1][2]
    assert "BTC" not in sender.text


def test_what_was_withdrawn_and_comes_again_is_told_again(published, sender):
    published.flip("bitcoin", SUNDAY, 1)
    published.tell(sender)
    published.run("delete from api.signal_flips")
    published.tell(sender)

    published.flip("bitcoin", SUNDAY, 1)
    published.tell(sender)
    published.run()
    published.tell(sender)

    assert ["withdrawn" in title for _, title, _ in sender.sent] == [False, True, False]


def test_a_shorter_watch_list_withdraws_nothing_and_a_longer_one_tells_no_past_weeks(published, sender):
    published.flip("bitcoin", date(2024, 12, 29), 1)
    published.run(week=WEEK - timedelta(days=7))
    published.tell(sender)
    published.flip("solana", date(2024, 12, 28), 1)
    published.rules("watch: [solana]\n")

    published.tell(sender)

    assert [title for _, title, _ in sender.sent] == ["Calls that changed: week of 2024-12-30 (simulated data)"]


def test_a_correction_of_a_past_week_tells_what_it_adds_there(published, sender):
    published.run(week=WEEK - timedelta(days=7))
    published.tell(sender)

    published.flip("bitcoin", date(2024, 12, 29), 1)
    published.tell(sender)

    assert [title for _, title, _ in sender.sent] == ["Calls that changed: week of 2024-12-30 (simulated data)"]


def test_what_could_not_be_sent_is_recorded_and_sent_next_time(published, sender):
    published.flip("bitcoin", SUNDAY, 1)
    sender.failing = {"phone"}

    failed = published.tell(sender)
    (entry,) = published.journal()["entries"].values()
    sender.failing = set()
    later = published.tell(sender, now=NOW + timedelta(days=7))

    assert [each.failure for each in failed.failed] == ["no connection, or no answer in time"]
    assert entry["deliveries"]["phone"]["state"] == "due"
    assert entry["deliveries"]["phone"]["attempts"] == 1
    assert (later.events_sent, len(sender.sent)) == (1, 1)


def test_an_address_that_fails_is_tried_once_and_the_others_get_theirs(published, sender):
    published.flip("bitcoin", SUNDAY, 1)
    published.run(
        f"insert into api.moonshots (as_of_week, rank, token_id, checks_true, checks_known) values ('{WEEK}', 1, 'dai', 0, 5)"
    )
    sender.failing = {"phone"}
    both = "phone=json://localhost/x team=json://localhost/y"

    told = published.tell(sender, addresses=both)

    assert sender.calls == 3
    assert [name for name, _, _ in sender.sent] == ["team", "team"]
    assert [each.failure for each in told.failed] == ["no connection, or no answer in time", delivery.NOT_TRIED]


def test_what_was_under_way_when_the_process_died_is_not_sent_again_and_is_named(published, sender):
    published.flip("bitcoin", SUNDAY, 1)

    class Killed(Remembering):
        def send(self, name, *, title, body):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        published.tell(Killed())
    told = published.tell(sender)

    assert (told.interrupted, sender.sent) == (1, [])
    assert "may have arrived" in " ".join(delivery.as_lines(told))


def test_what_could_not_be_sent_for_two_weeks_is_given_up(published, sender):
    published.flip("bitcoin", SUNDAY, 1)
    sender.failing = {"phone"}
    published.tell(sender)
    sender.failing = set()

    published.tell(sender, now=NOW + GIVEN_UP_AFTER + timedelta(hours=1))

    assert [title.split(":")[0] for _, title, _ in sender.sent] == ["A week is late"], (
        "two weeks later, and no old call"
    )


def test_an_address_that_is_added_hears_no_old_news(published, sender):
    published.flip("bitcoin", SUNDAY, 1)
    published.tell(sender)

    published.tell(sender, addresses="phone=json://localhost/x team=json://localhost/y")

    assert [name for name, _, _ in sender.sent] == ["phone"]


def test_kinds_go_where_the_rules_say(published, sender):
    published.rules("routes: {signal_flips: [team], moonshot_entries: []}\n")
    published.flip("bitcoin", SUNDAY, 1)
    published.run(f"insert into api.moonshots (as_of_week, rank, token_id) values ('{WEEK}', 1, 'dai')")

    published.tell(sender, addresses="phone=json://localhost/x team=json://localhost/y")

    assert [(name, title.split(":")[0]) for name, title, _ in sender.sent] == [("team", "Calls that changed")]


@pytest.mark.parametrize("addresses", ["", "phone=json://localhost/x"])
def test_a_dry_run_says_what_would_be_sent_and_writes_nothing(published, sender, tree, addresses):
    published.flip("bitcoin", SUNDAY, 1)
    before = tree(published.root)

    told = published.tell(sender, addresses=addresses, is_dry=True)

    assert "BTC (Bitcoin): neutral to bullish" in told.messages[0].message.body
    assert sender.calls == 0
    assert tree(published.root) == before


def test_without_an_address_nothing_is_done(published, sender, tree):
    before = tree(published.root)

    told = published.tell(sender, addresses=" ")

    assert told == delivery.Told()
    assert tree(published.root) == before


def test_a_hostile_name_reaches_nobody_as_more_than_text(published, sender):
    name = "@everyone [x](http://evil.example) " + "<b>" * 5000
    published.run(
        f"insert into api.tokens values ('evil', '<!here>', '{name}')",
        f"insert into api.signal_flips values ('evil', '{SUNDAY}', 0, 1, 2.5)",
    )
    published.rules("watch: all\n")

    published.tell(sender)

    assert not set("@<>[]") & set(sender.text)
    assert "://" not in sender.text
    assert "evil.example" not in sender.text
    assert len(sender.text) < 400


def test_a_damaged_journal_stops_the_telling_and_names_the_way_out(published, sender):
    published.flip("bitcoin", SUNDAY, 1)
    (published.root / "alerts_journal.json").write_text('{"entries": ')

    with pytest.raises(AlertsError, match=r"alerts_journal.json is damaged .* restore it from a backup"):
        published.tell(sender)

    assert sender.calls == 0


def test_two_processes_do_not_tell_at_once(published, sender, monkeypatch):
    monkeypatch.setattr(delivery, "LONGEST_WAIT_SECONDS", 0.1)
    published.flip("bitcoin", SUNDAY, 1)

    with FileLock(published.root / "alerts.lock"), pytest.raises(AlertsError, match="held by another process"):
        published.tell(sender)

    assert sender.calls == 0


def test_an_alert_of_ones_own_is_a_query_and_a_line(published, sender):
    published.rules(
        """own:
- name: many_sols
  title: Tokens called SOL
  sql: select token_id, symbol, name, $week as asked from api.tokens where symbol = 'SOL' order by token_id
  key: [token_id]
  line: "{{ name }} ({{ token_id }}), asked for {{ asked }}"
"""
    )

    published.tell(sender)
    published.run()
    published.tell(sender)

    assert [body for _, _, body in sender.sent] == [
        "- Solana (solana), asked for 2025-01-06\n- Wrapped Solana (wrapped-solana), asked for 2025-01-06\nResearch, no advice."
    ]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select * from read_csv('/etc/passwd')", "disabled by configuration"),
        ("select symbol from api.tokens", "it has no column token_id"),
        ("select range as token_id from range(501)", "more than 500 rows"),
        ("drop table api.tokens", "read-only"),
    ],
)
def test_a_query_that_cannot_be_asked_is_named_and_the_rest_is_told(published, sender, sql, said):
    published.rules(f'own: [{{name: mine, title: a, sql: "{sql}", key: [token_id], line: a}}]\n')
    published.flip("bitcoin", SUNDAY, 1)

    told = published.tell(sender)

    assert said in told.problems[0]
    assert "'mine'" in told.problems[0]
    assert "Bitcoin" in sender.text


def test_a_turn_that_revised_prices_date_a_week_earlier_is_neither_news_nor_withdrawn(published, sender):
    published.run(
        "insert into api.sector_rotation values ('2025-01-05', 'Meme', 'up', '2024-12-20', '2024-12-30', false)"
    )
    published.tell(sender)

    published.run(
        "delete from api.sector_rotation",
        "insert into api.sector_rotation values ('2024-12-29', 'Meme', 'up', '2024-12-20', '2024-12-29', false)",
    )
    told = published.tell(sender)

    assert (told.withdrawn, len(sender.sent)) == (0, 1)
