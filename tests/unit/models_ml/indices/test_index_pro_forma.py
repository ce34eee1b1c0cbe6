"""What an index will hold next, as far as it is known now, and when."""

import datetime as dt

import pytest

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.engine import fold
from models_ml.indices.pro_forma import pro_forma
from models_ml.indices.state import midnight, new_state
from models_ml.indices.timetable import next_timing, timings

FIRST = dt.date(2024, 1, 1)
MONDAYS = [FIRST + dt.timedelta(days=7 * week) for week in range(1, 40)]


def folded(definition, data, mondays):
    return list(fold(definition, new_state(definition), mondays, data))


def weights(targets):
    return {target.token_id: target.weight for target in targets}


def rows(rebalances):
    return dict(rebalances.select("token_id", "target_weight").iter_rows())


def test_the_instants_of_a_model_driven_index_lie_a_day_apart(definition_of):
    definition = definition_of(calendar={"rule": "weekly_model"})

    found = timings(definition, midnight(dt.date(2024, 1, 2)), midnight(dt.date(2024, 1, 16)))

    assert [(each.determined_at.date(), each.effective_at.date()) for each in found] == [
        (dt.date(2024, 1, 8), dt.date(2024, 1, 9)),
        (dt.date(2024, 1, 15), dt.date(2024, 1, 16)),
    ]
    assert next_timing(definition, midnight(dt.date(2024, 1, 1))).effective_at == midnight(dt.date(2024, 1, 2))


@pytest.mark.parametrize(
    ("after", "effective", "announced"),
    [
        (dt.date(2024, 4, 1), dt.date(2024, 5, 1), dt.date(2024, 5, 6)),
        # 2024-07-01 is a Monday: the run of that day publishes what took effect as it began.
        (dt.date(2024, 6, 30), dt.date(2024, 7, 1), dt.date(2024, 7, 1)),
    ],
)
def test_a_rule_index_is_announced_by_the_run_of_the_monday_on_or_after_it(definition_of, after, effective, announced):
    timing = next_timing(definition_of(), midnight(after))

    assert (timing.determined_at, timing.effective_at) == (midnight(effective), midnight(effective))
    assert timing.announced_from == midnight(announced)


def test_what_a_model_driven_index_decided_is_final(definition_of, walk_of):
    definition = definition_of(ranking={"by": "score"}, calendar={"rule": "weekly_model", "retrade": "every_week"})
    data = walk_of(seed=5, first=FIRST, days=280).data()
    *_, last = results = folded(definition, data, MONDAYS)

    found = pro_forma(definition, last.state, MONDAYS[-1], data)

    assert found.status == "decided"
    assert found.timing.effective_at == midnight(MONDAYS[-1] + dt.timedelta(days=1))
    assert weights(found.targets) == rows(results[-1].rebalances)
    assert found.held == pytest.approx(dict(last.compositions.select("token_id", "weight").iter_rows()))


def test_a_model_driven_index_that_decided_not_to_trade_keeps_what_it_holds(definition_of, market_of):
    days = [FIRST + dt.timedelta(days=day) for day in range(60)]
    market = market_of({name: dict.fromkeys(days, 10.0) for name in ("a", "b", "c")})
    definition = definition_of(calendar={"rule": "weekly_model"})
    *_, last = folded(definition, market.data(), MONDAYS[:6])

    found = pro_forma(definition, last.state, MONDAYS[5], market.data())

    assert (found.status, weights(found.targets)) == ("unchanged", found.held)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"calendar": {"rule": "monthly", "review_months": [1, 6, 12]}},
        {"selection": {"count": 4, "exit_rank": 6, "leave_out_worst": 0.25}},
    ],
    ids=["plain", "between reviews", "screened"],
)
def test_the_indicative_basket_is_the_one_that_follows_if_nothing_moves_until_then(definition_of, walk_of, fields):
    definition, monday = definition_of(**fields), dt.date(2024, 6, 24)
    market = walk_of(seed=5, first=FIRST, days=300)
    market.prior_scores = lambda token_id, day: float(sum(map(ord, token_id)) % 7)
    for prices in market.by_token.values():  # from the last Sunday on every price stays where it is
        sunday = prices.get(dt.date(2024, 6, 23))
        for day in [day for day in prices if day > dt.date(2024, 6, 23)]:
            del prices[day]
        if sunday is not None:
            prices |= {dt.date(2024, 6, 23) + dt.timedelta(days=number): sunday for number in range(1, 15)}
    prices = [(day, token_id, price) for token_id, days in market.by_token.items() for day, price in days.items()]
    market.prices = market.prices.clear().vstack(type(market.prices)(prices, schema=market.prices.schema, orient="row"))
    mondays = [day for day in MONDAYS if day <= monday]
    *_, last = folded(definition, market.data(), mondays)

    found = pro_forma(definition, last.state, monday, market.data())

    later = folded(definition, market.data(), [*mondays, dt.date(2024, 7, 1)])[-1].rebalances
    assert found.status == "indicative"
    assert found.timing.effective_at == midnight(dt.date(2024, 7, 1))
    assert weights(found.targets) == pytest.approx(rows(later))
    assert sum(weights(found.targets).values()) == pytest.approx(1)


def test_nothing_after_the_newest_close_is_asked_for(definition_of, walk_of):
    definition, monday = definition_of(), dt.date(2024, 6, 24)
    market = walk_of(seed=5, first=FIRST, days=300)
    mondays = [day for day in MONDAYS if day <= monday]
    *_, last = folded(definition, market.data(), mondays)
    market.asked.clear()

    full = pro_forma(definition, last.state, monday, market.data())
    truncated = pro_forma(definition, last.state, monday, market.data(until=dt.date(2024, 6, 23)))

    assert full == truncated
    assert max(market.asked) == dt.date(2024, 6, 23)


def test_an_index_that_cannot_be_composed_says_why(definition_of, market_of):
    market = market_of({"a": {FIRST + dt.timedelta(days=day): 1.0 for day in range(30)}})
    definition = definition_of()
    *_, last = folded(definition, market.data(), MONDAYS[:3])

    found = pro_forma(definition, last.state, MONDAYS[2], market.data())

    assert (found.status, found.targets) == ("none", ())
    assert "1 eligible constituents at the close of 2024-01-21, at least 2 needed" in found.note


def test_an_index_of_indices_follows_what_it_holds_and_selects_nothing(definition_of, walk_of):
    data = walk_of(seed=5, first=FIRST, days=280).data()
    *_, last = folded(definition_of(), data, MONDAYS[:9])
    content = {
        "index_id": definition_of().index_id,
        "name": "All of it",
        "kind": "composite",
        "methodology": "Two indices in one.",
        "components": [{"index": "a", "weight": 0.5}, {"index": "b", "weight": 0.5}],
        "calendar": {"rule": "monthly"},
    }

    found = pro_forma(IndexDefinition.model_validate(content), last.state, MONDAYS[8], data)

    assert (found.status, weights(found.targets)) == ("follows", found.held)
    assert sum(found.held.values()) == pytest.approx(1)


def test_an_index_before_its_base_says_when_it_starts(definition_of, walk_of):
    definition = definition_of(base={"date": dt.date(2025, 3, 1)})
    data = walk_of(seed=5, first=FIRST, days=280).data()
    *_, last = folded(definition, data, MONDAYS[:3])

    found = pro_forma(definition, last.state, MONDAYS[2], data)

    assert (found.status, found.note) == ("none", "starts at the close of 2025-03-01")
