"""Entries whose rows are a query: unfolded, and joined with other files of the archive."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from orchestration.lib.bulk_import import MappingError, import_archive, load_mapping, validate_archive
from orchestration.lib.landing import LandingStore
from orchestration.sources.datasets import find_dataset

UNLOCKS = find_dataset("defillama", "unlock_events")
LAGS = {("defillama", "unlock_events"): 0.0}
OPTIONS = {
    "as_of": datetime(2024, 6, 24, tzinfo=UTC),
    "loaded_at": datetime(2026, 11, 20, tzinfo=UTC),
    "lags": LAGS,
}
VESTINGS = {
    "path": "vestings.csv",
    "dataset": "defillama/unlock_events",
    "beside": {"tokens": "tokens.csv"},
    "from_sql": (
        "select name, amount, tokens.coin, unnest(generate_series(1, steps::int)) as step "
        "from file left join tokens using (name)"
    ),
    "columns": {
        "protocol": "name",
        "section": {"constant": "team"},
        "starts_at": {"sql": "to_timestamp(step * 86400)"},
        "unlock_type": {"constant": "cliff"},
        "position": {"constant": 1},
        "coin_id": "coin",
        "amount_tokens": "amount",
    },
}


@pytest.fixture
def archive(tmp_path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "vestings.csv").write_text("name,steps,amount\nx,3,7\ny,1,0\n")
    (folder / "tokens.csv").write_text("name,coin\nx,ex\n")
    return folder


def mapping(tmp_path: Path, **changes: object):
    path = tmp_path / "mapping.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "files": [VESTINGS | changes]}))
    return load_mapping(path)


def test_one_row_becomes_many_with_what_another_file_says(tmp_path, archive):
    store = LandingStore(tmp_path / "data")

    (first,) = import_archive(mapping(tmp_path), archive, store, **OPTIONS)
    (again,) = import_archive(mapping(tmp_path), archive, store, **OPTIONS)

    rows = store.newest(UNLOCKS).select("protocol", "coin_id", "starts_at", "amount_tokens").rows()
    assert rows == [("x", "ex", datetime(1970, 1, day, tzinfo=UTC), 7.0) for day in (2, 3, 4)]
    assert (first.read, first.landed, first.quarantined) == (4, 3, 1)
    assert (again.landed, again.unchanged, again.quarantined) == (0, 3, 1)


def test_without_the_file_beside_it_an_entry_is_skipped_and_says_which(tmp_path, archive):
    (archive / "tokens.csv").unlink()

    (result,) = validate_archive(mapping(tmp_path), archive)

    assert result.skipped == "needs tokens.csv, not in the archive"
    with pytest.raises(MappingError, match=r"tokens\.csv: is required for defillama/unlock_events and absent"):
        validate_archive(mapping(tmp_path, required=True), archive)


def test_a_query_that_does_not_run_is_named_before_anything_is_written(tmp_path, archive):
    with pytest.raises(MappingError, match=r"vestings\.csv: from_sql of the mapping does not run .*colour"):
        validate_archive(mapping(tmp_path, from_sql="select colour from file, tokens"), archive)


def test_columns_are_looked_for_in_what_the_query_gives(tmp_path, archive):
    without = "select file.name, amount, 1 as step from file, tokens"

    with pytest.raises(MappingError, match=r"has no column coin; from_sql has name, amount, step"):
        validate_archive(mapping(tmp_path, from_sql=without), archive)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"from_sql": None}, "names files that only `from_sql` can read"),
        ({"beside": {"tokens": "../tokens.csv"}}, "leaves the archive's folder"),
        ({"beside": {"file": "tokens.csv"}}, "is the entry's own file"),
        ({"beside": {"to kens": "tokens.csv"}}, "should match pattern"),
    ],
)
def test_files_beside_it_are_checked_like_its_own(tmp_path, changes, said):
    with pytest.raises(MappingError, match=said):
        mapping(tmp_path, **changes)
