"""No mart knows the future: neither that it is there (truncation) nor what is in it (future shuffle).

The tests ask every relation of the warehouse, so a new mart is held to it without a line here.
"""

from orchestration.lib.connections import LAGS
from orchestration.lib.landing import read_lags
from orchestration.lib.weeks import instant_of
from tests.integration.warehouse.comparison import differences, first_difference, known_rows
from tests.integration.warehouse.synthetic_market import CUT, END, scrambled_from


def test_the_market_has_the_cases_that_tempt_to_look_ahead(full):
    after = f"first_date > date '{CUT}'"
    links = full.query("select market_id, min(linked_date) from intermediate.int_closes_resolved group by all").rows()

    assert full.query(f"select count(*) from marts.dim_tokens where {after}").item() > 0
    assert any(linked is not None and linked > CUT for _, linked in links)
    assert dict(links)["namesake"] is None
    assert full.query("select count(*) from quality.corrections").item() > 5
    assert full.query("select is_stable from marts.dim_tokens where is_current and token_id = 'late-peg'").item()
    turns = full.query("select token_id, valid_from from marts.dim_tokens where valid_from > first_date").rows()
    assert any(turn < CUT for _, turn in turns)
    assert {token for token, turn in turns if turn >= CUT} >= {"late-peg", "late-crash"}
    assert full.query("select count(*) from marts.fct_security_tracking_daily").item() > 20
    twin = full.query("select max(market_date) from intermediate.int_coinmarketcap_closes where market_id = 'twin-old'")
    assert CUT < twin.item() < END


def test_rows_up_to_a_day_are_the_same_without_all_input_after_it(new_warehouse, frames, full):
    truncated = new_warehouse()
    truncated.land_all(frames)

    truncated.build(CUT)

    assert differences(full, truncated, CUT) == {}


def test_rows_up_to_a_day_are_the_same_whatever_comes_after_it(new_warehouse, frames, full):
    scrambled = new_warehouse()
    scrambled.land_all(scrambled_from(frames, instant_of(CUT), read_lags(LAGS)))

    scrambled.build(END)

    assert differences(full, scrambled, CUT) == {}
    assert first_difference(known_rows(full, "marts.fct_daily", END), known_rows(scrambled, "marts.fct_daily", END))
