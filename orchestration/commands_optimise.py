"""The command that tries variants of an index and says how much of the best of them is luck.

Belongs here: arguments, the two files a user hands in, what is said. Does not: the search (`lib/index_search.py`, `models_ml/optimiser`).
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

from pathlib import Path

from models_ml.indices.definition import load_definitions
from models_ml.indices.errors import IndicesError
from models_ml.optimiser.errors import SearchProblem
from models_ml.optimiser.goals import parse_goal
from models_ml.optimiser.page import verdict
from models_ml.optimiser.rules import simplified
from models_ml.optimiser.search import default_search, parse_search
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.errors import TidemarkError
from orchestration.lib.index_search import search_index, write_answer
from orchestration.lib.warehouse import connect
from orchestration.settings import load_settings

VARIANTS = 500
COST_BPS = 30.0
"""Fee of 0.10 % and half a spread of 0.2 %, what `models_ml/backtest/costs.py` takes for tokens that trade 5 M to 50 M USD a day."""


def optimise_index(
    index_id: str,
    *,
    goal: str = "",
    search: Path | None = None,
    variants: int | None = None,
    cost_bps: float = COST_BPS,
    is_simplified: bool = False,
) -> int:
    """Try variants of an index of the data folder, write what came of it beside the warehouse, and say where.

    Args:
        index_id: A model-driven index.
        goal: Limits such as `annual_return=0.15,max_drawdown=0.10`, or a profile's name; empty for the best Sharpe ratio.
        search: YAML file that says what varies; without it, what a user would turn first.
        variants: Number of variants drawn; without it what the file says, or 500.
        cost_bps: Cost of trades in basis points of what is bought and of what is sold.
        is_simplified: Whether rules that the fast walk does not know are left out, and named, instead of refused.

    Raises:
        TidemarkError: An argument, the search or the warehouse does not fit; says what to do.
    """
    settings = load_settings()
    folder = DataFolder(settings.folder)
    if not 0 <= cost_bps < 1000:
        raise TidemarkError(f"COST_BPS={cost_bps:g} is no cost in basis points; 30 are 0.3 % of what is traded")
    try:
        definitions = {each.index_id: each for each in load_definitions(*settings.indices_folders)}
        asked = parse_goal(goal)
        if index_id not in definitions:
            driven = ", ".join(name for name, each in definitions.items() if each.is_model_driven)
            raise TidemarkError(f"INDEX={index_id} is no index; model-driven ones are {driven}")
        definition = definitions[index_id]
        left_out: tuple[str, ...] = ()
        if is_simplified:
            definition, left_out = simplified(definition)
        tried = (
            parse_search(search.read_text(encoding="utf-8"), name=search.name)
            if search is not None
            else default_search(definition, variants=variants or VARIANTS)
        )
    except OSError as error:
        raise TidemarkError(f"SEARCH={search} cannot be read ({error.strerror}); name a YAML file") from error
    except (IndicesError, SearchProblem) as error:
        raise TidemarkError(str(error)) from error
    if variants is not None:
        tried = tried.model_copy(update={"variants": variants})
    if not folder.warehouse.exists():
        raise TidemarkError(f"{folder.root} has no warehouse; run make run first")
    if left_out:
        print(f"Left out, so that no variant is the published index: {'; '.join(left_out)}")
    print(f"Trying {tried.variants or tried.combinations} variants of {index_id} on all weeks with grades")
    with connect(folder.warehouse, read_only=True) as connection:
        answer = search_index(connection, definition, search=tried, goal=asked, cost_bps=cost_bps)
    written = write_answer(answer, definition, folder.root / "optimiser", left_out=left_out)
    for sentence in verdict(answer):
        print(f"- {sentence}")
    print(f"Page: {written.page}\nAll variants: {written.table}\nChosen definition: {written.definition}")
    return 0
