"""Others want in while a run is under way: a second run is refused in one line, a reader notices nothing."""


def test_a_second_run_is_refused_in_one_line_that_names_the_holder(next_week):
    refused = next_week.refused

    assert refused.code not in (0, None), refused.said
    assert refused.out == ""
    (line,) = refused.err.splitlines()
    assert "run.lock is held by process " in line
    assert "orchestration" in line
    assert "one run at a time" in line


def test_a_second_run_is_refused_within_seconds(next_week):
    # Two of them idle; the rest is room for whatever else the machine does.
    assert next_week.refused.seconds < 15


def test_a_second_run_leaves_the_first_undisturbed(next_week):
    assert next_week.finished.code == 0
    assert "Week 2025-01-13" in next_week.finished.out
    assert next_week.runs_after_refusal == next_week.runs_before_refusal


def test_a_reader_never_fails_while_a_run_publishes(next_week):
    assert next_week.read_errors == []
    assert next_week.reads > 20
    assert next_week.weeks_read == ["2025-01-06", "2025-01-13"]


def test_nothing_stays_locked_when_a_run_has_ended(next_week):
    folder = next_week.tidemark.folder

    assert not (folder / "run.holder.json").exists()
    assert not [
        path
        for path in folder.rglob("*")
        if path.name.startswith((".publishing-", ".reproduce-")) or path.suffix == ".wal"
    ]
