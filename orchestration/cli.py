"""The commands behind make: run, rebuild, reproduce, verify, orders, optimise and others. Arguments are checked before anything is written.

Exit codes: 0 done; 1 tried and failed (a run failed, a hash differs, the disk is full); 2 cannot work (arguments, settings, a lock that
another run holds), one line says why and nothing was written; 130 stopped with Ctrl-C.

Belongs here: reading arguments, one line for what went wrong, exit codes.
Does not: the work (`commands.py` and what it calls).
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from datetime import date
from pathlib import Path
from typing import NoReturn

from orchestration.lib.errors import TidemarkError, printable
from orchestration.lib.failure_pages import help_for
from orchestration.lib.run_lock import RunLockError

DONE, FAILED, REFUSED, STOPPED = 0, 1, 2, 130

OUT_OF_OUR_HANDS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
"""What the system refuses and a user can mend: no room left, no right to write."""

REFUSALS_IN_WORDS = {
    "database or disk is full": "No space left on device",
    "No space left on device": "No space left on device",
    "disk I/O error": "No space left on device, or a disk that is damaged",
    "attempt to write a readonly database": "Read-only file system",
    "Read-only file system": "Read-only file system",
}
"""The same as SQLite and DuckDB say it."""


class OneLineParser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line, as every other refusal does; `--help` has the usage."""

    def error(self, message: str) -> NoReturn:
        """Say it and end with exit code 2."""
        self.exit(REFUSED, f"tidemark: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = OneLineParser(prog="tidemark", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--quiet",
        dest="is_quiet",
        action="store_true",
        default=os.environ.get("TIDEMARK_QUIET", "") not in ("", "0"),
        help="say nothing but what went wrong, on stderr; the exit code says the rest (make ... QUIET=1)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="run the weekly job up to AS_OF and say what was made")
    commands.add_parser("dev", help="start the Dagster UI on 127.0.0.1")
    commands.add_parser("serve", help="the Dagster daemon and UI in the foreground, schedules on")
    commands.add_parser("health", help="whether the service of the data folder works")
    backup = commands.add_parser("backup", help="a consistent copy of the data folder, beside a run too")
    backup.add_argument("--to", dest="target", required=True, type=Path, help="an empty folder, or a new one")
    backup.add_argument("--wait", type=float, default=180.0, metavar="MINUTES", help="for the end of a run under way")
    restore = commands.add_parser("restore", help="bring a backup back into an empty data folder")
    restore.add_argument("--from", dest="backup", required=True, type=Path, help="folder that backup wrote")
    commands.add_parser("check-definitions", help="load all definitions and say what there is")
    rebuild = commands.add_parser("rebuild", help="score weeks of the past again, as new versions")
    rebuild.add_argument("--from", dest="first", required=True, type=_day, help="first week")
    rebuild.add_argument("--to", dest="last", type=_day, help="last week, by default the first")
    rebuild.add_argument("--reason", default="rebuild by hand", help="reason that the new versions carry")
    commands.add_parser("rebuild-warehouse", help="make a lost or damaged warehouse again; recorded versions stay")
    reproduce = commands.add_parser("reproduce", help="rebuild one unit from landed inputs and compare hashes")
    reproduce.add_argument("--week", required=True, type=_day)
    reproduce.add_argument("--table", required=True)
    reproduce.add_argument("--version", type=int, help="one version, by default all of the unit")
    commands.add_parser("verify", help="walk the manifest chain of the published copy")
    commands.add_parser("check-api", help="hold the views of the published copy against their contract")
    doctor = commands.add_parser("doctor", help="say what is wrong with the machine, the data folder and the settings")
    doctor.add_argument("--json", dest="is_json", action="store_true", help="for programs")
    doctor.add_argument(
        "--online", dest="is_online", action="store_true", help="ask every source once whether it answers"
    )
    alerts = commands.add_parser("alerts", help="tell what the newest week and failed runs have to tell")
    alerts.add_argument("--dry-run", action="store_true", help="print what would be sent; nothing is sent or written")
    commands.add_parser("docs", help="write dbt's documentation as one page")
    compact = commands.add_parser("compact", help="put small landed files together; no query changes")
    compact.add_argument("--forget-lost", action="store_true", help="accept that landed files are gone for good")
    replay = commands.add_parser("replay", help="judge quarantined records again and land those that pass now")
    replay.add_argument("--dataset", metavar="SOURCE/NAME", help="one dataset, by default all")
    index_new = commands.add_parser("index-new", help="write an index definition to start from")
    index_new.add_argument("--id", required=True, help="index_id of the new index, e.g. my_ten")
    index_show = commands.add_parser("index-show", help="print an index definition with what its risk mode sets")
    index_show.add_argument("--id", required=True, help="index_id, e.g. ai_top100")
    commands.add_parser("index-schema", help="write the schema of index definitions that editors read")
    orders = commands.add_parser("orders", help="what to trade on a venue to hold an index; nothing is sent")
    orders.add_argument("--index", required=True, help="index_id, e.g. hodl10")
    orders.add_argument("--venue", required=True, help="exchange, e.g. binance")
    orders.add_argument("--capital", help="quote currency to invest besides what is held")
    orders.add_argument("--holdings", type=Path, metavar="CSV", help="what is held: token_id or symbol, and amount")
    orders.add_argument("--quote", help="USDT, USDC, USD or FDUSD; by default the venue's first")
    orders.add_argument("--markets", type=Path, metavar="JSON", help="markets of the venue, instead of asking it")
    orders.add_argument("--fees", choices=("taker", "maker"), default="taker")
    orders.add_argument(
        "--spread", action="store_true", help="give the weight of tokens without a market to the others"
    )
    optimise = commands.add_parser("optimise", help="try variants of an index and say how much of the best is luck")
    optimise.add_argument("--index", required=True, help="index_id of a model-driven index")
    optimise.add_argument(
        "--goal", default="", help="annual_return=0.15,max_drawdown=0.10, or cautious, balanced, daring"
    )
    optimise.add_argument(
        "--search", type=Path, help="YAML file that says which fields vary, by default a shipped choice"
    )
    optimise.add_argument("--variants", type=int, help="number of variants, by default 500 or what the file says")
    optimise.add_argument(
        "--simplify", action="store_true", help="leave out, and name, rules that the search does not know"
    )
    optimise.add_argument("--cost-bps", type=float, default=30.0, help="cost of trades in basis points")
    chosen = parser.parse_args(arguments)
    with _nowhere() if chosen.is_quiet else nullcontext():
        return guarded(lambda: _execute(chosen))


def guarded(work: Callable[[], int]) -> int:
    """Do the work of a command: what a user can mend is one line on stderr, all else keeps its stack trace.

    Args:
        work: The command; returns its exit code.

    Returns:
        Its exit code, or the one that goes with what stopped it.
    """
    try:
        return work()
    except (TidemarkError, RunLockError) as error:
        return _said(f"{error}; more: {help_for(error)}", REFUSED)
    except KeyboardInterrupt:
        return _said("stopped; what was published before stays, and the next run goes on from here", STOPPED)
    except Exception as error:
        why = out_of_our_hands(error)
        if why is None:
            raise
        return _said(
            f"{why}; mend that and run again, what was published before stays; more: {help_for(OSError())}", FAILED
        )


def out_of_our_hands(error: BaseException | None) -> str | None:
    """What the system refused, from the error or those behind it, in words; None where it was something else.

    Databases turn the system's refusal into errors of their own: SQLite, which holds Dagster's records, knows no errno.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in OUT_OF_OUR_HANDS:
            return f"{error.strerror}: {error.filename or 'the data folder'}"
        said = str(error)
        for sign, why in REFUSALS_IN_WORDS.items():
            if sign in said:
                return f"{why}: the data folder"
        error = error.__cause__ or error.__context__
    return None


def _said(message: str, code: int) -> int:
    print(f"tidemark: {printable(message)}", file=sys.stderr)  # noqa: T201 - the command line speaks here
    return code


@contextmanager
def _nowhere() -> Iterator[None]:
    """Let nothing that is said on stdout be seen."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield


def _execute(chosen: argparse.Namespace) -> int:
    """Run the chosen command; the imports it needs come with it, so that a bad argument is refused at once."""
    from orchestration import commands, commands_docs, commands_indices, commands_landing

    if chosen.command == "compact":
        return commands_landing.compact(forget_lost=chosen.forget_lost)
    if chosen.command == "replay":
        return commands_landing.replay(chosen.dataset)
    if chosen.command == "index-new":
        return commands_indices.new_index(chosen.id)
    if chosen.command == "index-show":
        return commands_indices.show_index(chosen.id)
    if chosen.command == "index-schema":
        return commands_indices.write_schema()
    if chosen.command == "orders":
        from orchestration import commands_orders

        return commands_orders.plan_index_orders(
            commands_orders.OrderRequest(
                index_id=chosen.index,
                venue=chosen.venue,
                capital=chosen.capital,
                holdings=chosen.holdings,
                quote=chosen.quote,
                markets=chosen.markets,
                fee_kind=chosen.fees,
                is_missing_spread=chosen.spread,
            )
        )
    if chosen.command == "optimise":
        from orchestration import commands_optimise

        return commands_optimise.optimise_index(
            chosen.index,
            goal=chosen.goal,
            search=chosen.search,
            variants=chosen.variants,
            cost_bps=chosen.cost_bps,
            is_simplified=chosen.simplify,
        )
    if chosen.command == "check-api":
        from orchestration import commands_api

        return commands_api.check_api()
    if chosen.command == "doctor":
        from orchestration import commands_doctor

        return commands_doctor.doctor(is_json=chosen.is_json, is_online=chosen.is_online)
    if chosen.command == "alerts":
        from orchestration import commands_alerts

        return commands_alerts.alerts(is_dry=chosen.dry_run)
    if chosen.command == "docs":
        return commands_docs.write_dbt_docs()
    if chosen.command == "run":
        return commands.run(is_quiet=chosen.is_quiet)
    if chosen.command == "rebuild":
        return commands.rebuild(
            chosen.first, chosen.last or chosen.first, reason=chosen.reason, is_quiet=chosen.is_quiet
        )
    if chosen.command == "rebuild-warehouse":
        return commands.rebuild_warehouse(is_quiet=chosen.is_quiet)
    if chosen.command == "reproduce":
        return commands.reproduce(chosen.week, chosen.table, version=chosen.version)
    if chosen.command == "dev":
        return commands.dev()
    if chosen.command in ("backup", "restore"):
        from orchestration import commands_backup

        if chosen.command == "backup":
            return commands_backup.backup(chosen.target, wait_minutes=chosen.wait)
        return commands_backup.restore(chosen.backup)
    if chosen.command in ("serve", "health"):
        from orchestration import commands_service

        return commands_service.serve() if chosen.command == "serve" else commands_service.health()
    if chosen.command == "check-definitions":
        return commands.check_definitions()
    return commands.verify()


def _day(text: str) -> date:
    """A day as YYYY-MM-DD."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as YYYY-MM-DD") from None


def _leave(code: int) -> NoReturn:
    """End the process without taking its objects apart one by one: the libraries alone cost 5 s of it, on a slow machine 20 and more."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _leave(main())
