import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.lib.run_lock import RunLock, RunLockedError, RunLockError

ROOT = Path(__file__).parents[4]
NOON = datetime(2025, 1, 6, 12, tzinfo=UTC)

HOLD_PROGRAM = """
import sys
from pathlib import Path
from orchestration.lib.run_lock import RunLock
with RunLock(Path(sys.argv[1]), command="make run\\nWEEK=2025-01-06"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_run(tmp_path):
    """Another process that holds the lock."""
    program = [sys.executable, "-c", HOLD_PROGRAM, str(tmp_path)]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_in_one_line_who_holds_the_lock(tmp_path, other_run):
    with pytest.raises(RunLockedError) as caught:
        RunLock(tmp_path).acquire()

    message = str(caught.value)
    assert "\n" not in message
    assert f"process {other_run.pid} (make run WEEK=2025-01-06) since 20" in message
    assert caught.value.holder.pid == other_run.pid


def test_kill_9_frees_the_lock_and_the_next_holder_learns_of_the_dead_run(tmp_path, other_run):
    os.kill(other_run.pid, signal.SIGKILL)
    other_run.wait()
    died = []

    with RunLock(tmp_path, on_acquired=died.append):
        pass

    assert [holder.pid for holder in died] == [other_run.pid]


def test_after_an_orderly_end_nobody_died(tmp_path):
    died = []
    with RunLock(tmp_path):
        pass

    with RunLock(tmp_path, on_acquired=died.append):
        pass

    assert died == [None]
    assert not (tmp_path / "run.holder.json").exists()


def test_a_process_can_take_its_own_lock_again_from_any_object_or_thread(tmp_path):
    calls = []
    outer, inner = RunLock(tmp_path, on_acquired=calls.append), RunLock(tmp_path / ".", on_acquired=calls.append)

    with outer:
        thread = threading.Thread(target=inner.acquire)
        thread.start()
        thread.join()
        assert inner.is_held

    assert not outer.is_held
    assert is_locked_for_others(tmp_path)
    inner.release()
    assert not is_locked_for_others(tmp_path)
    assert calls == [None]


def is_locked_for_others(folder: Path) -> bool:
    program = [sys.executable, "-c", HOLD_PROGRAM, str(folder)]
    done = subprocess.run(program, input=b"", capture_output=True, env={"PYTHONPATH": str(ROOT)}, check=False)
    return done.returncode != 0 and b"RunLockedError" in done.stderr


def test_a_forked_child_does_not_hold_the_lock_of_its_parent(tmp_path):
    program = """
import os, sys
from pathlib import Path
from orchestration.lib.run_lock import RunLock, RunLockedError
with RunLock(Path(sys.argv[1])):
    if os.fork() == 0:
        try:
            RunLock(Path(sys.argv[1])).acquire()
        except RunLockedError:
            os._exit(7)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        env={"PYTHONPATH": str(ROOT)},
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "7"


def test_a_failing_cleanup_gives_the_lock_back(tmp_path):
    def fail(_died):
        raise OSError("no database")

    with pytest.raises(OSError, match="no database"):
        RunLock(tmp_path, on_acquired=fail).acquire()

    assert not is_locked_for_others(tmp_path)


def test_the_holder_file_says_who_and_since_when(tmp_path):
    lock = RunLock(tmp_path / "new" / "folder", command="dagster job", clock=lambda: NOON)

    with lock:
        holder = lock.holder()

    assert (holder.pid, holder.command, holder.started_at) == (os.getpid(), "dagster job", NOON)


def test_an_unreadable_holder_file_does_not_stop_a_run(tmp_path):
    (tmp_path / "run.holder.json").write_text("{")

    with RunLock(tmp_path) as lock:
        assert lock.holder().pid == os.getpid()


def test_a_release_without_acquire_is_an_error(tmp_path):
    with pytest.raises(RunLockError, match="does not hold it"):
        RunLock(tmp_path).release()
