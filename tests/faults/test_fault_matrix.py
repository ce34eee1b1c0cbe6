"""Every step of ingestion under faults of its provider: success, quarantine or one clear error; never a wrong row.

The few kinds that fail in the most different ways run with the tests, all of them with the drills; `make fault-matrix` prints the
whole matrix.
"""

import pytest

from orchestration.lib.loads import STEPS
from orchestration.sandbox.faults import FaultKind
from tests.faults.fault_matrix import DATA_PATHS, KINDS, LIES, LONGEST_CELL_SECONDS, STRUCK_TIMES, open_lab

TELLING = (FaultKind.RATE_LIMITED, FaultKind.HTML_PAGE, FaultKind.TRUNCATED, FaultKind.WRONG_TYPES)

VENUE_STEPS = [step.name for step in STEPS if step.provider in DATA_PATHS]
OTHER_STEPS = [step.name for step in STEPS if step.provider not in DATA_PATHS]
CELLS = [
    *((name, kind) for name in OTHER_STEPS for kind in TELLING),
    # The steps of exchanges are three loads through one client, so they take turns at the kinds.
    *((name, TELLING[number % len(TELLING)]) for number, name in enumerate(VENUE_STEPS)),
]
ONE_A_VENUE = list({step.provider: step.name for step in STEPS if step.provider in DATA_PATHS}.values())


@pytest.fixture(scope="module")
def lab():
    with open_lab() as opened:
        yield opened


def judge(lab, name, kind, *, times, path=""):
    step = next(each for each in lab.steps if each.name == name)

    cell = lab.strike(step, kind, times=times, path=path)

    assert cell.seconds < LONGEST_CELL_SECONDS
    assert cell.wrong == 0 or kind in LIES
    if cell.outcome == "error":
        assert cell.said
        assert "\n" not in cell.said
    if cell.outcome == "part":
        assert cell.quarantined or cell.said, "what is missing is in quarantine or named"
    return cell


@pytest.mark.parametrize(("name", "kind"), CELLS, ids=str)
def test_a_provider_that_always_fails_costs_its_rows_and_nothing_else(lab, name, kind):
    judge(lab, name, kind, times=None)


@pytest.mark.parametrize("name", VENUE_STEPS)
def test_damaged_data_of_an_exchange_are_refused_or_an_error_and_never_a_number(lab, name):
    path = lab.data_path(next(step for step in lab.steps if step.name == name))

    judge(lab, name, FaultKind.WRONG_TYPES, times=None, path=path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", VENUE_STEPS)
def test_an_exchange_gets_through_every_fault_of_its_data(lab, name, kind):
    """A drill: the tests strike with the kind that reads most like data."""
    path = lab.data_path(next(step for step in lab.steps if step.name == name))

    judge(lab, name, kind, times=None, path=path)


@pytest.mark.slow
@pytest.mark.parametrize("times", [STRUCK_TIMES, None], ids=["a few times", "always"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", [step.name for step in STEPS])
def test_every_step_gets_through_every_fault(lab, name, kind, times):
    """A drill: the whole matrix; the tests strike with the few kinds that fail in the most different ways."""
    judge(lab, name, kind, times=times)


@pytest.mark.parametrize("name", [*OTHER_STEPS, *ONE_A_VENUE])
def test_a_provider_that_fails_a_few_times_costs_nothing(lab, name):
    cell = judge(lab, name, FaultKind.UNAVAILABLE, times=STRUCK_TIMES)

    assert (cell.outcome, cell.said) == ("all rows", "")
