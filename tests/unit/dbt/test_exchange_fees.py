"""The fees that api.listings shows are those the exchanges' adapters know."""

import csv
from pathlib import Path

import ccxt
import pytest

from orchestration.sources.datasets.exchanges import EXCHANGES

SEED = Path(__file__).parents[3] / "dbt_project" / "seeds" / "exchange_fees.csv"


def rows():
    with SEED.open() as file:
        return {row["exchange"]: row for row in csv.DictReader(file)}


def test_every_followed_exchange_has_its_fees():
    assert set(rows()) == set(EXCHANGES)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_the_fees_are_those_of_the_lowest_tier_as_ccxt_has_them(exchange):
    listed = getattr(ccxt, exchange)().fees["trading"]

    row = rows()[exchange]

    assert (float(row["maker_fee"]), float(row["taker_fee"])) == (listed["maker"], listed["taker"])
