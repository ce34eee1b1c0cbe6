"""Single values of a record: whatever comes is read or refused, and never ends a load."""

import pytest

from orchestration.sources.validation import UnreadableValueError, read_count, read_instant


@pytest.mark.parametrize(("value", "count"), [(12, 12), (12.0, 12), (None, None), ("null", None), (-3, -3)])
def test_whole_numbers_are_read(value, count):
    assert read_count(value, column="n") == count


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1.5, "n is no whole number"),
        (1e30, "n is no whole number of 64 bits"),
        (-(10**20), "n is no whole number of 64 bits"),
        ("12", "n is text, not a number"),
        (10**400, "n is text that reads as no number"),
    ],
)
def test_what_is_no_whole_number_of_64_bits_is_refused(value, reason):
    with pytest.raises(UnreadableValueError, match=f"^{reason}$"):
        read_count(value, column="n")


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"])
def test_an_instant_beyond_the_calendar_is_refused(text):
    with pytest.raises(UnreadableValueError, match="t is beyond the calendar"):
        read_instant(text, column="t")
