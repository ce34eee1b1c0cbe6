import json
import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest

from orchestration.lib.manifest import sha256_of_bytes
from orchestration.lib.publishing import VerificationError, inspect_chain
from orchestration.lib.whole_file import sha256_of
from tests.unit.orchestration.lib_publishing.conftest import TABLES, verified


@pytest.fixture
def published(three_publications: Path, tmp_path: Path) -> Path:
    """Three weeks, published one after the other."""
    return Path(shutil.copytree(three_publications, tmp_path / "published"))


def tamper(published: Path, *statements: str) -> None:
    """Change the published warehouse and sign the changed file in the newest manifest, as a careful forger would."""
    path = published / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    content = json.loads((published / "manifest.json").read_text())
    content["files"]["warehouse.duckdb"] |= {"sha256": sha256_of(path), "size_bytes": path.stat().st_size}
    for name in ("manifest.json", "manifests/000003.json"):
        (published / name).write_text(json.dumps(content))


def problems_of(published: Path) -> list[str]:
    with pytest.raises(VerificationError) as caught:
        verified(published)
    return list(caught.value.report.problems)


def test_what_was_published_verifies(published):
    report = verified(published)

    assert report.is_ok
    assert (report.manifests, report.files, report.newest_sequence) == (3, 2 + len(TABLES), 3)
    assert report.versions == 12
    assert report.newest_manifest_sha256 == sha256_of(published / "manifest.json")


def test_a_past_grade_that_was_changed_is_found(published):
    tamper(
        published,
        "update learning.trader_grades set trader_grade = 99 where token_id = 'token-1' and as_of_week = '2025-01-06'",
    )

    (problem,) = problems_of(published)

    assert problem.startswith("learning.trader_grades: rows do not match their content_hash in 1 versions")
    assert '{"as_of_week": "2025-01-06"} v1' in problem


def test_a_past_grade_that_was_changed_along_with_its_hashes_is_found(published):
    where = "where as_of_week = '2025-01-06'"
    tamper(
        published,
        f"update learning.trader_grades set trader_grade = 99, content_hash = 'forged' {where}",
        f"update quality.unit_versions set content_hash = 'forged' {where} and table_name = 'learning.trader_grades'",
    )

    problems = problems_of(published)

    assert any("not what was signed in 3 of 3 manifests" in problem for problem in problems)


def test_a_call_that_was_backdated_is_found(published):
    for_week = "where as_of_week = '2025-01-13'"
    tamper(
        published,
        f"update learning.trader_grades set recorded_at = recorded_at - interval 10 day {for_week}",
        f"update quality.unit_versions set recorded_at = recorded_at - interval 10 day {for_week}",
    )

    problems = problems_of(published)

    assert any("learning.trader_grades" in problem and "signed in 3 of 3 manifests" in problem for problem in problems)


def test_a_version_added_to_the_past_is_found(published):
    tamper(
        published,
        "create temp table added as from quality.unit_versions where table_name = 'learning.bull_bear' limit 1",
        "update added set as_of_week = '2024-12-23', unit = '{\"as_of_week\": \"2024-12-23\"}'",
        "insert into quality.unit_versions from added",
    )

    (problem,) = problems_of(published)

    assert problem.startswith("learning.bull_bear: its ledger is not what was signed in 3 of 3 manifests")


def test_a_version_removed_with_its_rows_is_found(published):
    where = "where as_of_week = '2025-01-20'"
    tamper(published, f"delete from indices.compositions {where}", f"delete from quality.unit_versions {where}")

    problems = problems_of(published)

    assert any("indices.compositions" in problem and "signed in 1 of 3 manifests: 3" in problem for problem in problems)


def test_the_origin_of_a_row_cannot_be_embellished(published):
    tamper(published, "update learning.trader_grades set origin = 'backfilled' where version = 1")

    (problem,) = problems_of(published)

    assert "version columns of the rows differ from the ledger in 4 versions" in problem


def test_a_version_cannot_be_superseded_by_nothing(published):
    now = "timestamptz '2025-02-01 00:00:00+00'"
    tamper(
        published,
        f"update learning.trader_grades set superseded_at = {now} where as_of_week = '2025-01-06'",
        f"update quality.unit_versions set superseded_at = {now} "
        "where as_of_week = '2025-01-06' and table_name = 'learning.trader_grades'",
    )

    (problem,) = problems_of(published)

    assert "do not follow one another" in problem


def test_rows_that_no_ledger_entry_knows_are_found(published):
    tamper(
        published,
        "insert into screens.moonshots by name select as_of_week, token_id, 1 as rank, symbol, version, content_hash, recorded_at, run_id, "
        "code_version, inputs_hash, input_cutoff, origin, version_reason from learning.trader_grades limit 1",
    )

    (problem,) = problems_of(published)

    assert problem.startswith("screens.moonshots: rows without a ledger entry")


def test_a_manifest_changed_in_the_middle_is_found(published):
    path = published / "manifests" / "000002.json"
    path.write_text(path.read_text().replace('"abc"', '"better"'))

    (problem,) = problems_of(published)

    assert problem.startswith("000003.json: names ")


def test_a_manifest_removed_from_the_middle_is_found(published):
    (published / "manifests" / "000002.json").unlink()

    problems = problems_of(published)

    assert any("000003.json: holds sequence 3, but 2 is next" in problem for problem in problems)
    assert any("000003.json: names " in problem for problem in problems)


def test_a_changed_parquet_file_is_found(published):
    path = published / "parquet" / "learning.trader_grades.parquet"
    pl.read_parquet(path).with_columns(trader_grade=pl.lit(99.0)).write_parquet(path)

    (problem,) = problems_of(published)

    assert problem.startswith("parquet/learning.trader_grades.parquet: sha256 is ")


def test_a_hash_noted_elsewhere_guards_the_newest_manifest(published):
    noted = verified(published).newest_manifest_sha256
    for name in ("manifest.json", "manifests/000003.json"):
        (published / name).write_text((published / name).read_text().replace('"abc"', '"better"'))

    report = verified(published)

    assert report.newest_manifest_sha256 != noted
    assert report.newest_manifest_sha256 == sha256_of_bytes((published / "manifest.json").read_bytes())


def test_everything_wrong_is_reported_at_once(published):
    (published / "parquet" / "indices.levels.parquet").unlink()
    (published / "manifests" / "000001.json").write_text("no manifest")
    (published / "manifest.json").write_text("no manifest either")
    (published / "warehouse.duckdb").write_bytes(b"no database")

    report = inspect_chain(published, tables=TABLES)

    text = "\n".join(report.problems)
    assert not report.is_ok
    for expected in (
        "indices.levels.parquet is missing",
        "000001.json: not a manifest",
        "manifest.json is missing or is not",
        "cannot be",
    ):
        assert expected in text


def test_a_folder_without_anything_is_reported(tmp_path):
    report = inspect_chain(tmp_path, tables=TABLES)

    assert any("nothing was published here" in problem for problem in report.problems)
