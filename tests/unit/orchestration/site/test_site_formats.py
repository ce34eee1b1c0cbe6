"""How the site writes what it shows: unknown is never zero, and no name from outside breaks a line or a file name."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.site import formats


@pytest.mark.parametrize(
    "write",
    [formats.number, formats.percent, formats.change, formats.points, formats.shift, formats.usd, formats.compact],
)
@pytest.mark.parametrize("value", [None, float("nan")])
def test_what_is_not_known_is_a_dash(write, value):
    assert write(value) == "–"  # noqa: RUF001 - the dash itself


def test_gains_and_losses_have_their_sign_and_zero_has_none():
    assert (formats.change(0.123), formats.change(-0.5, 0), formats.change(-0.0004)) == ("+12.3 %", "−50 %", "0.0 %")  # noqa: RUF001


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.00 USD"),
        (0.00001234, "0.0000123 USD"),
        (1.5, "1.50 USD"),
        (9_999, "9,999.00 USD"),
        (63_221.4, "63,221 USD"),
        (1_234_567, "1.23 M USD"),
        (2.5e12, "2.50 T USD"),
    ],
)
def test_dollars_keep_three_figures_of_whatever_size(value, text):
    assert formats.usd(value) == text


def test_instants_say_that_they_are_utc():
    assert formats.day(dt.datetime(2025, 1, 6, tzinfo=dt.UTC)) == "2025-01-06 00:00 UTC"
    assert formats.day(dt.date(2025, 1, 6)) == "2025-01-06"


@given(st.text(max_size=200))
def test_a_text_from_outside_is_one_short_line(text):
    shown = formats.short(text)

    assert len(shown) <= formats.LONGEST_NAME
    assert shown.isprintable() or not any(ord(letter) < 32 for letter in shown)


@given(st.text(min_size=1, max_size=120), st.text(min_size=1, max_size=120))
def test_file_names_are_plain_and_never_shared(one, other):
    first, second = formats.file_name(one), formats.file_name(other)

    assert first == "".join(letter for letter in first if letter in "abcdefghijklmnopqrstuvwxyz0123456789-_")
    assert (first == second) == (one == other)


def test_a_plain_identifier_names_its_own_file():
    assert formats.file_name("bitcoin-cash") == "bitcoin-cash"
    assert formats.file_name("ai_top100") == "ai_top100"
    assert formats.file_name("../../etc/passwd").startswith("etc-passwd-")
