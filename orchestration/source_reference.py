"""Writes docs/reference/sources.md from the registries, so that the page cannot drift from the code.

Belongs here: the page. Does not: what stands in it (settings, steps, datasets, lags, attribution).
"""

# ruff: noqa: T201 - a command speaks

from __future__ import annotations

import sys

from orchestration.lib.attribution import TERMS
from orchestration.lib.connections import LAGS
from orchestration.lib.landing import read_lags
from orchestration.lib.loads import STEPS
from orchestration.lib.loads.step import Step
from orchestration.settings import REPOSITORY_ROOT, ProviderSettings, Settings
from orchestration.sources.datasets import DATASETS, Dataset

PASSED_ON = {
    "with_attribution": "with attribution",
    "non_commercial": "with attribution, not in commerce",
    "not_stated": "not stated, so no",
    "restricted": "no",
}
PAGE = REPOSITORY_ROOT / "docs" / "reference" / "sources.md"


def page() -> str:
    """The page as Markdown."""
    settings = Settings(source="live")
    lags = read_lags(LAGS)
    steps = {dataset.label: step for step in STEPS for dataset in step.datasets}
    providers = [
        (name, value)
        for name in Settings.model_fields
        if isinstance(value := getattr(settings, name), ProviderSettings)
    ]
    return "\n".join(
        [
            "# Sources",
            "",
            "Written by `make source-reference`. Every address, key and pace is a setting: `TIDEMARK_<PROVIDER>__BASE_URL`,",
            "`__API_KEY`, `__MIN_INTERVAL_SECONDS`, `__ENABLED`, and `__HOSTS` for a provider of several hosts.",
            "",
            "## Providers",
            "",
            "| provider | address | least seconds between requests | steps | without a key |",
            "|---|---|---:|---|---|",
            *(_provider_row(name, provider) for name, provider in providers),
            "",
            "## Datasets",
            "",
            "A row lands under `landing/<source>/<dataset>/` and is queried as `raw.<source>__<dataset>`. The lag is added to the end of",
            "the day a row describes: before that instant no feature, model or index may use it.",
            "",
            "| dataset | grain | columns | lag, hours | lands by |",
            "|---|---|---|---:|---|",
            *(
                _dataset_row(dataset, steps.get(dataset.label), lags[dataset.source, dataset.name])
                for dataset in sorted(DATASETS.values(), key=lambda each: each.label)
            ),
            "",
            "## Attribution and terms",
            "",
            "They stand in the manifest of every publication too. By the last column [a setting](../how-to/share-the-copy.md) decides",
            "which raw values stand in a copy for others. It is our reading of the terms, and no legal advice.",
            "",
            "| source | to be said | terms | raw values may be passed on |",
            "|---|---|---|---|",
            *(
                f"| {source} | {terms.attribution} | {terms.terms} | {PASSED_ON[terms.redistribution]} |"
                for source, terms in sorted(TERMS.items())
            ),
            "",
        ]
    )


def _provider_row(name: str, provider: ProviderSettings) -> str:
    own = [step for step in STEPS if step.provider == name]
    address = provider.base_url or ", ".join(provider.hosts.values())
    steps = ", ".join(f"`{step.name}`" for step in own) or "asked by the steps of its main host"
    absent = "absent" if any(step.needs_key for step in own) else "asked"
    return f"| {name} | {address} | {provider.min_interval_seconds:g} | {steps} | {absent} |"


def _dataset_row(dataset: Dataset, step: Step | None, lag_hours: float) -> str:
    columns = ", ".join(f"`{name}`" for name in dataset.fields)
    lands = f"`{step.name}`" if step else "bulk import only"
    return f"| {dataset.label} | {dataset.description} | {columns} | {lag_hours:g} | {lands} |"


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
