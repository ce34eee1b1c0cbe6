"""The weekly report as its readers meet it: in a browser, on a phone, by keyboard, and with names that mean harm."""

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import duckdb
import pytest

from orchestration.lib.ledger import LEDGER_SQL_NAME
from orchestration.lib.manifest import MANIFEST_NAME, WAREHOUSE_NAME
from orchestration.site.build import write_site

playwright = pytest.importorskip("playwright.sync_api", reason="playwright, which drives the browser, is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed: apt-get install chromium"),
]
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PHONE = {"width": 360, "height": 740}
HOSTILE = {
    "script": "<script>window.hit = 1</script>",
    "quotes": '" onmouseover="window.hit = 1" x=\'',
    "right to left": "abc\u202egnp.exe",
    "long": "A" * 10_000,
}
CORRECTED = "correction of <img src=x onerror='window.hit = 1'>"


@pytest.fixture(scope="session")
def hostile(first, tmp_path_factory) -> dict[str, str]:
    """A site in which four graded tokens have names that mean harm: token_id by the kind of harm, and the folder."""
    folder = tmp_path_factory.mktemp("published")
    for name in (WAREHOUSE_NAME, MANIFEST_NAME):
        shutil.copyfile(first.folder / "published" / name, folder / name)
    with duckdb.connect(str(folder / WAREHOUSE_NAME)) as connection:
        week = connection.execute("select max(as_of_week) from api.trader_grades").fetchone()[0]
        tokens = connection.execute(
            "select token_id from api.trader_grades where as_of_week = ? order by trader_grade desc, token_id limit 4",
            [week],
        ).fetchall()
        named = dict(zip(HOSTILE, (token_id for (token_id,) in tokens), strict=True))
        for kind, token_id in named.items():
            change = {"token_id": token_id, "text": HOSTILE[kind]}
            connection.execute(
                "update marts.dim_tokens set symbol = $text, name = $text where token_id = $token_id", change
            )
            connection.execute("update learning.trader_grades set symbol = $text where token_id = $token_id", change)
        # A published week that was corrected, as the ledger records it.
        connection.execute(
            f"""insert into {LEDGER_SQL_NAME} select * replace (2 as version, $reason as version_reason,
                recorded_at + interval 7 day as recorded_at) from {LEDGER_SQL_NAME}
            where table_name = 'learning.bull_bear' and as_of_week = $week""",
            {"week": week, "reason": CORRECTED},
        )
        connection.execute(
            f"""update {LEDGER_SQL_NAME} set superseded_at = recorded_at + interval 7 day, origin = 'published'
            where table_name = 'learning.bull_bear' and as_of_week = ? and version = 1""",
            [week],
        )
    write_site(folder)
    return named | {"folder": str(folder / "site")}


@pytest.fixture(scope="session")
def site(hostile) -> Path:
    return Path(hostile["folder"])


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser, site):
    """Opens a page of the site, and holds that nothing went wrong on it."""
    contexts = []

    def opened(path, **settings):
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.troubles = []
        page.on("console", lambda said: page.troubles.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("request", lambda asked: page.troubles.append(asked.url) if asked.url.startswith("http") else None)
        page.goto((site / path).as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()


def one_of_each(site, hostile):
    """A page of every template, and those with the names that mean harm."""
    paths = [
        "index.html",
        "tokens.html",
        "indices.html",
        "report-card.html",
        "quality.html",
        "methodology.html",
        "errata.html",
    ]
    paths += ["tokens/bitcoin.html", "indices/ai_top100.html", "indices/hodl10.html", "methodology/hodl10.html"]
    paths += [f"tokens/{token_id}.html" for kind, token_id in hostile.items() if kind != "folder"]
    return paths


def test_every_page_opens_on_a_phone_without_complaint_and_without_a_second_scroll_bar(site, hostile, open_page):
    for path in one_of_each(site, hostile):
        page = open_page(path, viewport=PHONE)

        assert page.troubles == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
        assert page.evaluate("window.hit") is None, path


def test_names_that_mean_harm_are_shown_as_text(hostile, open_page):
    page = open_page("tokens.html")

    shown = page.locator("#graded").inner_text()

    assert HOSTILE["script"] in shown
    assert HOSTILE["quotes"] in shown
    assert page.evaluate("window.hit") is None
    assert "A" * 59 + "…" in shown
    # The turn of direction ends with the name: what follows is not mirrored.
    assert page.locator("bdi", has_text="gnp.exe").count() > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(scheme, site, hostile, open_page):
    found = {}
    for path in one_of_each(site, hostile)[:11]:
        page = open_page(path, color_scheme=scheme)
        violations = axe.Axe().run(page).response["violations"]
        grave = {
            each["id"]: [node["html"][:200] for node in each["nodes"]][:3]
            for each in violations
            if each["impact"] in ("serious", "critical")
        }
        if grave:
            found[path] = grave

    assert found == {}


def test_tables_sort_by_keyboard_and_filter_by_words(open_page):
    page = open_page("tokens.html")
    head = page.locator("#graded th", has_text="Trader Grade")
    body = page.locator("#graded tbody tr")

    head.locator("button").focus()
    page.keyboard.press("Enter")
    falling = [
        float(value)
        for value in page.locator("#graded tbody tr td:nth-child(4)").evaluate_all("all => all.map(e => e.dataset.v)")
    ]
    page.keyboard.press("Enter")
    rising = [
        float(value)
        for value in page.locator("#graded tbody tr td:nth-child(4)").evaluate_all("all => all.map(e => e.dataset.v)")
    ]
    page.get_by_label("Filter").fill("bitcoin")

    assert falling == sorted(falling, reverse=True)
    assert rising == sorted(rising)
    assert head.get_attribute("aria-sort") == "ascending"
    assert 0 < body.locator("visible=true").count() < body.count()
    assert all("bitcoin" in text.lower() for text in body.locator("visible=true").all_inner_texts())


def test_a_chart_is_drawn_and_has_its_figures_behind_it(open_page):
    page = open_page("indices/hodl10.html")
    figure = page.locator("figure").first

    width = figure.locator("svg[role=img] path").last.evaluate("path => path.getBBox().width")
    figure.locator("summary").click()

    assert width > 500
    assert figure.locator("tbody tr").count() > 5
    assert figure.locator("tbody tr").first.is_visible()
    assert re.search(r"lowest .*highest", figure.locator("svg[role=img]").get_attribute("aria-label"))


def test_a_corrected_week_is_told_with_its_reason_and_the_others_are_not(open_page):
    page = open_page("index.html")
    page.get_by_role("link", name="Errata").click()

    rows = page.locator("#published tbody tr").all_inner_texts()

    assert len(rows) == 1
    assert "learning.bull_bear" in rows[0]
    assert CORRECTED in rows[0]
    assert page.evaluate("window.hit") is None


def test_the_first_page_shows_the_state_of_the_market_and_what_changed(open_page):
    page = open_page("index.html")

    charts = page.locator("figure svg[role=img]")

    assert page.locator(".cards dt").all_inner_texts()[:4] == ["Market, week", "Bitcoin, week", "Market cap", "Regime"]
    assert page.locator(".bar[role=img]").get_attribute("aria-label").startswith("Bullish ")
    widths = [charts.nth(place).locator("path").last.evaluate("path => path.getBBox().width") for place in (0, 1)]
    assert min(widths) > 500
    assert page.locator("#sectors tbody tr").count() > 3
    assert page.locator("#movers tbody tr").count() == 12
    assert 0 < page.locator("#flips tbody tr").count() <= 40


def test_the_choice_of_dark_pages_lasts(open_page):
    page = open_page("index.html", color_scheme="light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.locator(".theme").click()
    page.reload()

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


class Links(HTMLParser):
    """Targets and ids of a page."""

    def __init__(self):
        super().__init__()
        self.targets, self.ids = [], []

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag == "a":
            self.targets.append(named["href"])
        if "id" in named:
            self.ids.append(named["id"])


def test_every_link_of_every_page_leads_somewhere(site):
    pages = {}
    for path in site.rglob("*.html"):
        pages[path] = Links()
        pages[path].feed(path.read_text(encoding="utf-8"))

    lost = [
        (str(path.relative_to(site)), target)
        for path, links in pages.items()
        for target in links.targets
        # Data Docs lie beside the site, and this copy has none; what leads out of the pages is a reader's own research.
        if "data_docs" not in target and not is_research(path, target) and not leads_somewhere(path, target, pages)
    ]

    assert len(pages) > 100
    assert lost == []
    assert [path.name for path, links in pages.items() if len(links.ids) != len(set(links.ids))] == []


def is_research(path, target):
    return path.name == "moonshots.html" and re.fullmatch(r"https?://[^/@]+(/.*)?", target)


def leads_somewhere(path, target, pages):
    name, _, anchor = target.partition("#")
    found = (path.parent / unquote(name)).resolve() if name else path
    return found in {each.resolve() for each in pages} if not anchor else anchor in pages[found].ids


def test_the_site_is_small_and_says_on_every_page_what_it_rests_on(site):
    first_view = sum((site / name).stat().st_size for name in ("index.html", "site.css", "site.js"))
    manifest = json.loads((site.parent / MANIFEST_NAME).read_text())

    silent = [
        path.name
        for path in site.rglob("*.html")
        if not all(
            text in path.read_text(encoding="utf-8")
            for text in (
                "not financial advice",
                "Simulated market",
                manifest["code_version"],
                str(manifest["as_of_week"]),
            )
        )
    ]

    assert first_view < 3_000_000
    assert silent == []
