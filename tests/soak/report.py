"""What the drill of the weeks found: judged, as a page and as a picture.

Belongs here: what must hold of a week, docs/results/three-months.md and its picture. Does not: making weeks (`three_months.py`).
"""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

PARTS = {
    "landing_mb": "landing",
    "warehouse_mb": "warehouse.duckdb",
    "published_mb": "published",
    "models_mb": "models",
    "dagster_mb": "dagster",
}
"""Measured parts of a data folder."""

NAMES = {
    "landing_mb": "landing",
    "warehouse_mb": "warehouse",
    "published_mb": "published",
    "models_mb": "models",
    "dagster_mb": "Dagster",
}


@dataclass(frozen=True)
class Week:
    """A week of the drill.

    Attributes:
        week: Its Monday.
        runs: Scheduled runs that were started for it.
        publications: Manifests of it in the published copy.
        seconds: All its runs together.
        processor_seconds: Of the service and its runs from the week before to this one; other work lengthens it less than `seconds`.
        steps: Steps that its run ended well.
        steps_failed: Steps that failed.
        ingestions: Daily runs in the seven days before it.
        versions: Units recorded for it.
        repeated: Units of it with a second version.
        origins: What its first versions say of their origin.
        report_gaps: What the report lacks.
        chain: What is wrong with the chain of manifests; empty where nothing is.
        memory_mb: Service between runs: supervisor, code server, daemon and UI.
        log_mb: What the service has written to its log so far.
        landing_files: Files of landing.
        landing_mb: On disk, as the next four.
        warehouse_mb: The warehouse file.
        published_mb: The published copy.
        models_mb: The model registry.
        dagster_mb: Dagster's records.
    """

    week: str
    runs: int
    publications: int
    seconds: float
    processor_seconds: float
    steps: int
    steps_failed: int
    ingestions: int
    versions: int
    repeated: int
    origins: str
    chain: str
    memory_mb: float
    log_mb: float
    landing_files: int
    landing_mb: float
    warehouse_mb: float
    published_mb: float
    models_mb: float
    dagster_mb: float
    report_gaps: list[str] = field(default_factory=list)


def problems_of(weeks: Sequence[Week]) -> list[str]:
    """What is not as it must be, a line each."""
    problems = []
    for week in weeks:
        held = {
            f"{week.runs} runs instead of one": week.runs == 1,
            f"published {week.publications} times": week.publications == 1,
            f"{week.steps_failed} steps failed": week.steps_failed == 0,
            "no unit was recorded": week.versions > 0,
            f"{week.repeated} units have a second version": week.repeated == 0,
            f"origins are {week.origins}, not published": week.origins == "published",
            f"the report has gaps: {'; '.join(week.report_gaps)}": not week.report_gaps,
            f"the chain of manifests: {week.chain}": not week.chain,
        }
        problems += [f"{week.week}: {said}" for said, is_held in held.items() if not is_held]
    return problems


def growth(values: Sequence[float]) -> float:
    """Least-squares slope: growth from one week to the next."""
    count = len(values)
    middle, mean = (count - 1) / 2, sum(values) / count
    spread = sum((number - middle) ** 2 for number in range(count))
    return sum((number - middle) * (value - mean) for number, value in enumerate(values)) / spread if spread else 0.0


def write_page(weeks: Sequence[Week], repository: Path) -> Path:
    """The page and its picture; returns the page."""
    draw(weeks, repository / "docs" / "images" / "three-months.png")
    page = repository / "docs" / "results" / "three-months.md"
    page.write_text(page_of(weeks))
    return page


def page_of(weeks: Sequence[Week]) -> str:
    """The page as Markdown."""
    problems = problems_of(weeks)
    once = sum(week.runs == week.publications == 1 for week in weeks)
    slopes = {NAMES[name]: growth([getattr(week, name) for week in weeks]) for name in NAMES}
    seconds, used = ([getattr(week, name) for week in weeks] for name in ("seconds", "processor_seconds"))
    third = max(1, len(weeks) // 3)
    rows = [
        f"| {week.week} | {week.seconds:.0f} | {week.processor_seconds:.0f} | "
        f"{week.steps} | {week.steps_failed} | {week.ingestions} | {week.versions} | {week.origins} | "
        f"{week.landing_mb:.1f} | {week.warehouse_mb:.0f} | {week.published_mb:.0f} | {week.models_mb:.1f} | {week.dagster_mb:.1f} | "
        f"{week.memory_mb:.0f} | {week.log_mb:.2f} |"
        for week in weeks
    ]
    grown = ", ".join(f"{name} {slope:+.2f}" for name, slope in slopes.items())
    return PAGE.format(
        once=once,
        count=len(weeks),
        problem_count=len(problems),
        problems="".join(f"\n- {problem}" for problem in problems) + ("\n" if problems else ""),
        grown=grown,
        files=growth([week.landing_files for week in weeks]),
        middle=median(seconds),
        early=median(seconds[:third]),
        late=median(seconds[-third:]),
        middle_used=median(used),
        early_used=median(used[:third]),
        late_used=median(used[-third:]),
        used_grown=growth(used),
        first_memory=weeks[0].memory_mb,
        last_memory=weeks[-1].memory_mb,
        machine=f"{platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores",
        rows="\n".join(rows),
    )


PAGE = """# Three months of scheduled weeks

Written by `make soak`: `make serve` on the simulated market of 130 tokens, unattended. Its clock is set to ten seconds before the schedule
of the next Monday as soon as a week is published and its run has ended; Dagster's daemon starts every run.

**{once} of {count} weeks published, each by one run and once; {problem_count} problems.** Of every week it is held that one run was started,
no step failed, its units were recorded once and as `published` (within 48 hours of their Monday), the report names the week and links no
page that is missing, and the chain of manifests holds.
{problems}
![Run time and disk by week](../images/three-months.png)

Growth in MB a week (least squares): {grown}; {files:+.0f} files of landing a week. Run time: median {middle:.0f} s, first third
{early:.0f} s, last third {late:.0f} s; in processor seconds, which other work on the machine lengthens less, {middle_used:.0f},
{early_used:.0f} and {late_used:.0f}: {used_grown:+.1f} a week. Memory of the service between runs: {first_memory:.0f} MB after the first week, {last_memory:.0f} MB
after the last. {machine}, shared with other work, so seconds are no benchmark.

| week | run s | processor s | steps | failed | daily runs | versions | origin | landing MB | warehouse MB | published MB | models MB | Dagster MB | memory MB | log MB |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{rows}
"""  # noqa: E501 - the header of a table is one line


def draw(weeks: Sequence[Week], path: Path) -> None:
    """Run time, and disk by part, over the weeks."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (times, disk) = pyplot.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
    places = range(len(weeks))
    times.plot(places, [week.seconds for week in weeks], color="#c44e52", marker="o", label="by the clock")
    times.bar(places, [week.processor_seconds for week in weeks], color="#4c72b0", label="of the processors")
    times.set_ylim(bottom=0)
    times.set_title("Run of a week, seconds", loc="left", fontsize=11)
    times.legend(ncols=2, fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.2))
    bottom = [0.0] * len(weeks)
    for name, label in NAMES.items():
        values = [getattr(week, name) for week in weeks]
        disk.bar(places, values, bottom=bottom, label=label)
        bottom = [below + value for below, value in zip(bottom, values, strict=True)]
    disk.set_title("Data folder after it, MB", loc="left", fontsize=11)
    disk.legend(ncols=5, fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.2))
    for axes in (times, disk):
        axes.set_xticks(places, [week.week[5:] for week in weeks], rotation=60, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
