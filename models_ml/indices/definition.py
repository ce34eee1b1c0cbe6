"""Index definitions: what a user writes in YAML, checked so that a wrong file says what to change.

Belongs here: the schema, the checks between its fields, and loading from text or a folder (the package's only I/O).
Does not: the section `weighting` (`weighting_rules.py`), line numbers and the wording of problems
(`definition_problems.py`), what a rule does (`engine.py`).
"""

import datetime as dt
import math
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from models_ml.indices.component_rules import Component, component_problems, unknown_components
from models_ml.indices.definition_problems import FieldProblem, FieldProblemsError, YamlSource
from models_ml.indices.errors import DefinitionError
from models_ml.indices.feature_rules import (
    SECTOR_RELATIVE,
    FeatureCondition,
    Order,
    Tilt,
    TokenFeature,
    condition_problems,
    feature_column,
)
from models_ml.indices.risk_modes import RiskMode, expanded, risk_problems
from models_ml.indices.strict import TOLERANCE, Amount, Fraction, Share, Strict, Text
from models_ml.indices.weighting_rules import (
    BlendPart,
    CoreToken,
    GroupCap,
    GroupCaps,
    LiquidityLimit,
    Weighting,
    weighting_problems,
)

DEFINITIONS_FOLDER = Path(__file__).parent / "definitions"
INDEX_ID_PATTERN = r"^[a-z][a-z0-9_]*$"


EVERY_MONTH = tuple(range(1, 13))


def _months(value: object) -> tuple[int, ...]:
    numbers = value if isinstance(value, list | tuple) else None
    if not numbers or not all(type(number) is int and 1 <= number <= 12 for number in numbers):
        raise ValueError("must be a list of months from 1 to 12, such as [1, 4, 7, 10]")
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"names a month twice: {list(numbers)}")
    return tuple(sorted(numbers))


Months = Annotated[
    tuple[int, ...],
    PlainValidator(_months),
    WithJsonSchema({"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 12}, "minItems": 1}),
]


def _base_date(value: object) -> dt.date | Literal["auto"]:
    if value == "auto":
        return "auto"
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str):
        with suppress(ValueError):  # refused below, together with every other kind of value
            return dt.date.fromisoformat(value)
    raise ValueError("must be a day such as 2020-01-01, or auto for the first week with enough constituents")


class Universe(Strict):
    """Which tokens the index is about."""

    exclude_stable: bool = True
    exclude_wrapped: bool = True
    sector: Text | None = None
    """Only tokens of this sector, compared without regard to case; null for all."""
    exclude_sectors: tuple[Text, ...] = ()
    """Sectors that are left out, compared without regard to case."""
    exclude_tokens: tuple[Text, ...] = ()
    """token_ids that are left out, for what a published methodology names and no rule tells."""
    min_history_days: int = Field(default=0, ge=0)
    """Least number of daily closes so far, gaps not counted (needs prices that reach back so far)."""


class Eligibility(Strict):
    """What a token must show at a rebalance, all from that day's snapshot."""

    min_market_cap_usd: Amount = 0.0
    max_market_cap_usd: Annotated[float, Field(gt=0)] | None = None
    """Largest market cap a constituent may have; null for no limit."""
    min_volume_30d_usd: Amount = 0.0
    min_volume_to_cap: Fraction = 0.0002
    """Median 30-day volume over market cap; without it a coin with a fake cap takes the index."""
    min_price_age_days: int = Field(default=0, ge=0)
    """Least number of days since the token's first price."""
    leave_out_calls: tuple[Literal["bearish", "neutral"], ...] = ()
    """`weekly_model` only. Tokens with such a call are not held; without a call a token passes."""
    features: tuple[FeatureCondition, ...] = ()
    """Bounds on features of the catalogue, asked of the tokens that `ranking.among_largest` leaves."""


class Ranking(Strict):
    """In which order eligible tokens are considered: highest first, then by market cap, then by token_id."""

    by: Literal["market_cap_usd", "trader_grade", "score", "feature"] = "market_cap_usd"
    feature: TokenFeature | None = None
    """`by: feature` only: a feature of the catalogue."""
    order: Order = "descending"
    """`ascending` considers the lowest first."""
    among_largest: int | None = Field(default=None, ge=1)
    """Rank only so many of the largest eligible tokens by market cap; null for all."""

    @property
    def column(self) -> str:
        """Column of the candidates that tokens are ranked by."""
        return feature_column(self.feature) if self.feature is not None else self.by


def number_left_out(chosen: int, *, share: float) -> int:
    """How many of so many chosen tokens a share of them is, rounded down; 0.29 of 100 is 29, whatever a float makes of it."""
    return math.floor(share * chosen + TOLERANCE)


class Selection(Strict):
    """How many tokens are held, and how reluctantly they are exchanged."""

    count: int = Field(ge=1)
    entry_rank: int | None = Field(default=None, ge=1)
    """A token ranked so high enters even if a constituent inside the exit buffer must go for it."""
    exit_rank: int | None = Field(default=None, ge=1)
    """A constituent stays while it ranks no lower than this; null means it must rank within `count`."""
    count_rule: Literal["fixed", "aic"] = "fixed"
    """`aic` holds as few of the largest, in steps of 5 and at most `count`, as stand for the whole universe: the number at which
    Akaike's criterion first stops falling (`member_count.py`)."""
    empty_places: Literal["share_out", "stablecoins"] = "share_out"
    """What happens to the weight of places that no token fills. `share_out` gives it to the constituents. `stablecoins` parks 1 / `count`
    for each in the stablecoins of the rotation; without any constituent all is parked. `minimum_constituents` then counts the tokens
    that could be judged, whether they pass `eligibility.features` or not."""
    leave_out_worst: float = Field(default=0.0, ge=0, lt=1)
    """`monthly` only. Share of the chosen tokens, rounded down, that is left out again: those with the lowest score of the model at the
    close before the one the index trades at. Chosen tokens without a score stay. An index does not start before one is left out."""

    @property
    def reach(self) -> int:
        """How many of the best a choice can depend on: were all within the exit rank constituents, the rest would still come next."""
        return (self.exit_rank or self.count) + self.count

    @property
    def smallest_count(self) -> int:
        """How many of `count` chosen tokens are held where all of them have a score."""
        return self.count - number_left_out(self.count, share=self.leave_out_worst)


class Calendar(Strict):
    """When the index trades.

    `monthly`: at the close that `day` names, in each of `months`, from the snapshot of that close.
    `weekly_model`: decided at as_of on Monday 00:00 UTC, effective one day later.
    """

    rule: Literal["monthly", "weekly_model"]
    day: Literal["first", "first_business_day", "last_business_day"] = "first"
    """`monthly` only. `first` trades at 00:00 UTC of the first day of the month; the others at the close, 24:00 UTC, of the first or
    last day from Monday to Friday (public holidays are not known here)."""
    months: Months = EVERY_MONTH
    """`monthly` only: months in which the index trades."""
    review_months: Months | None = None
    """`monthly` only: months in which members are chosen anew; in the others the members of before are weighted anew, those without a
    price or a market cap left out. Null: in all of `months`."""
    retrade: Literal["on_change", "every_week"] = "on_change"
    """`weekly_model` only. `on_change` trades when a constituent or the share in stables changes, or a weight drifts
    out of the band; then all weights go to target. Otherwise holdings drift, which keeps turnover low."""
    retrade_band: Fraction = 0.05
    """`on_change` only: largest difference between a drifted weight and its target before the index trades."""


class RotationStep(Strict):
    """One moving average of BTC and what is moved into stables while BTC closes below it."""

    below_btc_average_days: Literal[100, 200]
    share: float = Field(gt=0, le=1)


HALF_AND_HALF = (
    RotationStep(below_btc_average_days=100, share=0.5),
    RotationStep(below_btc_average_days=200, share=0.5),
)


class Rotation(Strict):
    """Weight moved into the largest fiat-backed stablecoins, by market cap, while BTC closes below its averages; the steps add up."""

    steps: tuple[RotationStep, ...] = HALF_AND_HALF
    """Fractions of what `floor_share` leaves; none only where there is a floor, or where `selection.empty_places` parks weight, for which
    the other fields then stand."""
    floor_share: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of the index that is in stablecoins whatever Bitcoin does."""
    min_hold_days: int = Field(default=0, ge=0)
    """Least number of days between two changes of the share in stables."""
    peg_tolerance: float = Field(default=0.02, gt=0, lt=1)
    """Largest distance from 1 USD at which a stablecoin is still bought."""
    stables: int = Field(default=2, ge=1, le=5)
    """How many stablecoins are held, fewer where fewer keep their peg."""
    leave_below_usd: float = Field(default=0.985, gt=0, lt=1)
    """A held stablecoin that closes below it is left for the others at the next close, in the middle of the week too."""
    trigger: Literal["weekly", "daily"] = "weekly"
    """`daily` follows BTC in the middle of the week, too (`weekly_model` only): where a close asks for another share in stables, all
    is decided anew from the newest Sunday's scores and traded one day after that close."""


class Costs(Strict):
    """What trades are assumed to cost in net levels and figures; the published level has no costs (docs/explanation/backtest.md)."""

    venue_fee: Fraction = 0.001
    """Fraction of each trade that the venue keeps; half the spread and the price that the trade moves come on top."""
    max_volume_share: Share = 0.05
    """Largest trade in a token as a share of its day's volume; the rest is carried to the next day."""


class Base(Strict):
    """Where the level starts: `level` holds at the close of `date`."""

    level: float = Field(default=1000.0, gt=0)
    date: Annotated[
        dt.date | Literal["auto"],
        PlainValidator(_base_date),
        WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "string", "format": "date"}]}),
    ] = "auto"


NEEDED_WITHOUT_COMPONENTS = ("selection", "minimum_constituents")


class IndexDefinition(Strict):
    """One index, as a user writes it in YAML."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": ["components"]}, {"required": list(NEEDED_WITHOUT_COMPONENTS)}],
        }
    )

    index_id: Annotated[str, StringConstraints(pattern=INDEX_ID_PATTERN)]
    name: Text
    kind: Literal["passive", "replica", "thematic", "ai", "composite"]
    methodology: Text
    components: tuple[Component, ...] = ()
    """Other indices that this one holds, instead of a selection of tokens."""
    universe: Universe = Universe()
    eligibility: Eligibility = Eligibility()
    ranking: Ranking = Ranking()
    selection: Selection = Selection(count=1)
    """Needed, unless there are components."""
    weighting: Weighting = Weighting()
    calendar: Calendar
    rotation: Rotation | None = None
    risk_mode: RiskMode | None = None
    """Sets fields of `rotation` and `weighting` (docs/how-to/define-an-index.md); other values of them are refused."""
    costs: Costs = Costs()
    base: Base = Base()
    twin: Text | None = None
    """index_id of the passive index it is measured against: the same universe and the same ceiling, without the model."""
    minimum_constituents: int = Field(default=1, ge=1)
    """Smallest number of constituents with which the index runs; needed, unless there are components."""
    market_cap_half_life_days: float = Field(default=0.0, ge=0, le=365)
    """Half-life of an exponential average of the market cap that stands in for it in ranking and weights; 0 takes the day's own."""

    @property
    def is_model_driven(self) -> bool:
        """Whether targets are decided on Mondays and trade a day later."""
        return self.calendar.rule == "weekly_model"

    @property
    def parking(self) -> Rotation | None:
        """How weight is parked in stablecoins, by the rotation or for empty places; None where it never is."""
        if self.rotation is None and self.parks_empty_places:
            return Rotation(steps=())
        return self.rotation

    @property
    def parks_empty_places(self) -> bool:
        """Whether places that no token fills are held in stablecoins."""
        return self.selection.empty_places == "stablecoins"

    @property
    def features_used(self) -> tuple[str, ...]:
        """Features of the catalogue that the candidates must bring, by name."""
        used = {condition.feature for condition in self.eligibility.features}
        used |= {self.ranking.feature} if self.ranking.feature is not None else set()
        used |= set(self.weighting.tilt.features) if self.weighting.tilt is not None else set()
        return tuple(sorted(used))

    @property
    def undated_inputs(self) -> tuple[str, ...]:
        """Columns the index itself rests on that may come from undated reference tables: say so wherever it is shown."""
        if self.components:
            return ()
        used = {
            "is_stable": self.universe.exclude_stable,
            "is_fiat_backed": self.parking is not None,
            "is_wrapped": self.universe.exclude_wrapped,
            "sector": self.universe.sector is not None
            or bool(self.universe.exclude_sectors)
            or self.weighting.group_caps is not None
            or any(feature.startswith(SECTOR_RELATIVE) for feature in self.features_used),
        }
        return tuple(column for column, is_used in used.items() if is_used)

    @model_validator(mode="before")
    @classmethod
    def risk_mode_is_written_out(cls, content: Any) -> Any:
        """Fill in what the risk mode stands for."""
        return expanded(content)

    @model_validator(mode="after")
    def fields_fit_together(self) -> Self:
        """Check between fields; all that is wrong is reported at once."""
        missing = [name for name in NEEDED_WITHOUT_COMPONENTS if name not in self.model_fields_set]
        if self.components:
            problems = self._component_problems()
        elif missing:
            problems = [FieldProblem(name, "is missing", "add it") for name in missing]
        else:
            problems = [
                *self._weighting_problems(),
                *self._selection_problems(),
                *self._timing_problems(),
                *self._feature_problems(),
                *self._empty_place_problems(),
                *self._risk_problems(),
            ]
        if problems:
            raise FieldProblemsError(problems)
        return self

    def _component_problems(self) -> list[FieldProblem]:
        problems = component_problems(
            self.components,
            index_id=self.index_id,
            given=self.model_fields_set,
            rule=self.calendar.rule,
            has_reviews=self.calendar.review_months is not None,
        )
        return list(problems)

    def _risk_problems(self) -> list[FieldProblem]:
        if self.risk_mode is None:
            return []
        sections = self.model_dump(include={"rotation", "weighting"})
        return list(risk_problems(self.risk_mode, sections, is_weekly=self.is_model_driven))

    def _weighting_problems(self) -> list[FieldProblem]:
        count = self.selection.count
        # Limits are fractions of all places, filled or not, so empty ones make none of them harder to meet.
        fewest = count if self.parks_empty_places else min(self.minimum_constituents, count)
        problems = list(weighting_problems(self.weighting, count=count, fewest=fewest, sector=self.universe.sector))
        left_out = sorted({*self.universe.exclude_tokens} & self.weighting.core_weights.keys())
        if left_out:
            problems.append(
                FieldProblem(
                    "weighting.core",
                    f"universe.exclude_tokens leaves out {left_out[0]}",
                    "take it out of one of the two; a token of the core is never selected a second time",
                )
            )
        if self.weighting.core and self.parks_empty_places:
            problems.append(
                FieldProblem(
                    "weighting.core",
                    "has a fixed share of what is invested, which selection.empty_places stablecoins would lower with every empty place",
                    "leave one of the two out",
                )
            )
        if self.weighting.max_turnover is not None and self.calendar.review_months is not None:
            problems.append(
                FieldProblem(
                    "weighting.max_turnover",
                    "a token that leaves by parts would be weighed again between reviews (calendar.review_months), "
                    "because all that is held is",
                    "leave one of the two out",
                )
            )
        return problems

    def _selection_problems(self) -> list[FieldProblem]:
        selection, pool = self.selection, self.ranking.among_largest
        problems = []
        if self.minimum_constituents > selection.smallest_count and not self.parks_empty_places:
            left = " less those left out as the worst" if selection.smallest_count < selection.count else ""
            problems.append(
                FieldProblem(
                    "minimum_constituents",
                    f"{self.minimum_constituents} exceeds selection.count {selection.count}{left}, so the index never starts",
                    f"set at most {selection.smallest_count}",
                )
            )
        if selection.leave_out_worst > 0 and selection.smallest_count == selection.count:
            problems.append(
                FieldProblem(
                    "selection.leave_out_worst",
                    f"{selection.leave_out_worst:g} of selection.count {selection.count} is less than one token, so none is left out",
                    f"raise it to at least {1 / selection.count:.4g}, or select more tokens",
                )
            )
        limits = self.eligibility
        if limits.max_market_cap_usd is not None and limits.max_market_cap_usd <= limits.min_market_cap_usd:
            problems.append(
                FieldProblem(
                    "eligibility.max_market_cap_usd",
                    f"{limits.max_market_cap_usd:g} is not above min_market_cap_usd {limits.min_market_cap_usd:g}",
                    "raise it, lower the other, or leave it out",
                )
            )
        if selection.exit_rank is not None and selection.exit_rank < selection.count:
            problems.append(
                FieldProblem(
                    "selection.exit_rank",
                    f"{selection.exit_rank} lies below selection.count {selection.count}, so no buffer is left",
                    f"set at least {selection.count}, or leave it out",
                )
            )
        if selection.entry_rank is not None and selection.entry_rank > selection.count:
            problems.append(
                FieldProblem(
                    "selection.entry_rank",
                    f"{selection.entry_rank} exceeds selection.count {selection.count}, so more would enter than fit",
                    f"set at most {selection.count}, or leave it out",
                )
            )
        if pool is not None and pool < max(selection.count, selection.exit_rank or 0):
            problems.append(
                FieldProblem(
                    "ranking.among_largest",
                    f"{pool} is less than selection.count {selection.count} or exit_rank {selection.exit_rank}",
                    f"set at least {max(selection.count, selection.exit_rank or 0)}",
                )
            )
        return problems

    def _timing_problems(self) -> list[FieldProblem]:
        problems = self._calendar_problems()
        start = self.base.date
        if self.is_model_driven and isinstance(start, dt.date) and start.weekday() != 0:
            monday = start + dt.timedelta(days=7 - start.weekday())
            problems.append(
                FieldProblem(
                    "base.date",
                    f"{start} is no Monday, but calendar.rule weekly_model first trades at the close of a Monday",
                    f"set {monday}, or auto",
                )
            )
        if self.eligibility.leave_out_calls and not self.is_model_driven:
            problems.append(
                FieldProblem(
                    "eligibility.leave_out_calls",
                    "calls are known a day after the close they rest on, but calendar.rule monthly trades at that close",
                    "set calendar.rule to weekly_model, or leave it out",
                )
            )
        if self.rotation is not None:
            if self.rotation.trigger == "daily" and not self.is_model_driven:
                problems.append(
                    FieldProblem(
                        "rotation.trigger",
                        "daily needs a close between decision and trade, but calendar.rule monthly trades at the close it decides on",
                        "set calendar.rule to weekly_model, or rotation.trigger to weekly",
                    )
                )
            total = math.fsum(step.share for step in self.rotation.steps)
            if total > 1 + TOLERANCE:
                problems.append(
                    FieldProblem("rotation.steps", f"shares add up to {total:g}", "lower them to a sum of 1 or less")
                )
            if not self.rotation.steps and not self.rotation.floor_share and not self.parks_empty_places:
                problems.append(
                    FieldProblem(
                        "rotation.steps",
                        "has no step, so nothing is ever moved into stables",
                        "add a step, set a floor_share, set selection.empty_places to stablecoins, or leave the rotation out",
                    )
                )
        if self.parking is not None and not self.universe.exclude_stable:
            problems.append(
                FieldProblem(
                    "rotation" if self.rotation is not None else "selection.empty_places",
                    "universe.exclude_stable is false, so a stablecoin could be constituent and refuge at once",
                    "set universe.exclude_stable to true, or park nothing",
                )
            )
        return problems

    def _feature_problems(self) -> list[FieldProblem]:
        problems = list(condition_problems(self.eligibility.features))
        ranking = self.ranking
        if ranking.by == "feature" and ranking.feature is None:
            problems.append(FieldProblem("ranking.by", "feature names none", "add ranking.feature"))
        if ranking.by != "feature" and ranking.feature is not None:
            problems.append(
                FieldProblem(
                    "ranking.feature",
                    f"{ranking.feature} is not looked at, because ranking.by is {ranking.by}",
                    "set ranking.by to feature, or leave it out",
                )
            )
        return problems

    def _empty_place_problems(self) -> list[FieldProblem]:
        if not self.parks_empty_places:
            return []
        pool, weighting = self.ranking.among_largest, self.weighting
        field = "selection.empty_places"
        problems = []
        if not self.is_model_driven:
            problems.append(
                FieldProblem(
                    field,
                    f"stablecoins are watched in the middle of the week, but calendar.rule is {self.calendar.rule}",
                    "set calendar.rule to weekly_model",
                )
            )
        if pool is not None and self.minimum_constituents > pool:
            problems.append(
                FieldProblem(
                    "minimum_constituents",
                    f"{self.minimum_constituents} exceeds ranking.among_largest {pool}, so the index never starts",
                    f"set at most {pool}",
                )
            )
        if self.selection.count_rule == "aic":
            problems.append(
                FieldProblem(
                    field,
                    "selection.count_rule aic changes the number of places, so none is ever empty",
                    "set share_out",
                )
            )
        if weighting.max_turnover is not None or weighting.capping == "flexible":
            problems.append(
                FieldProblem(
                    field,
                    "weighting.max_turnover and weighting.capping flexible compare with the invested part of before, "
                    "which grows and shrinks with the places that are filled",
                    "leave them out, or set share_out",
                )
            )
        if self.rotation is not None and self.rotation.trigger == "daily":
            problems.append(
                FieldProblem(
                    "rotation.trigger",
                    "places are filled and emptied on Sundays only, so the share in stables cannot follow the middle of the week",
                    "set weekly, or selection.empty_places to share_out",
                )
            )
        if self.rotation is not None and self.rotation.min_hold_days > 0:
            problems.append(
                FieldProblem(
                    "rotation.min_hold_days",
                    f"a share in stables that changes with the places that are filled cannot be held for "
                    f"{self.rotation.min_hold_days} days",
                    "set 0, or selection.empty_places to share_out",
                )
            )
        return problems

    def _calendar_problems(self) -> list[FieldProblem]:
        calendar = self.calendar
        unknown = [month for month in calendar.review_months or () if month not in calendar.months]
        problems = []
        if unknown:
            problems.append(
                FieldProblem(
                    "calendar.review_months",
                    f"{unknown} are not in calendar.months {list(calendar.months)}, so nothing is reviewed then",
                    "name only months in which the index trades",
                )
            )
        if self.is_model_driven and self.selection.leave_out_worst > 0:
            problems.append(
                FieldProblem(
                    "selection.leave_out_worst",
                    "belongs to rule monthly, but calendar.rule is weekly_model, which can rank by the score itself",
                    "set ranking.by to score, or calendar.rule to monthly",
                )
            )
        if self.is_model_driven and (calendar.months, calendar.review_months, calendar.day) != (
            EVERY_MONTH,
            None,
            "first",
        ):
            problems.append(
                FieldProblem(
                    "calendar",
                    "day, months and review_months belong to rule monthly, but the rule is weekly_model",
                    "leave them out, or set rule to monthly",
                )
            )
        return problems


def parse_definition(text: str, *, name: str) -> IndexDefinition:
    """Read one definition from YAML.

    Args:
        text: The YAML document.
        name: What problems call it, the file's name as a rule.

    Raises:
        DefinitionError: With all that is wrong, one `file:line: field: what; remedy` a problem.
    """
    source = YamlSource.parse(text, name=name)
    if source.problems:
        raise DefinitionError(source.problems)
    try:
        return IndexDefinition.model_validate(source.content)
    except ValidationError as error:
        raise DefinitionError(source.describe(error, known_keys=_known_keys)) from None


def load_definitions(*folders: Path) -> list[IndexDefinition]:
    """Read every `*.yaml` and `*.yml` of some folders, sorted by index_id.

    Raises:
        DefinitionError: With the problems of all files, two files that claim one index_id among them.
    """
    for folder in folders:
        if not folder.is_dir():
            raise DefinitionError([f"{folder}: no such folder of index definitions; create it or correct the path"])
    found: dict[str, tuple[str, IndexDefinition]] = {}
    problems: list[str] = []
    files = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in {".yaml", ".yml"}]
    for path in files:
        try:
            definition = parse_definition(path.read_text(encoding="utf-8"), name=path.name)
        except DefinitionError as error:
            problems.extend(error.problems)
            continue
        except UnicodeDecodeError as error:
            problems.append(f"{path.name}:1: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8")
            continue
        earlier = found.setdefault(definition.index_id, (path.name, definition))
        if earlier[1] is not definition:
            problems.append(
                f"{path.name}: index_id: {definition.index_id!r} is already taken by {earlier[0]}; rename one of them"
            )
    problems += [
        f"{name}: twin: {definition.twin!r} is no index_id of any definition; name one that is there, or leave it out"
        for name, definition in found.values()
        if definition.twin is not None and definition.twin not in found
    ]
    problems += unknown_components(
        {index_id: definition.components for index_id, (_, definition) in found.items()},
        file_of={index_id: name for index_id, (name, _) in found.items()},
    )
    if problems:
        raise DefinitionError(problems)
    return [found[index_id][1] for index_id in sorted(found)]


def _known_keys(path: tuple[Any, ...]) -> list[str]:
    """Keys that the section at `path` takes, for the remedy of an unknown one."""
    sections: dict[tuple[str, ...], type[Strict]] = {
        ("components",): Component,
        ("universe",): Universe,
        ("eligibility",): Eligibility,
        ("eligibility", "features"): FeatureCondition,
        ("ranking",): Ranking,
        ("selection",): Selection,
        ("weighting",): Weighting,
        ("weighting", "blend"): BlendPart,
        ("weighting", "core"): CoreToken,
        ("weighting", "group_caps"): GroupCaps,
        ("weighting", "group_caps", "exceptions"): GroupCap,
        ("weighting", "liquidity"): LiquidityLimit,
        ("weighting", "tilt"): Tilt,
        ("calendar",): Calendar,
        ("rotation",): Rotation,
        ("rotation", "steps"): RotationStep,
        ("costs",): Costs,
        ("base",): Base,
    }
    if not path:
        return list(IndexDefinition.model_fields)
    section = sections.get(tuple(str(part) for part in path if not isinstance(part, int)))
    return list(section.model_fields) if section else []
