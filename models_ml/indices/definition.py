"""Index definitions: what a user writes in YAML, checked so that a wrong file says what to change.

Belongs here: the definition as a whole, and loading from text or a folder (the package's only I/O).
Does not: the sections of a file (`sections.py`, `weighting_rules.py`), checks between them (`definition_checks.py`), line numbers and the
wording of problems (`definition_problems.py`), what a rule does (`engine.py`).
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, ValidationError, model_validator

from models_ml.indices.component_rules import Component, unknown_components
from models_ml.indices.definition_checks import problems_between
from models_ml.indices.definition_problems import FieldProblem, FieldProblemsError, YamlSource
from models_ml.indices.errors import DefinitionError
from models_ml.indices.feature_rules import SECTOR_RELATIVE, FeatureCondition, Tilt
from models_ml.indices.risk_modes import RiskMode, expanded
from models_ml.indices.sections import (
    Base,
    Calendar,
    Costs,
    Eligibility,
    Ranking,
    Rotation,
    RotationStep,
    Selection,
    Universe,
)
from models_ml.indices.strict import Strict, Text
from models_ml.indices.weighting_rules import BlendPart, CoreToken, GroupCap, GroupCaps, LiquidityLimit, Weighting

DEFINITIONS_FOLDER = Path(__file__).parent / "definitions"
INDEX_ID_PATTERN = r"^[a-z][a-z0-9_]*$"

FLAGSHIP = "ai_top100"
"""index_id of the index that is shown first, studied and searched."""

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
        if missing and not self.components:
            problems = [FieldProblem(name, "is missing", "add it") for name in missing]
        else:
            problems = problems_between(self)
        if problems:
            raise FieldProblemsError(problems)
        return self


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
