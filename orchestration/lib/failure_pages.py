"""From the kind of an error to the section of docs/how-to/when-it-fails.md that says what to do.

Belongs here: which section each kind has. Does not: the sections (the page), what is said of an error (`failures.py`, `cli.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from types import MappingProxyType

PAGE = "docs/how-to/when-it-fails.md"
ELSE = "anything-else"

SECTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "a-command-was-refused": ("TidemarkError",),
        "a-setting-cannot-work": ("SettingsError", "FaultSettingError"),
        "the-data-folder-cannot-be-used": ("DataFolderError",),
        "the-week-cannot-be-built": ("WeekError",),
        "another-run-holds-the-lock": ("RunLockError", "RunLockedError", "SecondRunError"),
        "another-service-has-the-folder": ("ServedError",),
        "the-file-system-has-no-locks": ("NoFileLocksError",),
        "the-warehouse-cannot-be-opened": ("WarehouseError", "IOException"),
        "the-warehouse-cannot-be-rebuilt": ("RestoreError",),
        "the-lake-cannot-be-used": ("LakeError",),
        "the-warehouse-is-of-another-version": ("SchemaError", "TableLayoutError"),
        "landed-files-are-damaged-or-lost": ("LandingError", "DamagedFilesError"),
        "a-backup-cannot-be-made-or-restored": ("BackupError",),
        "an-archive-cannot-be-imported": ("MappingError",),
        "a-source-does-not-answer": (
            "SourceError",
            "SourceUnavailableError",
            "NotAskedError",
            "UnexpectedBodyError",
            "ResponseTooLargeError",
        ),
        "a-source-refuses-this-place": ("AccessRestrictedError",),
        "a-source-asks-for-fewer-requests": ("RateLimitedError", "BannedError"),
        "a-source-rejects-a-request": ("RequestRejectedError", "HistoryRangeError"),
        "a-model-cannot-be-read": ("RegistryError",),
        "dask-cannot-be-used": ("DaskError",),
        "there-is-too-little-history": ("TooLittleHistoryError",),
        "a-version-cannot-be-recorded": ("VersionError", "InvalidRowsError", "LeakError"),
        "the-clock-went-back": ("ClockError", "ClockBehindError"),
        "nothing-could-be-published": ("PublishError", "ManifestError"),
        "what-is-published-was-changed": ("VerificationError",),
        "nothing-is-published-yet": ("NothingPublishedError",),
        "a-view-broke-its-contract": ("ContractError",),
        "a-week-cannot-be-reproduced": ("ReproduceError",),
        "an-index-definition-cannot-work": (
            "IndicesError",
            "DefinitionError",
            "FieldProblemsError",
            "InfeasibleCapError",
            "OptimiserError",
            "MarketDataError",
            "StateError",
            "BacktestError",
            "BacktestDataError",
            "NoRateError",
        ),
        "a-search-for-an-index-cannot-work": (
            "IndexSearchError",
            "SearchProblem",
            "SearchError",
            "UnsupportedRuleError",
        ),
        "orders-cannot-be-planned": ("OrdersError", "OrderDataError", "MarketRulesError"),
        "alerts-cannot-be-told": ("AlertsError",),
        "a-check-stopped-the-run": ("DagsterAssetCheckFailedError",),
        "dbt-failed": ("DagsterDbtCliRuntimeError",),
        "the-machine-ran-out-of-memory": ("MemoryError", "OutOfMemoryException", "OutOfMemoryError"),
        "the-disk-is-full-or-read-only": ("OSError", "PermissionError"),
        "the-run-was-stopped": ("KeyboardInterrupt", "DagsterExecutionInterruptedError"),
        ELSE: (),
    }
)
"""Names of the classes each section is about; a class that is not named has the section of the class it derives from."""

_SECTION_OF = {name: section for section, names in SECTIONS.items() for name in names}


def help_for(error: BaseException) -> str:
    """Page and anchor for an error, by its class or the nearest one it derives from that has a section."""
    return _help(cls.__name__ for cls in type(error).__mro__)


def help_for_kinds(kinds: Iterable[str | None]) -> str:
    """Page and anchor for what several steps failed of, by the names of the classes: the first that has a section."""
    return _help(kind for kind in kinds if kind)


def _help(names: Iterable[str]) -> str:
    return f"{PAGE}#{next(chain(filter(None, map(_SECTION_OF.get, names)), [ELSE]))}"
