"""The model registry: one folder a head and refit, written once, read for ever.

Belongs here: files of frozen models (LightGBM text and JSON, never pickle) and their integrity.
Does not: training and prediction (`models_ml.learning`).
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from models_ml.learning.calendar import newest_refit
from models_ml.learning.frozen_model import FrozenModel
from models_ml.learning.training_profile import PROFILE_SCHEMA
from orchestration.lib.errors import TidemarkError
from orchestration.lib.whole_file import write_whole

CARD = "model.json"
REFERENCE = "reference_scores.parquet"
PROFILE = "training_profile.json"


class RegistryError(TidemarkError):
    """A model folder is damaged or would be overwritten."""


class ModelRegistry:
    """Frozen models below one folder, `<root>/<head>/<refit>/`.

    Args:
        root: Folder of the registry; made on the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def refits(self, head: str) -> list[date]:
        """Refit dates of a head with a complete model, oldest first."""
        return sorted(date.fromisoformat(card.parent.name) for card in (self.root / head).glob(f"*/{CARD}"))

    def load(self, head: str, refit: date) -> FrozenModel | None:
        """The model of a head and refit date, or None.

        Raises:
            RegistryError: The files do not hash to the version the model was frozen under, or are of an older layout.
        """
        folder = self._folder(head, refit)
        if not (folder / CARD).exists():
            return None
        card = _card(folder / CARD)
        if "constants" not in card:
            raise RegistryError(
                f"{folder}: the model was frozen by an earlier release, whose models this one cannot apply; move {self.root} away, "
                "and make run trains every refit again"
            )
        model = FrozenModel(
            head=head,
            refit=refit,
            boosters={
                name: _text(folder / f"{name}.txt") for name in card["boosters"] if (folder / f"{name}.txt").exists()
            },
            columns=tuple(card["columns"]),
            training_weeks=(
                date.fromisoformat(card["training_weeks"][0]),
                date.fromisoformat(card["training_weeks"][1]),
            ),
            training_rows=card["training_rows"],
            constants=card["constants"],
            parameters=card["parameters"],
            data_hash=card.get("data_hash", ""),
        )
        if model.version != card["version"]:
            raise RegistryError(
                f"{folder}: the files hash to {model.version}, but the model was frozen as {card['version']}; restore the folder "
                "from a backup, or delete it to train the refit again (its weeks then show another model_version)"
            )
        return model

    def in_force(self, head: str, week: date) -> FrozenModel | None:
        """The model of a head in force in a week: the newest refit on or before its Monday; None before the first."""
        refit = self.refit_in_force(head, week)
        return self.load(head, refit) if refit else None

    def refit_in_force(self, head: str, week: date) -> date | None:
        """Refit date of that model."""
        return newest_refit(self.refits(head), week)

    def freeze(
        self, model: FrozenModel, *, reference: pl.DataFrame | None = None, profile: pl.DataFrame | None = None
    ) -> Path:
        """Write a model; the card comes last, so a folder with a card is complete.

        Args:
            model: The model.
            reference: Out-of-fold scores of its training weeks, where it is the first.
            profile: What its columns looked like in training (`training_profile.training_profile`).

        Raises:
            RegistryError: Another model of that refit date is frozen already.
        """
        folder = self._folder(model.head, model.refit)
        present = self.load(model.head, model.refit)
        if present is not None:
            if present.version != model.version:
                raise RegistryError(f"{folder}: {present.version} is frozen and {model.version} cannot replace it")
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in model.boosters.items():
            write_whole(folder / f"{name}.txt", text, is_durable=True)
        if reference is not None:
            temporary = folder / f"{REFERENCE}.tmp"
            reference.write_parquet(temporary)
            temporary.replace(folder / REFERENCE)
        card = model.card()
        if profile is not None:
            text = json.dumps(profile.to_dicts(), indent=1) + "\n"
            write_whole(folder / PROFILE, text, is_durable=True)
            card |= {"profile_sha256": hashlib.sha256(text.encode()).hexdigest()}
        write_whole(folder / CARD, json.dumps(card, indent=2) + "\n", is_durable=True)
        return folder

    def version(self, head: str, refit: date) -> str:
        """Version of a frozen model, without reading its trees."""
        return str(_card(self._folder(head, refit) / CARD)["version"])

    def profile(self, head: str, refit: date) -> pl.DataFrame | None:
        """What the columns of a model looked like in its training; None where an earlier release froze it.

        Raises:
            RegistryError: The file is missing or is not the one written beside the model.
        """
        folder = self._folder(head, refit)
        frozen = _card(folder / CARD).get("profile_sha256")
        if frozen is None:
            return None
        path = folder / PROFILE
        text = _text(path) if path.exists() else ""
        if hashlib.sha256(text.encode()).hexdigest() != frozen:
            raise RegistryError(
                f"{path} {'was changed' if text else 'is missing'} since the model was frozen; restore the folder from a backup, or "
                "delete it to train the refit again"
            )
        return pl.DataFrame(json.loads(text), schema=PROFILE_SCHEMA)

    def reference_scores(self, head: str) -> pl.DataFrame:
        """Out-of-fold scores of a head's first model: as_of_week, token_id, score_cross_section; no rows where there is none."""
        for refit in self.refits(head):
            path = self._folder(head, refit) / REFERENCE
            if path.exists():
                return pl.read_parquet(path)
        return pl.DataFrame(schema={"as_of_week": pl.Date, "token_id": pl.String, "score_cross_section": pl.Float64})

    def cards(self) -> list[dict[str, Any]]:
        """The cards of all frozen models, by head and refit date."""
        return [_card(card) for card in sorted(self.root.glob(f"*/*/{CARD}"))]

    def fingerprint(self) -> str:
        """sha256 over the versions of all frozen models."""
        versions = [card["version"] for card in self.cards()]
        return hashlib.sha256("\n".join(versions).encode()).hexdigest()

    def _folder(self, head: str, refit: date) -> Path:
        return self.root / head / refit.isoformat()


def _text(path: Path) -> str:
    """A file as text; bytes that are no UTF-8 become another text, which the hash tells."""
    return path.read_text(encoding="utf-8", errors="replace")


def _card(path: Path) -> dict[str, Any]:
    """The card of a model.

    Raises:
        RegistryError: It is no JSON object.
    """
    try:
        card = json.loads(_text(path))
    except ValueError as error:
        raise RegistryError(
            f"{path}: the card of a model cannot be read ({error}); restore {path.parent} from a backup, or delete it to train the "
            "refit again (its weeks then show another model_version)"
        ) from error
    if not isinstance(card, dict):
        raise RegistryError(
            f"{path}: the card of a model is no JSON object; restore {path.parent} from a backup, or delete it"
        )
    return card
