"""Measure both markets and write the page: `python -m orchestration.market_comparison`.

Reads the shared data, which may not be redistributed, and writes aggregates of it only.
"""

# ruff: noqa: T201 - the command line speaks here

import argparse
from pathlib import Path

from orchestration.market_comparison.figures import (
    measure,
    pumps_per_100_token_years,
    real_death_rate,
    simulated_death_rate,
)
from orchestration.market_comparison.page import DEFINITIONS, INTRODUCTION, draw_picture, render_table
from orchestration.market_comparison.tokens import read_cmc_2018_to_2020, read_real, read_simulated
from orchestration.sandbox.market import simulate_market
from orchestration.settings import REPOSITORY_ROOT

SHARED_DATA = REPOSITORY_ROOT.parent / "shared" / "data"
DOCS = REPOSITORY_ROOT / "docs"


def main() -> None:
    """Measure both markets and write the table and the picture."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the shared data")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder that holds results/ and images/")
    chosen = parser.parse_args()
    market = simulate_market()
    real = measure(read_real(chosen.data), real_death_rate(chosen.data))
    simulated = measure(read_simulated(market), simulated_death_rate(market))
    table = render_table(
        real, simulated, pumps_2018_to_2020=pumps_per_100_token_years(read_cmc_2018_to_2020(chosen.data))
    )
    (chosen.docs / "results" / "simulated-against-real.md").write_text(INTRODUCTION + table + DEFINITIONS)
    draw_picture(real, simulated, chosen.docs / "images" / "simulated-against-real.png")
    print(table)


if __name__ == "__main__":
    main()
