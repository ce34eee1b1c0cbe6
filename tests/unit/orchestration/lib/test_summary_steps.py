"""The table at the end of a run: where its time went and what it made."""

import dagster as dg

from orchestration.lib.summary import SHOWN_STEPS, StepDone, step_rows, steps_of
from orchestration.lib.text_table import table_lines


def test_steps_assets_and_rows_are_those_of_the_run():
    @dg.multi_asset(specs=[dg.AssetSpec("with_rows"), dg.AssetSpec("without")])
    def both():
        yield dg.MaterializeResult(asset_key="with_rows", metadata={"dagster/row_count": 1200})
        yield dg.MaterializeResult(asset_key="without")

    @dg.asset(deps=[both.keys_by_output_name["with_rows"]])
    def broken():
        raise ValueError("no")

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([both, broken], instance=instance, raise_on_error=False)

    done = steps_of(result.all_events)
    assert [(step.name, step.assets, step.rows) for step in done] == [("both", 2, 1200)]
    assert done[0].seconds > 0


def test_the_longest_steps_have_a_row_each_and_the_others_one_together():
    done = [StepDone(f"step_{number}", 1, 10, float(number)) for number in range(SHOWN_STEPS + 3)]

    rows = step_rows(done)

    assert [row[0] for row in rows] == [
        *(f"step_{number}" for number in range(SHOWN_STEPS + 2, 2, -1)),
        "3 others",
        "all",
    ]
    assert rows[-2][1:] == (3, 30, "3.0")
    assert rows[-1][1:] == (len(done), 10 * len(done), f"{sum(step.seconds for step in done):,.1f}")


def test_a_run_of_few_steps_has_no_others():
    assert [row[0] for row in step_rows([StepDone("only", 1, 5, 2.0)])] == ["only", "all"]


def test_columns_are_as_wide_as_their_widest_entry():
    assert table_lines(("step", "rows", "reason"), [("a", 1200, "late"), ("longer", 5, "")], left=("reason",)) == [
        "step     rows  reason",
        "------  -----  ------",
        "a       1,200  late",
        "longer      5",
    ]
