"""Risk modes: a word in a definition that stands for fields of it, the same ones in every index.

Belongs here: what each mode sets, writing that into a definition, and what contradicts it.
Does not: what the fields do (`rotation.py`, `weighting.py`), the schema (`definition.py`).

A mode fills in fields before a definition is checked, so an index with a mode is an ordinary index in which these fields are
written out, and `make index-show` shows them. A field that the user sets to another value is refused rather than obeyed: a
mode that means one thing here and another there would say nothing.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

from models_ml.indices.definition_problems import FieldProblem

RiskMode = Literal["conservative", "balanced", "aggressive"]

_HALF_AND_HALF = ({"below_btc_average_days": 100, "share": 0.5}, {"below_btc_average_days": 200, "share": 0.5})

RISK_MODES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "conservative": {
            "rotation": {"floor_share": 0.25, "steps": _HALF_AND_HALF, "min_hold_days": 7},
            "weighting": {"method": "inverse_volatility", "cap": 0.10},
        },
        "balanced": {
            "rotation": {"floor_share": 0.0, "steps": _HALF_AND_HALF, "min_hold_days": 7},
            "weighting": {"method": "market_cap", "cap": 0.20},
        },
        "aggressive": {
            "rotation": None,
            "weighting": {"method": "sqrt_market_cap", "cap": 0.30},
        },
    }
)
LIFTING_THE_CEILING: Mapping[str, object] = MappingProxyType({"rank_caps": (), "capping": "iterative"})
"""Fields of `weighting` that would let a weight exceed the cap of a mode, and the value at which they do not."""


def expanded(content: Any) -> Any:
    """A definition as it was written, with the fields of its risk mode filled in; whatever has none comes back as it is.

    Fields that are there already are left alone: `risk_problems` judges them once they are known to be well-formed.
    """
    mode = content.get("risk_mode") if isinstance(content, dict) else None
    if not isinstance(mode, str) or mode not in RISK_MODES or content.get("components"):
        return content
    filled = dict(content)
    for section, fields in RISK_MODES[mode].items():
        if section not in filled:
            filled[section] = fields
        elif fields is not None and isinstance(filled[section], dict):
            filled[section] = {**fields, **filled[section]}
    weighting = content.get("weighting")
    if isinstance(weighting, dict) and weighting.get("blend") and "method" not in weighting:
        del filled["weighting"]["method"]  # told as a problem of the blend that the user wrote
    return filled


def risk_problems(mode: str, sections: Mapping[str, Any], *, is_weekly: bool) -> Iterator[FieldProblem]:
    """What contradicts a risk mode.

    Args:
        mode: The mode.
        sections: `rotation` (None for none) and `weighting` of the definition as plain values.
        is_weekly: Whether the index decides weekly.
    """
    wanted, weighting = RISK_MODES[mode], sections["weighting"]
    for section, fields in wanted.items():
        given = sections[section]
        if (fields is None) != (given is None):
            yield _contradiction(mode, section, *(("a rotation", "none") if fields is None else ("none", "a rotation")))
        elif fields is not None:
            yield from (
                _contradiction(mode, f"{section}.{name}", given[name], value)
                for name, value in fields.items()
                if _plain(given[name]) != _plain(value) and not (name == "method" and weighting["blend"])
            )
    if weighting["blend"]:
        yield _contradiction(mode, "weighting.blend", "a blend", f"weighting.method {wanted['weighting']['method']}")
    for name, value in LIFTING_THE_CEILING.items():
        if _plain(weighting[name]) != _plain(value):
            yield FieldProblem(
                f"weighting.{name}",
                f"{_shown(weighting[name])} may lift a weight above weighting.cap {wanted['weighting']['cap']:g} of "
                f"risk_mode {mode}",
                f"leave {name} or risk_mode out",
            )
    if wanted["rotation"] is not None and not is_weekly:
        yield FieldProblem(
            "risk_mode",
            f"{mode} moves weight into stablecoins, which calendar.rule monthly would look at only once a month",
            "set calendar.rule to weekly_model (ranking.by market_cap_usd works with it, too), or risk_mode to aggressive",
        )


def in_words(mode: str) -> str:
    """What a mode stands for, in one sentence for readers of the index."""
    rotation, weighting = RISK_MODES[mode]["rotation"], RISK_MODES[mode]["weighting"]
    clauses = [f"weights by {weighting['method']}, none above {100 * weighting['cap']:g} % of what is invested"]
    if rotation is None:
        clauses.append("never in stablecoins")
    else:
        if rotation["floor_share"]:
            clauses.append(f"{100 * rotation['floor_share']:g} % always in stablecoins")
        clauses += [
            f"{100 * step['share']:g} % of the {'rest' if rotation['floor_share'] else 'index'} in them while Bitcoin closes "
            f"below its {step['below_btc_average_days']}-day average"
            for step in rotation["steps"]
        ]
        clauses.append(f"changed at most every {rotation['min_hold_days']} days")
    return f"Risk mode {mode}: {'; '.join(clauses)}."


def _contradiction(mode: str, field: str, given: object, wanted: object) -> FieldProblem:
    return FieldProblem(
        field,
        f"{_shown(given)} is set, but risk_mode {mode} sets {_shown(wanted)}",
        f"leave {field} or risk_mode out",
    )


def _plain(value: object) -> object:
    """Lists for tuples, so that values from YAML, models and this module compare."""
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_shown(each) for each in value) or "nothing"
    if isinstance(value, dict):
        return f"{value['share']:g} below the {value['below_btc_average_days']}-day average"
    return f"{value:g}" if isinstance(value, float) else str(value)
