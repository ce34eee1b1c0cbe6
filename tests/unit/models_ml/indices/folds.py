"""Days, flat prices and what a week's result says, as the tests of the weekly fold need them.

Belongs here: a calendar that begins on a Monday, and reading results as dictionaries. Does not: markets and definitions (`conftest.py`).
"""

import datetime as dt

START = dt.date(2024, 1, 1)  # a Monday


def day(offset):
    return START + dt.timedelta(days=offset)


def mondays(count, first=1):
    return [day(7 * week) for week in range(first, first + count)]


def flat(price, days=120, start=0):
    return {day(offset): float(price) for offset in range(start, days)}


def reasons_of(result):
    return dict(result.rebalances.select("token_id", "reason").iter_rows())


def weights_of(result):
    return dict(result.compositions.select("token_id", "weight").iter_rows())


def targets_of(result):
    return dict(result.rebalances.select("token_id", "target_weight").iter_rows())
