"""Methodology documents: every value of a definition is in them, with its version and its instants."""

import datetime as dt
import re

import pytest
from pydantic import Field as PydanticField

from models_ml.indices.definition import DEFINITIONS_FOLDER, IndexDefinition, load_definitions
from models_ml.indices.definition_versions import fields_of
from models_ml.indices.methodology import SENTENCES, Change, methodology_document, shown
from models_ml.indices.sections import Selection

LOG = (Change("1.0", dt.date(2025, 1, 6), "ab" * 32, ()),)
SHIPPED = load_definitions(DEFINITIONS_FOLDER)

EVERYTHING = {
    "universe": {"exclude_sectors": ["Meme"], "exclude_tokens": ["dogecoin"], "min_history_days": 45},
    "eligibility": {
        "min_market_cap_usd": 12_000_000,
        "min_volume_30d_usd": 345_000,
        "min_price_age_days": 67,
        "max_market_cap_usd": 99_000_000_000,
        "leave_out_calls": ["bearish"],
        "features": [{"feature": "rank_return_30d", "at_least": 0.31}],
    },
    "ranking": {"by": "trader_grade", "among_largest": 89},
    "selection": {"count": 12, "entry_rank": 7, "exit_rank": 23},
    "weighting": {
        "blend": [{"method": "inverse_volatility", "share": 0.25}, {"method": "risk_parity", "share": 0.75}],
        "volatility_days": 31,
        "covariance_days": 77,
        "cap": 0.37,
        "floor": 0.011,
        "rank_caps": [0.41],
        "group_caps": {"cap": 0.61, "exceptions": [{"group": "L1", "cap": 0.83}]},
        "liquidity": {"capital_usd": 7_000_000, "max_volume_share": 0.13},
        "max_turnover": 0.29,
        "volatility_cap": True,
        "tilt": {"features": ["rank_return_30d"], "strength": 0.47},
    },
    "calendar": {"rule": "weekly_model", "retrade_band": 0.043},
    "rotation": {
        "min_hold_days": 9,
        "peg_tolerance": 0.017,
        "stables": 3,
        "leave_below_usd": 0.971,
        "trigger": "daily",
    },
    "base": {"level": 500, "date": "2020-01-06"},
    "twin": "other",
    "market_cap_half_life_days": 5,
    "minimum_constituents": 6,
}


def document(definition, **arguments):
    return methodology_document(definition, **{"log": LOG, "year": 2025, **arguments})


@pytest.mark.parametrize("definition", SHIPPED, ids=lambda each: each.index_id)
def test_every_value_of_a_shipped_definition_stands_in_its_document_with_its_path(definition):
    text = document(definition)

    for field in fields_of(definition):
        assert re.search(
            rf"`{re.escape(field.path)}`(: | \(){re.escape(' '.join(shown(field.value).split()))}", text
        ), field.path


def test_every_field_that_is_set_is_a_rule_and_none_is_called_unused(definition_of):
    definition = definition_of(**EVERYTHING)

    rules, unused = document(definition).split("## Not used")

    set_fields = [field for field in fields_of(definition) if not field.is_default]
    assert len(set_fields) > 35
    assert [field.path for field in set_fields if f"`{field.path}`: {shown(field.value)}" not in rules] == []
    assert [field.path for field in set_fields if f"`{field.path}`" in unused] == []


def test_the_words_are_about_fields_that_exist(definition_of):
    known = {field.path for field in fields_of(definition_of(**EVERYTHING))}
    known |= {field.path for field in fields_of(definition_of())}

    assert set(SENTENCES) - known == set()


class LargerSelection(Selection):
    """A selection with a rule that no sentence was written for."""

    skip_noisiest: float = PydanticField(default=0.0)
    """Share of the candidates that move most and are never held."""


class LargerDefinition(IndexDefinition):
    """A language that has learnt something since."""

    selection: LargerSelection
    restlessness: str | None = None
    """How much risk the holder bears."""


@pytest.fixture
def learnt(definition_of):
    content = definition_of().model_dump(exclude_unset=True)

    def make(**fields):
        return LargerDefinition.model_validate(content | fields)

    return make


def test_a_field_without_a_sentence_is_shown_with_its_value_and_what_the_language_says_of_it(learnt):
    text = document(learnt(selection={"count": 3, "skip_noisiest": 0.2}, restlessness="calm"))

    assert (
        "Skip noisiest is 0.2. Share of the candidates that move most and are never held. (`selection.skip_noisiest`: 0.2)"
        in text
    )
    assert "Restlessness is calm. How much risk the holder bears. (`restlessness`: calm)" in text


def test_a_field_without_a_sentence_that_is_at_its_default_is_not_used(learnt):
    unused = document(learnt()).split("## Not used")[1]

    assert "`selection.skip_noisiest` (0), " in unused or "`selection.skip_noisiest` (0)." in unused
    assert "`restlessness` (none)" in unused


def test_an_index_of_indices_selects_and_weighs_nothing_itself():
    content = {
        "index_id": "mix",
        "name": "Mix",
        "kind": "composite",
        "methodology": "Two indices in one.",
        "components": [{"index": "calm", "weight": 0.6}, {"index": "bold", "weight": 0.4}],
        "calendar": {"rule": "monthly"},
    }
    text = document(IndexDefinition.model_validate(content))

    rules, unused = text.split("## Not used")
    assert "It holds other indices, whose tokens are published as its own: 60.0 % calm, 40.0 % bold." in rules
    assert "`selection.count` (1)" in unused
    assert "`weighting.method`" not in rules
    assert "It is unavailable where one of the indices that it holds is." in text


def test_instants_of_a_monthly_index_are_those_of_its_calendar(definition_of):
    calendar = {"rule": "monthly", "day": "last_business_day", "months": [3, 6], "review_months": [6]}

    rows = re.findall(r"^\| (2025.*) \|$", document(definition_of(calendar=calendar)), re.MULTILINE)

    # The last weekdays are 2025-03-31, a Monday, and 2025-06-30, a Monday: their closes end at 00:00 of the Tuesday after.
    assert rows == [
        "2025-04-01 00:00 | 2025-04-07 00:00 | 2025-04-01 00:00 | those of before",
        "2025-07-01 00:00 | 2025-07-07 00:00 | 2025-07-01 00:00 | chosen anew",
    ]


def test_a_model_driven_index_is_announced_a_day_before_it_takes_effect(definition_of):
    text = document(definition_of(calendar={"rule": "weekly_model"}))

    assert "| 2025-01-06 00:00 | 2025-01-06 00:00 | 2025-01-07 00:00 | chosen anew |" in text
    assert "The first 4 of 52 in 2025" in text


def test_a_document_says_its_version_its_changes_and_its_hindsight(definition_of):
    log = (Change("2.0", dt.date(2025, 2, 3), "cd" * 32, ("selection.count: 3 -> 4",)), *LOG)

    text = document(definition_of(universe={"exclude_wrapped": False}), log=log)

    assert "Version 2.0, in force since the week of 2025-02-03, content hash `" + "cd" * 32 in text
    assert "| 2.0 | 2025-02-03 | `cdcdcdcdcdcd` | selection.count: 3 -> 4 |" in text
    assert "| 1.0 | 2025-01-06 | `abababababab` | first version |" in text
    assert "(hindsight): which tokens are stablecoins." in text


def test_a_document_without_a_version_is_refused(definition_of):
    with pytest.raises(ValueError, match="top3: no version is recorded"):
        document(definition_of(), log=())
