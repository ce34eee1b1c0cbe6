"""Whatever a provider, a user's file or a broken disk says: rows that may land, or one of our own errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tests.fuzz.targets import TARGETS, try_target

pytestmark = pytest.mark.filterwarnings(
    "ignore"
)  # what numpy says of an absurd number is no defect; what lands is looked at


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_recorded_is_read(target):
    verdict = try_target(target, b"")

    assert verdict.is_accepted, verdict.error


@pytest.mark.parametrize("target", TARGETS)
@examples(8, many=400)
@given(program=st.binary(max_size=48))
def test_damage_ends_in_rows_or_in_an_error_of_the_house(target, program):
    try_target(target, program)
