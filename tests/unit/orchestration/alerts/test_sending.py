"""apprise against a server on this machine: what arrives, what does not, and that no address gets out."""

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dagster as dg
import pytest
from pydantic import SecretStr

from orchestration.alerts.errors import AlertsError
from orchestration.alerts.sending import NO_ANSWER, AppriseSender
from orchestration.defs.automation.alerts import OFF, published_alerts
from tests.processes import free_port

CANARY = "canary-5e0c2b71"


class Receiving(ThreadingHTTPServer):
    """Keeps the bodies it gets and answers with a status."""

    def __init__(self):
        self.bodies = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self):
        return f"json://127.0.0.1:{self.server_port}/{CANARY}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append((self.path, json.loads(body)))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server():
    with Receiving() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def dead_address():
    return f"json://127.0.0.1:{free_port()}/{CANARY}"


def sender(address):
    return AppriseSender({"phone": SecretStr(address)})


def test_a_message_arrives_as_it_was_written(server):
    failure = sender(server.address).send("phone", title="A title", body="- one\n- ‹two› \\n")  # noqa: RUF001 - harmless look-alikes

    ((path, body),) = server.bodies
    assert failure is None
    assert path == f"/{CANARY}"
    assert (body["title"], body["message"]) == ("A title", "- one\n- ‹two› \\n")  # noqa: RUF001 - see above


def test_a_refusal_gives_the_status_and_nothing_of_the_address(server, caplog):
    caplog.set_level(logging.DEBUG)
    server.status = 500

    failure = sender(server.address).send("phone", title="a", body="b")

    assert failure == "the service answered with HTTP 500"
    assert CANARY not in caplog.text


def test_a_dead_server_is_a_failure_in_words(dead_address, caplog):
    caplog.set_level(logging.DEBUG)

    assert sender(dead_address).send("phone", title="a", body="b") == NO_ANSWER
    assert CANARY not in caplog.text


@pytest.mark.parametrize("address", [f"nosuch://{CANARY}", f"tgram://{CANARY}"])
def test_an_address_apprise_cannot_use_is_refused_by_name(address, caplog):
    caplog.set_level(logging.DEBUG)

    with pytest.raises(AlertsError, match="cannot use the address 'phone'") as refused:
        sender(address)

    assert CANARY not in str(refused.value) + caplog.text


def materialised(published, monkeypatch, addresses, capfd):
    """What the asset's run shows and prints, without its instance."""
    monkeypatch.setenv("TIDEMARK_DATA_DIR", str(published.root))
    monkeypatch.setenv("TIDEMARK_ALERTS_URLS", addresses)
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([published_alerts], selection=[published_alerts], instance=instance)
        logged = " ".join(str(entry) for entry in instance.all_logs(result.run_id))
    (materialisation,) = result.asset_materializations_for_node("published__alerts")
    out, err = capfd.readouterr()
    return {name: value.value for name, value in materialisation.metadata.items()}, out + err + logged


def test_a_run_tells_and_one_whose_address_is_dead_succeeds_and_the_next_makes_it_good(
    published, server, dead_address, monkeypatch, capfd
):
    published.flip("bitcoin", published.sunday, 1)

    dead, said = materialised(published, monkeypatch, f"phone={dead_address}", capfd)
    good, said_then = materialised(published, monkeypatch, f"phone={server.address}", capfd)
    again, _ = materialised(published, monkeypatch, f"phone={server.address}", capfd)

    assert (dead["state"], dead["messages_failed"]) == ("some are due", 1)
    assert (good["state"], good["events_sent"], again["events_sent"]) == ("told", 1, 0)
    assert len(server.bodies) == 1
    assert "neutral to bullish" in server.bodies[0][1]["message"]
    written = b"".join(path.read_bytes() for path in published.root.rglob("*") if path.is_file()).decode(
        errors="replace"
    )
    assert NO_ANSWER in said
    assert CANARY not in said + said_then + written


def test_a_run_without_an_address_does_nothing(published, monkeypatch, capfd, tree):
    before = tree(published.root)

    shown, _ = materialised(published, monkeypatch, "", capfd)

    assert shown == {"state": OFF}
    assert tree(published.root) == before


def test_rules_that_cannot_work_are_a_warning_of_the_run(published, server, monkeypatch, capfd):
    published.rules("lines: many\n")

    shown, said = materialised(published, monkeypatch, server.address, capfd)

    assert shown["state"] == "not sent: see the log"
    assert "alerts.yaml:1: lines" in said
    assert server.bodies == []


def test_what_nobody_foresaw_does_not_fail_the_run_either(published, server, monkeypatch, capfd):
    published.flip("bitcoin", published.sunday, 1)
    (published.root / "alerts_journal.json").mkdir()

    shown, said = materialised(published, monkeypatch, server.address, capfd)

    assert shown["state"] == "not sent: see the log"
    assert "IsADirectoryError" in said
