"""What every model of the dbt project owes its readers, read from the manifest, so that a new model owes it too."""

import json
import re

import pytest

from orchestration.settings import REPOSITORY_ROOT

MANIFEST = REPOSITORY_ROOT / "dbt_project" / "target" / "manifest.json"
PUBLISHED = ("marts", "quality", "api")

WITHOUT_CONTRACT = {"feature_catalogue": "a model in Python, for which dbt has no contracts"}
KEY_TESTS = {"unique", "unique_key"}

NUMBERS = {"double", "float", "real", "hugeint", "bigint", "integer", "int", "smallint", "tinyint"}
UNIT = re.compile(
    r"USD|\b[Ff]raction|\b[Ss]hare of|\bratio\b|\b0-1(?:00)?\b|-1 to 1\b|\b[Cc]ount\b|\bpoints\b|Unit - \S"
    r"|\b[Dd]ays\b|\btokens\b|standard deviations|\b[Ss]econds\b|\bMB\b"
)

pytestmark = pytest.mark.skipif(not MANIFEST.exists(), reason="no manifest; make test parses the dbt project first")


@pytest.fixture(scope="module")
def manifest():
    return json.loads(MANIFEST.read_text())


@pytest.fixture(scope="module")
def models(manifest):
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


@pytest.fixture(scope="module")
def published(models):
    return [node for node in models if node["schema"] in PUBLISHED]


def test_every_published_model_has_an_enforced_contract(published):
    without = {node["name"] for node in published if not node["contract"]["enforced"]}

    assert without == set(WITHOUT_CONTRACT)
    assert {node["language"] for node in published if node["name"] in WITHOUT_CONTRACT} == {"python"}


def test_every_model_outside_of_staging_is_described(models):
    bare = [node["name"] for node in models if node["schema"] != "staging" and not node["description"].strip()]

    assert bare == []


def test_every_published_model_says_its_grain(published):
    silent = [node["name"] for node in published if "Grain - " not in node["description"] and node["schema"] != "api"]

    assert silent == []


def test_every_column_of_a_published_model_is_described(published):
    bare = [
        f"{node['name']}.{column}"
        for node in published
        for column, facts in node["columns"].items()
        if not facts["description"].strip()
    ]

    assert bare == []
    assert all(node["columns"] for node in published)


def test_every_number_says_its_unit_or_that_it_is_a_count(published):
    unitless = {
        f"{node['name']}.{column}": facts["description"]
        for node in published
        for column, facts in node["columns"].items()
        if str(facts["data_type"] or "").lower() in NUMBERS and not UNIT.search(facts["description"])
    }

    assert unitless == {}


def test_the_key_of_every_mart_is_tested(manifest, models):
    tested = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and (node["test_metadata"] or {}).get("name") in KEY_TESTS
    }

    untested = {
        node["name"] for node in models if node["schema"] in ("marts", "quality") and node["unique_id"] not in tested
    }

    assert untested == set()


def test_every_view_of_the_sql_interface_leads_back_to_its_sources(manifest, models):
    # A view that reads a table by its name has no lineage: nothing shows what it depends on.
    views = {node["name"]: node["depends_on"]["nodes"] for node in models if node["schema"] == "api"}

    assert [name for name, parents in views.items() if not parents] == []
    assert all(
        parent in manifest["nodes"] or parent in manifest["sources"] for each in views.values() for parent in each
    )


def test_the_published_copy_exposes_every_view_of_the_sql_interface(manifest, models):
    exposures = {exposure["name"]: exposure["depends_on"]["nodes"] for exposure in manifest["exposures"].values()}
    views = {node["unique_id"] for node in models if node["schema"] == "api"}

    assert {"published_copy", "weekly_summary", "dagster_plots", "data_docs", "learning", "index_engine"} <= set(
        exposures
    )
    assert views <= set(exposures["published_copy"])


def test_every_test_of_the_project_has_a_name_that_fits_a_line(manifest):
    long = [
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and len(node["name"]) > 70
    ]

    assert long == []
