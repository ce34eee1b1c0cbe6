"""A new index from the template, and the schema that editors read."""

import json

import pytest
import yaml

from models_ml.indices.definition import DEFINITIONS_FOLDER, load_definitions, parse_definition
from orchestration.commands_indices import SCHEMA, new_index, schema_text, show_index
from orchestration.lib.errors import TidemarkError
from orchestration.settings import SHIPPED_INDICES, load_settings


@pytest.fixture
def own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TIDEMARK_DATA_DIR", str(tmp_path))
    return tmp_path / "indices"


def test_a_new_index_is_a_valid_definition_beside_the_shipped_ones(own_folder, capsys):
    shipped = {definition.index_id for definition in load_definitions(DEFINITIONS_FOLDER)}

    assert new_index("my_ten") == 0

    assert str(own_folder / "my_ten.yaml") in capsys.readouterr().out
    definitions = load_definitions(*load_settings().indices_folders)
    assert {definition.index_id for definition in definitions} == shipped | {"my_ten"}


def test_the_template_names_the_schema_where_it_lies(own_folder):
    new_index("my_ten")

    first = (own_folder / "my_ten.yaml").read_text().splitlines()[0]

    assert first == f"# yaml-language-server: $schema={SCHEMA.as_uri()}"
    assert SCHEMA.is_file()


@pytest.mark.parametrize("index_id", ["", "My Ten", "../up", "1st", "a-b"])
def test_an_id_that_is_none_is_refused_before_anything_is_written(own_folder, index_id):
    with pytest.raises(TidemarkError, match="is no index_id"):
        new_index(index_id)

    assert not own_folder.exists()


def test_an_id_that_is_taken_is_refused(own_folder):
    with pytest.raises(TidemarkError, match="there is an index hodl10 already"):
        new_index("hodl10")
    new_index("my_ten")
    text = (own_folder / "my_ten.yaml").read_text()

    with pytest.raises(TidemarkError, match="there is an index my_ten already"):
        new_index("my_ten")

    assert (own_folder / "my_ten.yaml").read_text() == text


def test_a_folder_that_is_named_must_be_there_and_the_default_one_need_not(monkeypatch, tmp_path):
    monkeypatch.setenv("TIDEMARK_DATA_DIR", str(tmp_path))

    assert load_settings().indices_folders == (SHIPPED_INDICES,)
    monkeypatch.setenv("TIDEMARK_INDICES_DIR", str(tmp_path / "mine"))
    assert load_settings().indices_folders == (SHIPPED_INDICES, tmp_path / "mine")


def test_the_schema_in_the_docs_is_that_of_the_code():
    assert SCHEMA.read_text() == schema_text(), "run make index-schema"


def test_the_schema_knows_every_field_and_says_what_it_is_for():
    schema = json.loads(schema_text())

    assert set(schema["properties"]) >= {
        "index_id",
        "universe",
        "selection",
        "weighting",
        "calendar",
        "minimum_constituents",
    }
    assert "Half-life" in schema["properties"]["market_cap_half_life_days"]["description"]
    assert schema["additionalProperties"] is False


def test_an_index_is_shown_with_what_its_risk_mode_sets(own_folder, capsys):
    new_index("calm")
    path = own_folder / "calm.yaml"
    text = path.read_text().replace("rule: monthly", "rule: weekly_model").replace("minimum_constituents: 5", "")
    text = text.replace("  method: market_cap\n  cap: 0.25\n", "  volatility_days: 60\n")
    path.write_text(text + "risk_mode: conservative\nminimum_constituents: 10\n")
    capsys.readouterr()

    assert show_index("calm") == 0

    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["weighting"] == {"method": "inverse_volatility", "cap": 0.1, "volatility_days": 60}
    assert shown["rotation"]["floor_share"] == 0.25
    with pytest.raises(TidemarkError, match="ID=none is no index"):
        show_index("none")


@pytest.mark.parametrize("index_id", ["balanced_mix", "bitwise10", "ai_top100"])
def test_what_is_shown_of_a_shipped_index_is_a_definition_of_it(own_folder, capsys, index_id):
    show_index(index_id)

    shown = parse_definition(capsys.readouterr().out, name="shown.yaml")

    assert shown in load_definitions(DEFINITIONS_FOLDER)
