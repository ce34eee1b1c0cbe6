"""Risk modes: what they set, that nothing else may be set in their place, and the permanent share in stablecoins."""

import re
from pathlib import Path

import pytest

from models_ml.indices.definition import IndexDefinition, parse_definition
from models_ml.indices.engine import fold
from models_ml.indices.errors import DefinitionError
from models_ml.indices.market import MarketState
from models_ml.indices.risk_modes import RISK_MODES, in_words
from models_ml.indices.rotation import wanted_share
from models_ml.indices.sections import Rotation
from models_ml.indices.state import new_state
from tests.unit.models_ml.indices.folds import flat, mondays, reasons_of, targets_of

HOW_TO = Path(__file__).parents[4] / "docs" / "how-to" / "define-an-index.md"
TEXT = """\
index_id: calm
name: Calm
kind: passive
methodology: Twelve of the largest.
selection: {count: 12}
calendar: {rule: weekly_model}
risk_mode: conservative
minimum_constituents: 12
"""
WEIGHTING = TEXT + "weighting:\n  "


def problems_of(text):
    with pytest.raises(DefinitionError) as caught:
        parse_definition(text, name="mine.yaml")
    return caught.value.problems


def parsed(text):
    return parse_definition(text, name="mine.yaml")


def test_a_mode_is_written_out_into_ordinary_fields():
    definition = parsed(TEXT)

    assert definition.rotation.floor_share == 0.25
    assert [(step.below_btc_average_days, step.share) for step in definition.rotation.steps] == [(100, 0.5), (200, 0.5)]
    assert definition.rotation.min_hold_days == 7
    assert (definition.weighting.method, definition.weighting.cap) == ("inverse_volatility", 0.1)


def test_a_definition_written_out_is_the_same_definition():
    definition = parsed(TEXT)

    again = IndexDefinition.model_validate(definition.model_dump())

    assert again.model_dump() == definition.model_dump()


def test_fields_that_a_mode_does_not_set_stay_the_users():
    definition = parsed(WEIGHTING + "volatility_days: 30\nrotation: {stables: 3}\n")

    assert (definition.weighting.volatility_days, definition.weighting.cap) == (30, 0.1)
    assert (definition.rotation.stables, definition.rotation.floor_share) == (3, 0.25)


def test_an_aggressive_index_may_trade_monthly_and_has_no_rotation():
    definition = parsed(TEXT.replace("conservative", "aggressive").replace("weekly_model", "monthly"))

    assert definition.rotation is None
    assert (definition.weighting.method, definition.weighting.cap) == ("sqrt_market_cap", 0.3)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            WEIGHTING + "cap: 0.2\n",
            "mine.yaml:10: weighting.cap: 0.2 is set, but risk_mode conservative sets 0.1; leave weighting.cap or risk_mode out",
        ),
        (
            WEIGHTING + "method: equal\n",
            "mine.yaml:10: weighting.method: equal is set, but risk_mode conservative sets inverse_volatility; "
            "leave weighting.method or risk_mode out",
        ),
        (
            WEIGHTING + "blend: [{method: equal, share: 0.5}, {method: rank, share: 0.5}]\n",
            "mine.yaml:10: weighting.blend: a blend is set, but risk_mode conservative sets weighting.method "
            "inverse_volatility; leave weighting.blend or risk_mode out",
        ),
        (
            WEIGHTING + "rank_caps: [0.3]\n",
            "mine.yaml:10: weighting.rank_caps: 0.3 may lift a weight above weighting.cap 0.1 of risk_mode conservative; "
            "leave rank_caps or risk_mode out",
        ),
        (
            TEXT + "rotation: null\n",
            "mine.yaml:9: rotation: none is set, but risk_mode conservative sets a rotation; leave rotation or risk_mode out",
        ),
        (
            TEXT + "rotation: {steps: [{below_btc_average_days: 200, share: 1}]}\n",
            "mine.yaml:9: rotation.steps: 1 below the 200-day average is set, but risk_mode conservative sets 0.5 below the "
            "100-day average, 0.5 below the 200-day average; leave rotation.steps or risk_mode out",
        ),
        (
            TEXT.replace("conservative", "aggressive") + "rotation: {}\n",
            "mine.yaml:9: rotation: a rotation is set, but risk_mode aggressive sets none; leave rotation or risk_mode out",
        ),
        (
            TEXT.replace("weekly_model", "monthly"),
            "mine.yaml:7: risk_mode: conservative moves weight into stablecoins, which calendar.rule monthly would look at "
            "only once a month; set calendar.rule to weekly_model (ranking.by market_cap_usd works with it, too), or "
            "risk_mode to aggressive",
        ),
        (
            TEXT.replace("conservative", "calm"),
            "mine.yaml:7: risk_mode: 'calm' must be 'conservative', 'balanced' or 'aggressive'; correct the value",
        ),
        (
            TEXT.replace("risk_mode: conservative", "rotation: {steps: []}"),
            "mine.yaml:7: rotation.steps: has no step, so nothing is ever moved into stables; add a step, set a floor_share, "
            "set selection.empty_places to stablecoins, or leave the rotation out",
        ),
    ],
)
def test_what_contradicts_a_mode_is_told_with_both_values(text, problem):
    assert problem in problems_of(text)


def test_a_value_that_the_mode_sets_anyway_is_no_contradiction():
    assert parsed(WEIGHTING + "cap: 0.1\n").weighting == parsed(TEXT).weighting


@pytest.mark.parametrize(
    ("btc", "share"),
    [(120.0, 0.25), (90.0, 0.625), (70.0, 1.0), (None, 0.25)],
)
def test_steps_are_shares_of_what_the_floor_leaves(btc, share):
    found, because = wanted_share(Rotation(floor_share=0.25), MarketState(btc, 100.0, 80.0))

    assert found == pytest.approx(share)
    assert because.startswith("25.0 % always")


def test_a_floor_alone_holds_stablecoins_and_says_why(market_of, definition_of):
    market = market_of({"a": flat(30), "b": flat(10), "usdx": flat(1)}, is_stable={"usdx": True}, supply={"usdx": 1e12})
    definition = definition_of(
        selection={"count": 2},
        calendar={"rule": "weekly_model"},
        rotation={"floor_share": 0.2, "steps": []},
    )

    first = next(fold(definition, new_state(definition), mondays(1), market.data()))

    assert targets_of(first) == pytest.approx({"a": 0.6, "b": 0.2, "usdx": 0.2})
    assert reasons_of(first)["usdx"] == "rotated into stables: 20.0 % of the index, 20.0 % always"


def test_a_conservative_index_moves_between_its_three_shares(market_of, definition_of):
    tokens = {f"t{number:02d}": flat(10 + number) for number in range(12)}
    market = market_of({**tokens, "usdx": flat(1)}, is_stable={"usdx": True}, supply={"usdx": 1e12})
    closes = {0: 120.0, 1: 90.0, 2: 70.0, 3: 120.0}
    market.bitcoin = lambda date: MarketState(closes[date.isocalendar().week - 1], 100.0, 80.0)
    definition = definition_of(
        risk_mode="conservative",
        selection={"count": 12},
        minimum_constituents=12,
        calendar={"rule": "weekly_model"},
    )

    results = list(fold(definition, new_state(definition), mondays(4), market.data()))

    assert [targets_of(result)["usdx"] for result in results] == pytest.approx([0.25, 0.625, 1.0, 0.25])
    assert targets_of(results[0])["t00"] == pytest.approx(0.75 / 12)  # flat prices: none is more volatile than another


@pytest.mark.parametrize("mode", RISK_MODES)
def test_the_guide_has_the_values_of_every_mode(mode):
    rows = [
        [cell.strip().strip("`") for cell in line.split("|")[1:-1]]
        for line in HOW_TO.read_text().splitlines()
        if line[:1] == "|"
    ]
    heads = next(row for row in rows if mode in row)
    told = {re.split("`|:", row[0])[0]: row[heads.index(mode)] for row in rows if len(row) == len(heads)}

    rotation, weighting = RISK_MODES[mode]["rotation"], RISK_MODES[mode]["weighting"]

    assert told["weighting.method"] == weighting["method"]
    assert float(told["weighting.cap"]) == weighting["cap"]
    if rotation is None:
        assert {told[f"rotation.{name}"] for name in ("floor_share", "steps", "min_hold_days")} == {"no rotation"}
    else:
        assert float(told["rotation.floor_share"]) == rotation["floor_share"]
        assert int(told["rotation.min_hold_days"]) == rotation["min_hold_days"]
        shown = [f"{step['share']:g} below {step['below_btc_average_days']} days" for step in rotation["steps"]]
        assert told["rotation.steps"] == ", ".join(shown)


def test_a_mode_in_words_names_what_it_sets():
    assert in_words("conservative") == (
        "Risk mode conservative: weights by inverse_volatility, none above 10 % of what is invested; 25 % always in "
        "stablecoins; 50 % of the rest in them while Bitcoin closes below its 100-day average; 50 % of the rest in them while "
        "Bitcoin closes below its 200-day average; changed at most every 7 days."
    )
    assert in_words("aggressive").endswith("none above 30 % of what is invested; never in stablecoins.")
