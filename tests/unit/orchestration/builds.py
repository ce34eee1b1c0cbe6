"""What tests of a run's steps begin with: a build of a week, and the smallest index.

Belongs here: facts that a test does not care about. Does not: fixtures (`conftest.py`), markets.
"""

from models_ml.indices.definition import IndexDefinition
from orchestration.lib.run_context import RunContext


def build_of(week, *, at, **changes):
    """A first build of a week whose inputs were read and whose rows are recorded at an instant."""
    facts = {
        "build_id": "run",
        "as_of_week": week,
        "data_source": "simulated",
        "input_cutoff": at,
        "inputs_hash": "in",
        "code_version": "abc",
        "changed_from": None,
        "rebuild_from": None,
        "rebuild_to": None,
        "version_reason": None,
        "correction_weeks": 8,
        "recorded_at": at,
    }
    return RunContext(**(facts | changes))


def one_token_index(index_id, **fields):
    """An index of the largest token, rebalanced monthly; `fields` say what is otherwise."""
    content = {
        "index_id": index_id,
        "name": index_id,
        "kind": "passive",
        "methodology": "One token.",
        "selection": {"count": 1},
        "calendar": {"rule": "monthly"},
        "minimum_constituents": 1,
    }
    return IndexDefinition.model_validate(content | fields)
