"""The registry: models with what their training looked like, as text, and nothing that can be changed unnoticed."""

import datetime as dt
import json

import polars as pl
import pytest

from models_ml.learning.frozen_model import FrozenModel
from models_ml.learning.training_profile import PROFILE_SCHEMA
from orchestration.lib.registry import CARD, PROFILE, ModelRegistry, RegistryError

REFIT = dt.date(2024, 1, 1)
MODEL = FrozenModel(
    head="trader",
    refit=REFIT,
    boosters={"one": "tree\n"},
    columns=("rank_return_7d", "fear_greed"),
    training_weeks=(dt.date(2022, 1, 3), dt.date(2023, 12, 11)),
    training_rows=1000,
    constants={"base": 0.25},
    parameters={"trials": 0.0},
    data_hash="ab" * 32,
)
FRAME = pl.DataFrame(
    {
        "feature": ["rank_return_7d", "fear_greed"],
        "low": [-0.1 / 3, None],
        "high": [1e-17, None],
        "edges": [[0.1, 0.2], []],
        "shares": [[0.3, 0.3, 0.3, 0.1], [0.0, 1.0]],
    },
    schema=PROFILE_SCHEMA,
)


@pytest.fixture
def registry(tmp_path):
    return ModelRegistry(tmp_path)


def test_a_model_comes_back_as_it_was_with_its_data_and_its_profile_to_the_last_digit(registry):
    registry.freeze(MODEL, profile=FRAME)

    assert registry.load("trader", REFIT) == MODEL
    assert registry.profile("trader", REFIT).equals(FRAME)
    assert registry.version("trader", REFIT) == MODEL.version


def test_everything_on_disk_is_text(registry):
    folder = registry.freeze(MODEL, profile=FRAME)

    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "one.txt", PROFILE]
    assert all(path.read_text() for path in folder.iterdir())


@pytest.mark.parametrize(
    ("change", "said"), [(lambda path: path.write_text("[]"), "changed"), (lambda path: path.unlink(), "missing")]
)
def test_a_profile_that_is_not_the_one_frozen_is_refused(registry, change, said):
    folder = registry.freeze(MODEL, profile=FRAME)
    change(folder / PROFILE)

    with pytest.raises(RegistryError, match=f"{said} since the model was frozen; restore"):
        registry.profile("trader", REFIT)


def test_a_model_of_an_earlier_release_scores_on_without_data_hash_and_profile(registry):
    folder = registry.freeze(MODEL)
    card = json.loads((folder / CARD).read_text())
    del card["data_hash"]
    (folder / CARD).write_text(json.dumps(card))

    model = registry.load("trader", REFIT)

    assert model.data_hash == ""
    assert model.version == MODEL.version
    assert registry.profile("trader", REFIT) is None


@pytest.mark.parametrize(("name", "place"), [("{booster}.txt", 0), (CARD, 0), (CARD, 20)])
def test_a_damaged_byte_that_is_no_character_is_an_error_that_names_the_model(registry, name, place):
    """Found by the drill of a corrupt model file."""
    folder = registry.freeze(MODEL)
    path = folder / name.format(booster=next(iter(MODEL.boosters)))
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)

    with pytest.raises(RegistryError, match=str(folder)):
        registry.load("trader", REFIT)
