"""Data Docs: the newest result of every Great Expectations suite as static pages beside the published copy.

A step that runs a suite keeps its result as JSON in `validations/` of the data folder, one file a suite; a run that publishes
something, or fails, renders all of them into `published/data_docs/` and swaps the folder in whole. So nothing grows, the pages of a
failed run show why, and a week that is published already changes nothing.

The pages are those of Great Expectations' own renderer. Their links to style sheets and scripts on eight foreign hosts are taken
out and a style sheet of our own is put in: a page works without a network, and tells nobody that it is read.

Belongs here: keeping results, rendering them. Does not: running suites (`expectations.py`), the history of results
(`check_results.py`).
"""

from __future__ import annotations

import html
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestration.lib.expectations import SuiteResult
from orchestration.lib.whole_file import write_whole
from orchestration.lib.whole_folder import replaced_folder

VALIDATIONS = "validations"
DATA_DOCS = "data_docs"

FOREIGN = re.compile(
    r"""<link[^>]*href=["']https?://[^>]*>|<link[^>]*rel="shortcut icon"[^>]*>"""
    r"""|<script[^>]*src=["']https?://[^>]*>\s*</script>|<img[^>]*>|<footer>.*?</footer>""",
    re.IGNORECASE | re.DOTALL,
)
"""What a page would fetch from elsewhere, and the pictures and the newsletter that come with a site of Great Expectations."""

STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1rem; color: #222; }
table { border-collapse: collapse; margin: .5rem 0; }
td, th { border-bottom: 1px solid #ddd; padding: .25rem .75rem; text-align: left; vertical-align: top; }
.failed, .text-danger, .fa-times { color: #b00020; }
.held, .text-success, .fa-check-circle { color: #1b6e3c; }
.fa-check-circle::before { content: "held"; } .fa-times::before { content: "failed"; }
.fa-exclamation-triangle::before { content: "could not be evaluated"; }
.badge { border: 1px solid #bbb; border-radius: .3rem; padding: 0 .3rem; font-family: monospace; }
nav, .navbar, .ge-nav, #cta-footer, .cooltip { display: none; }
</style>"""


@dataclass(frozen=True)
class DataDocs:
    """What was written.

    Attributes:
        index: The page to open.
        suites: Pages of suites.
        failed: Suites of which something did not hold.
    """

    index: Path
    suites: int
    failed: int


def keep_validation(root: Path, result: SuiteResult) -> None:
    """Keep the newest result of a suite in the data folder; a suite without expectations leaves nothing."""
    if not result.document:
        return
    folder = root / VALIDATIONS
    folder.mkdir(parents=True, exist_ok=True)
    document = json.dumps({"rows": result.rows, **result.document}, default=str)
    write_whole(folder / f"{_slug(result.name)}.json", document)


def write_data_docs(root: Path, published: Path) -> DataDocs | None:
    """Render the kept results, unless the pages are as new as they are; None where no suite ever ran.

    Args:
        root: The data folder.
        published: Where readers look.
    """
    kept = sorted((root / VALIDATIONS).glob("*.json"))
    if not kept:
        return None
    results = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in kept}
    failed = sum(not result["success"] for result in results.values())
    target = published / DATA_DOCS
    docs = DataDocs(target / "index.html", suites=len(kept), failed=failed)
    newest = max(path.stat().st_mtime_ns for path in kept)
    if docs.index.exists() and docs.index.stat().st_mtime_ns > newest:
        return docs
    with replaced_folder(target) as new:
        for name, page in _pages(results).items():
            (new / f"{name}.html").write_text(page, encoding="utf-8")
        (new / "index.html").write_text(_index(results), encoding="utf-8")
    return docs


def _pages(results: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """A page a suite, by Great Expectations."""
    with warnings.catch_warnings():
        # The package and its templates use what Python and pandas deprecate; nobody here can do anything about that.
        warnings.simplefilter("ignore")
        from great_expectations.core.expectation_validation_result import expectationSuiteValidationResultSchema
        from great_expectations.core.run_identifier import RunIdentifier
        from great_expectations.render.renderer import ValidationResultsPageRenderer
        from great_expectations.render.view import DefaultJinjaPageView

        # One view for all pages: each view compiles its templates anew, which takes ten times as long as a page.
        renderer, view = ValidationResultsPageRenderer(run_info_at_end=True), DefaultJinjaPageView()
        pages = {}
        for name, result in results.items():
            facts = {key: value for key, value in result.items() if key != "rows"}
            validated = expectationSuiteValidationResultSchema.load(facts)
            validated.meta["run_id"] = RunIdentifier(run_name=result["suite_name"])
            pages[name] = _own(view.render(renderer.render(validated)))
    return pages


def _own(page: str) -> str:
    """A page that needs nothing from elsewhere."""
    return FOREIGN.sub("", page).replace("</head>", f"{STYLE}\n</head>", 1)


def _index(results: Mapping[str, dict[str, Any]]) -> str:
    """The list of suites, failures first."""
    lines = []
    for name, result in sorted(results.items(), key=lambda item: (item[1]["success"], item[0])):
        counts, state = result["statistics"], "held" if result["success"] else "failed"
        loaded_at = result["meta"].get("batch_markers", {}).get("ge_load_time")
        checked_at = f"{datetime.fromisoformat(loaded_at):%Y-%m-%d %H:%M}" if loaded_at else ""
        cells = (
            f'<td class="{state}">{state}</td>'
            f'<td><a href="{html.escape(name)}.html">{html.escape(result["suite_name"])}</a></td>'
            f"<td>{counts['successful_expectations']} of {counts['evaluated_expectations']}</td>"
            f"<td>{result['rows']:,}</td><td>{checked_at}</td>"
        )
        lines.append(f"<tr>{cells}</tr>")
    head = "<tr><th></th><th>suite</th><th>expectations held</th><th>rows checked</th><th>checked at (UTC)</th></tr>"
    failed = sum(not result["success"] for result in results.values())
    return (
        f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>Data Docs</title>\n{STYLE}\n</head><body>\n"
        f"<h1>Data Docs</h1>\n<p>The newest result of each of {len(results)} Great Expectations suites; {failed} with failures. "
        "The history of every check is in the table <code>quality.check_results</code>.</p>\n"
        f"<table>\n{head}\n{chr(10).join(lines)}\n</table>\n</body></html>\n"
    )


def _slug(name: str) -> str:
    """A file name: `coingecko/market_daily` becomes `coingecko.market_daily`."""
    return re.sub(r"[^a-z0-9_.\-]+", ".", name.lower())
