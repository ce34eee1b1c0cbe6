"""What a person sees in the Dagster UI: a headless Chromium opens the pages an operator opens first.

The UI of `tidemark dev` runs on a copy of the first run's folder; nothing of it or of the browser outlives the tests.
"""

import json
import shutil
import signal
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.processes import free_port, pids_of
from tests.unit.safety.sockets import listening, others

playwright = pytest.importorskip("playwright.sync_api", reason="playwright, which drives the browser, is not installed")
expect = playwright.expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed: apt-get install chromium"),
]

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SWITCHES += ["--disable-sync", "--no-first-run"]
START_SECONDS = 120
PAGE_MILLISECONDS = 30_000
GROUPS = ["ingestion", "staging", "reference", "intermediate", "marts", "learning", "indices", "screens", "quality"]
GROUPS += ["market", "api", "publishing"]


@dataclass(frozen=True)
class Ui:
    """The UI of one data folder."""

    url: str
    tidemark: Any
    process: Any

    def ask(self, query: str) -> dict[str, Any]:
        """The answer of its GraphQL interface."""
        request = urllib.request.Request(  # noqa: S310 - our own server on loopback
            f"{self.url}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return json.load(answer)["data"]

    def runs(self) -> list[tuple[str, str]]:
        """Job and status of all runs, newest first."""
        found = self.ask("{runsOrError {... on Runs {results {jobName status}}}}")["runsOrError"]["results"]
        return [(run["jobName"], run["status"]) for run in found]

    @property
    def is_loaded(self) -> bool:
        """Whether it answers and the definitions are there."""
        try:
            return len(self.ask("{assetNodes {id}}")["assetNodes"]) > 0
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


@contextmanager
def ui_of(tidemark: Any) -> Iterator[Ui]:
    """`tidemark dev` on a free port, until its definitions are loaded; killed at the end if it still runs."""
    port = free_port()
    with tidemark.started("dev", TIDEMARK_UI_PORT=str(port)) as started:
        ui = Ui(f"http://127.0.0.1:{port}", tidemark, started.process)
        end = time.monotonic() + START_SECONDS
        while not ui.is_loaded:
            assert started.process.poll() is None, started.err.read_text()
            assert time.monotonic() < end, f"no definitions after {START_SECONDS} s: {started.err.read_text()}"
            time.sleep(0.3)
        yield ui


@pytest.fixture(scope="module")
def ui(first: Any, new_folder: Callable[[], Any]) -> Iterator[Ui]:
    """The UI on a copy of the first run's folder."""
    with ui_of(first.copy(new_folder().folder)) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, ui: Ui) -> Iterator[Any]:
    """A page of the UI; errors of scripts and on the console fail the test that caused them."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000}, base_url=ui.url)
    context.set_default_timeout(PAGE_MILLISECONDS)
    expect.set_options(timeout=PAGE_MILLISECONDS)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield opened
    context.close()
    assert errors == []


def test_the_asset_graph_shows_all_groups_and_the_assets_of_an_opened_one(page: Any) -> None:
    page.goto("/asset-groups?expanded=" + urllib.parse.quote("global@global:learning", safe=""))

    for group in GROUPS:
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    # Of a group this large the graph draws what lies in the window.
    for asset in ("models", "trader_grades", "trading_signals"):
        expect(page.get_by_text(asset, exact=True).first).to_be_visible()


def test_the_lineage_leads_without_a_gap_from_what_landed_to_the_published_copy(ui: Ui) -> None:
    nodes = ui.ask(
        "{assetNodes {assetKey {path} isMaterializable description kinds owners {... on TeamAssetOwner {team}} "
        "dependencyKeys {path}}}"
    )["assetNodes"]
    depends_on = {
        "/".join(node["assetKey"]["path"]): {"/".join(key["path"]) for key in node["dependencyKeys"]} for node in nodes
    }

    reached = ancestors("published/warehouse", depends_on)

    assert {"landing/history", "landing/coingecko/market_daily", "landing/binance/candles_daily"} <= reached
    assert {key.split("/")[0] for key in reached} == {
        *(
            "landing",
            "reference",
            "staging",
            "intermediate",
            "marts",
            "learning",
            "indices",
            "screens",
            "market",
            "quality",
            "api",
        )
    }
    assert set().union(*depends_on.values()) <= set(depends_on)
    assert [node for node in nodes if not (node["description"] and node["kinds"] and node["owners"])] == []


def ancestors(key: str, depends_on: dict[str, set[str]]) -> set[str]:
    """Everything a key rests on."""
    found: set[str] = set()
    waiting = [key]
    while waiting:
        new = depends_on[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def test_the_ui_and_all_it_starts_listen_on_this_machine_only(ui: Ui) -> None:
    opened = set().union(*(listening(pid) for pid in pids_of(ui.tidemark.folder)))

    assert int(ui.url.rpartition(":")[2]) in {port for _, port in opened}
    assert others(opened) == set()


def test_a_materialisation_shows_row_count_schema_preview_and_plot(page: Any, ui: Ui) -> None:
    grades = ui.tidemark.query("select * from api.trader_grades order by as_of_week desc, trader_grade desc")

    page.goto("/assets/learning/trader_grades?view=events")
    expect(page.get_by_text("dagster/row_count")).to_be_visible()
    expect(page.get_by_text(str(grades.height), exact=True).first).to_be_visible()
    expect(page.get_by_text(grades["symbol"][0], exact=True)).to_be_visible()
    page.get_by_text("[Show Markdown]").click()

    plot = page.get_by_role("img", name="Trader Grades by week")
    expect(plot).to_be_visible()
    assert plot.evaluate("image => image.naturalWidth") > 500


def test_the_page_of_an_asset_says_what_it_is_and_describes_every_column(page: Any) -> None:
    page.goto("/assets/learning/trader_grades")

    expect(page.get_by_text("Trader Grade, one row per week and token of the universe")).to_be_visible()
    expect(page.get_by_text("Percentile (0-100) of the score among all earlier out-of-sample scores.")).to_be_visible()
    for said in ("LightGBM", "DuckDB", "research", "build_week"):
        expect(page.get_by_text(said).first).to_be_visible()


def test_a_landed_dataset_shows_all_its_rows_and_the_days_that_landed(page: Any, ui: Ui) -> None:
    files = (ui.tidemark.folder / "landing" / "coingecko" / "market_daily").rglob("*.parquet")

    page.goto("/assets/landing/coingecko/market_daily?view=events")
    expect(page.get_by_text("files", exact=True)).to_be_visible()
    expect(page.get_by_text(str(len(list(files))), exact=True).first).to_be_visible()

    page.goto("/assets/landing/coingecko/market_daily?view=partitions")
    expect(page.get_by_text("Materialized (1)")).to_be_visible()


def test_a_check_shows_its_result_and_every_expectation(page: Any, ui: Ui) -> None:
    rows = ui.tidemark.query("select * from learning.trader_grades_current").height

    page.goto("/assets/learning/trader_grades?view=checks")
    expect(page.get_by_text("Passed", exact=True)).to_be_visible()
    expect(page.get_by_text("blocking", exact=True)).to_be_visible()
    page.get_by_text("[Show Markdown]").click()

    expect(page.get_by_text(f"0 of {rows} rows break it", exact=True).first).to_be_visible()
    expect(page.get_by_text("stops the run").first).to_be_visible()


def test_jobs_schedules_and_the_run_of_the_terminal_are_listed(page: Any) -> None:
    page.goto("/jobs")
    for job in ("ingest_daily", "build_week", "weekly"):
        expect(page.get_by_text(job, exact=True)).to_be_visible()
    expect(page.get_by_text(" ago")).to_be_visible()

    page.goto("/automation")
    expect(page.get_by_text("01:15 AM UTC, only on Monday")).to_be_visible()

    page.goto("/runs")
    expect(page.get_by_text("Success", exact=True)).to_be_visible()


def test_an_asset_materialised_in_the_ui_starts_though_a_dead_run_holds_the_pool_and_succeeds(
    page: Any, ui: Ui, wait_for: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = run_that_died_in_the_pool(ui.tidemark.folder, monkeypatch)

    page.goto("/assets/screens/base_rates")
    page.get_by_role("button", name="Materialize").first.click()

    hold_start_and_success(ui, "__ASSET_JOB", dead, wait_for)


@pytest.mark.slow
def test_a_week_launched_in_the_ui_starts_though_a_dead_run_holds_the_pool_and_succeeds(
    page: Any, ui: Ui, wait_for: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drill: it builds the whole week. The tests materialise one asset, which the same launcher and pool serve, and the test of
    truncation runs the job itself."""
    dead = run_that_died_in_the_pool(ui.tidemark.folder, monkeypatch)

    page.goto("/locations/tidemark/jobs/build_week/playground")
    page.get_by_role("button", name="Launch Run").last.click()
    page.wait_for_url("**/runs/**")

    hold_start_and_success(ui, "build_week", dead, wait_for)


def hold_start_and_success(ui: Ui, job: str, dead: str, wait_for: Callable[..., None]) -> None:
    """Holds that a job just launched starts soon and succeeds, and that the dead run is known as failed by then."""
    wait_for(lambda: (job, "STARTED") in ui.runs(), seconds=60, what="the start of the launched run")
    wait_for(lambda: ui.runs()[0][1] in ("SUCCESS", "FAILURE"), what="the end of the launched run")
    assert ui.runs()[0] == (job, "SUCCESS")
    status = ui.ask(f'{{runOrError(runId: "{dead}") {{... on Run {{status}}}}}}')["runOrError"]["status"]
    assert status == "FAILURE"


def run_that_died_in_the_pool(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Record a run as `kill -9` leaves it: started, and in possession of the pool's one slot."""
    monkeypatch.setenv("TIDEMARK_DAGSTER_DIR", str(folder / "dagster"))
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "dagster"))
    with dg.DagsterInstance.get() as instance:
        run = dg.DagsterRun(job_name="weekly", run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.STARTED)
        instance.add_run(run)
        instance.event_log_storage.claim_concurrency_slot("warehouse", run.run_id, "dbt_marts")
    return run.run_id


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_ui_leaves_no_process_and_nothing_in_the_project(
    fresh: Any, wait_for: Callable[..., None], stop: signal.Signals
) -> None:
    project = Path(__file__).resolve().parents[2]
    of_tests = {".pytest_cache", ".hypothesis"}  # of the half of the tests that runs beside this one and may end first
    before = {path.name for path in project.iterdir()} | of_tests

    with ui_of(fresh) as ui:
        ui.process.send_signal(stop)
        ui.process.wait(timeout=60)

    wait_for(lambda: not pids_of(fresh.folder), seconds=30, what="the end of all processes of the UI")
    assert {path.name for path in project.iterdir()} - before == set()
