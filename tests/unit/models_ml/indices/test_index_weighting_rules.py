"""The section `weighting` of a definition: what is refused at load, with line, field and remedy."""

from pathlib import Path
from typing import get_args

import pytest

from models_ml.indices.definition import parse_definition
from models_ml.indices.errors import DefinitionError
from models_ml.indices.weighting_rules import Method, Weighting

REFERENCE = Path(__file__).parents[4] / "docs" / "reference" / "index-weighting.md"

GOOD = """\
index_id: top5
name: Top 5
kind: passive
methodology: The five largest.
selection: {count: 5}
calendar: {rule: monthly}
minimum_constituents: 4
"""


def load(weighting, *, text=GOOD):
    return parse_definition(text + "weighting:\n" + weighting, name="mine.yaml")


def problems_of(weighting, *, text=GOOD):
    with pytest.raises(DefinitionError) as caught:
        load(weighting, text=text)
    return caught.value.problems


def test_a_definition_may_blend_methods_and_combine_limits():
    weighting = load(
        "  blend: [{method: sqrt_market_cap, share: 0.75}, {method: volume, share: 0.25}]\n"
        "  rank_caps: [0.4]\n"
        "  cap: 0.3\n"
        "  group_caps: {cap: 0.5, exceptions: [{group: Meme, cap: 0.2}]}\n"
        "  liquidity: {capital_usd: 1_000_000, max_volume_share: 0.1}\n"
        "  max_turnover: 0.25\n"
    ).weighting

    assert weighting.methods == ("sqrt_market_cap", "volume")
    assert weighting.ceilings(3) == [0.4, 0.3, 0.3]
    assert weighting.group_caps.cap_of("meme") == 0.2
    assert weighting.group_caps.cap_of("L1") == 0.5
    assert weighting.uses_volume


def test_a_ceiling_on_sectors_rests_on_undated_sectors():
    definition = load("  group_caps: {cap: 0.5}\n")

    assert "sector" in definition.undated_inputs
    assert "sector" not in load("  cap: 0.5\n").undated_inputs


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [
        (
            "  method: equal\n  blend: [{method: volume, share: 1}]\n",
            "mine.yaml:9: weighting.method: equal is given beside weighting.blend; keep one of the two",
        ),
        (
            "  blend:\n  - {method: volume, share: 0.5}\n  - {method: equal, share: 0.4}\n",
            "mine.yaml:9: weighting.blend: shares add up to 0.9; make them add up to 1",
        ),
        (
            "  blend:\n  - {method: volume, part: 1}\n",
            "mine.yaml:10: weighting.blend.0.part: unknown key; remove it (known: method, share)",
        ),
        (
            "  cap: 0.2\n  rank_caps: [0.3]\n",
            "mine.yaml:10: weighting.rank_caps: the ceilings of 4 constituents add up to 0.9, but weights must reach 1; "
            "raise them or weighting.cap, or set minimum_constituents to at least 5",
        ),
        (
            "  rank_caps: [0.3, 0.4]\n  cap: 0.25\n",
            "mine.yaml:9: weighting.rank_caps: 0.3, 0.4 and then weighting.cap 0.25 for all others do not descend; "
            "sort them, and set weighting.cap to at most 0.3",
        ),
        (
            "  rank_caps: [0.3]\n",
            "mine.yaml:9: weighting.rank_caps: 0.3 and then weighting.cap 1 for all others do not descend; "
            "sort them, and set weighting.cap to at most 0.3",
        ),
        (
            "  group_caps:\n    cap: 0.2\n",
            "mine.yaml:10: weighting.group_caps.cap: 0.2 x minimum_constituents 4, were each of another sector, = 0.8, "
            "but weights must reach 1; raise it to at least 0.25",
        ),
        (
            "  capping: single_pass\n  group_caps: {cap: 0.5}\n",
            "mine.yaml:10: weighting.group_caps: weighting.capping single_pass may leave a group above its ceiling; "
            "set weighting.capping to iterative, or leave the group caps out",
        ),
        (
            "  group_caps:\n    exceptions: [{group: Meme, cap: 0.3}, {group: meme, cap: 0.4}]\n",
            "mine.yaml:10: weighting.group_caps.exceptions: meme is there more than once; keep one ceiling a group",
        ),
        (
            "  floor: 0.1\n  group_caps: {exceptions: [{group: Meme, cap: 0.05}]}\n",
            "mine.yaml:9: weighting.floor: 0.1 lies above the ceiling 0.05 of a whole group in weighting.group_caps; "
            "set at most 0.05",
        ),
        (
            "  capping: flexible\n  liquidity: {capital_usd: 1, max_volume_share: 1}\n",
            "mine.yaml:10: weighting.liquidity: weighting.capping flexible may leave a weight above what its liquidity "
            "allows; set weighting.capping to iterative, or leave the liquidity limit out",
        ),
        (
            "  liquidity: {capital: 1, max_volume_share: 1}\n",
            "mine.yaml:9: weighting.liquidity.capital: unknown key; did you mean 'capital_usd'?",
        ),
        (
            "  max_turnover: 0\n",
            "mine.yaml:9: weighting.max_turnover: 0 must be greater than 0; correct the value",
        ),
    ],
)
def test_a_weighting_that_cannot_hold_is_refused_with_line_field_and_remedy(weighting, expected):
    assert expected in problems_of(weighting)


def test_a_ceiling_on_the_only_sector_of_an_index_is_refused():
    text = GOOD + "universe: {sector: DeFi}\n"

    assert problems_of("  group_caps: {cap: 0.5}\n", text=text) == [
        "mine.yaml:10: weighting.group_caps: all constituents are of universe.sector DeFi, which may hold only 0.5; "
        "leave the group caps out, or universe.sector"
    ]


def test_a_turnover_limit_between_reviews_of_the_members_is_refused():
    text = GOOD.replace("{rule: monthly}", "{rule: monthly, review_months: [1, 7]}")

    (problem,) = problems_of("  max_turnover: 0.2\n", text=text)

    assert problem.startswith(
        "mine.yaml:9: weighting.max_turnover: a token that leaves by parts would be weighed again"
    )
    assert problem.endswith("leave one of the two out")


@pytest.mark.parametrize("method", ["risk_parity", "hierarchical_risk_parity", "minimum_variance"])
def test_a_covariance_of_fewer_days_than_tokens_is_refused(method):
    text = GOOD.replace("count: 5", "count: 60")

    assert problems_of(f"  method: {method}\n  covariance_days: 60\n", text=text) == [
        "mine.yaml:10: weighting.covariance_days: 60 days are too few for the covariance of selection.count 60 tokens, "
        f"which {method} needs; set at least 61, better twice as many"
    ]
    assert load(f"  method: {method}\n  covariance_days: 61\n", text=text).weighting.method == method


def test_the_reference_names_every_method_field_and_way_of_capping():
    text = REFERENCE.read_text(encoding="utf-8")
    ways = get_args(Weighting.model_fields["capping"].annotation)

    missing = [name for name in (*get_args(Method), *Weighting.model_fields, *ways) if f"`{name}" not in text]

    assert missing == []
