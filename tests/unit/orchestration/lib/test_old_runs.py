"""Dagster's records of the oldest runs are dropped; runs under way and the newest stay."""

from pathlib import Path

import dagster as dg

from orchestration.lib.old_runs import forget_old_runs


@dg.asset
def prices() -> None:
    """Something that a run makes."""


def test_the_newest_ended_runs_stay_and_one_under_way(tmp_path: Path):
    job = dg.Definitions(assets=[prices]).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        ended = [job.execute_in_process(instance=instance).run_id for _ in range(4)]
        under_way = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED).run_id

        forgotten = forget_old_runs(instance, keep=2)

        assert forgotten == 2
        assert set(instance.get_run_ids()) == {*ended[2:], under_way}
        assert instance.all_logs(ended[0]) == []
        assert [len(instance.all_logs(run_id)) > 0 for run_id in ended[2:]] == [True, True]
        assert instance.get_latest_materialization_event(prices.key).run_id == ended[3]
        assert forget_old_runs(instance, keep=2) == 0
