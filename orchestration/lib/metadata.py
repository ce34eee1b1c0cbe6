"""What a materialisation shows in the UI: row counts, schema, a preview, a plot.

Belongs here: turning tables and figures into Dagster metadata.
Does not: choosing what to show (the assets).
"""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from orchestration.lib.landing import Load
from orchestration.lib.landing_files import last_rows
from orchestration.lib.sql_quoting import table_quoted
from orchestration.lib.versioned_tables import VERSION_COLUMNS
from orchestration.lib.warehouse import count_rows
from orchestration.sources.datasets import Dataset

PREVIEW_ROWS = 8
FEWEST_INLINE_ROWS = 3
INLINE_CHARACTERS = 1000
"""The UI shows Markdown shorter than this in place and hides longer texts behind a click."""

FEW_POWERS = 20
"""Highest over lowest value of a log axis up to which the values between powers of ten are labelled."""

BOOKKEEPING = frozenset(VERSION_COLUMNS) - {"version"}
"""Columns a preview leaves out: hashes, ids and instants of versions, which the schema lists and nobody reads."""

NEWEST_FIRST = ("as_of_week", "market_date", "date")
"""Columns whose newest values a preview shows first."""


@dataclass(frozen=True)
class Layout:
    """What there is in a warehouse, read once: DuckDB goes through all columns of all tables whichever one is asked about.

    Attributes:
        columns: Name, type and comment of each column, by `schema.name` of tables and views.
        tables: Those that are tables.
    """

    columns: Mapping[str, Sequence[tuple[str, str, str | None]]]
    tables: frozenset[str]


def read_layout(connection: duckdb.DuckDBPyConnection, *, only: str | None = None) -> Layout:
    """The layout of a warehouse as it is now; of one table or view (`schema.name`) where only that is asked about."""
    columns: dict[str, list[tuple[str, str, str | None]]] = {}
    for name, column, kind, comment in connection.execute(
        """select schema_name || '.' || table_name, column_name, data_type, comment
        from duckdb_columns() where not internal and (? is null or schema_name || '.' || table_name = ?)
        order by table_oid, column_index""",
        [only, only],
    ).fetchall():
        columns.setdefault(name, []).append((column, kind, comment))
    tables = connection.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchall()
    return Layout(columns, frozenset(name for (name,) in tables))


def table_metadata(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    *,
    order_by: str = "",
    where: str = "true",
    layout: Layout | None = None,
    recent_from: date | None = None,
) -> dict[str, Any]:
    """Row count, schema with comments, and a preview of a table or view (`schema.table`).

    Args:
        connection: The warehouse.
        name: The table or view.
        order_by: SQL order of the preview, what an operator wants to see first; by default the newest week or day.
        where: SQL condition on the rows of the preview.
        layout: Of the warehouse, where many tables are asked about; by default it is read.
        recent_from: Day from which on rows are looked for first: a view that computes days by themselves is spared the others. With it
            views are not counted either, since that runs them whole.
    """
    layout = layout or read_layout(connection, only=name)
    columns = layout.columns.get(name, ())
    newest = next((column for column, _, _ in columns if column in NEWEST_FIRST), None)
    order_by = order_by or (f'"{newest}" desc' if newest else "")
    order = f"order by {order_by}" if order_by else ""
    shown = ", ".join(f'"{column}"' for column, _, _ in columns if column not in BOOKKEEPING)
    is_recent = f"\"{newest}\" >= date '{recent_from}'" if newest and recent_from else ""
    preview = pl.DataFrame()
    for condition in (f"({where}) and {is_recent}", where) if is_recent else (where,):
        preview = connection.execute(
            f"select {shown} from {table_quoted(name)} where {condition} {order} limit {PREVIEW_ROWS}"
        ).pl()
        if not preview.is_empty():
            break
    metadata: dict[str, Any] = {
        "dagster/column_schema": dg.TableSchema(
            columns=[dg.TableColumn(column, type=kind, description=comment) for column, kind, comment in columns]
        ),
        "preview": preview_of(preview),
    }
    if recent_from is None or name in layout.tables:
        metadata["dagster/row_count"] = count_rows(connection, table_quoted(name))
    return metadata


def table_columns(
    connection: duckdb.DuckDBPyConnection, name: str, words: Mapping[str, str], *, layout: Layout
) -> dict[str, Any]:
    """Columns of a table or view that nobody previews (`schema.table`), and the row count where it is a table: no view is run.

    Args:
        connection: The warehouse.
        name: The table or view.
        words: What a column means that has no comment of its own, by its name.
        layout: Of the warehouse.
    """
    shown: dict[str, Any] = {
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(column, type=kind, description=comment or words.get(column))
                for column, kind, comment in layout.columns.get(name, ())
            ]
        )
    }
    if name in layout.tables:
        shown["dagster/row_count"] = count_rows(connection, table_quoted(name))
    return shown


def landed_metadata(loads: Sequence[Load], dataset: Dataset) -> dict[str, Any]:
    """Rows and files of a dataset landed so far, and a preview of the newest file; `loads` oldest first."""
    shown: dict[str, Any] = {"dagster/row_count": sum(load.rows for load in loads), "files": len(loads)}
    if loads:
        newest = last_rows(loads[-1].path, list(dataset.columns), PREVIEW_ROWS)
        shown |= {"newest_load": loads[-1].loaded_at.isoformat(timespec="seconds"), "preview": preview_of(newest)}
    return shown


def preview_of(frame: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """The first rows of a frame, as many as the UI shows in place; of a wide frame three rows of as many columns."""
    for rows in range(min(frame.height, PREVIEW_ROWS), FEWEST_INLINE_ROWS - 1, -1):
        text = markdown_table(frame.head(rows))
        if len(text) < INLINE_CHARACTERS:
            return dg.MetadataValue.md(text)
    few = frame.head(FEWEST_INLINE_ROWS)
    for columns in range(frame.width, 0, -1):
        text = markdown_table(few[:, :columns])
        if columns < frame.width:
            text += f"\n\nand {frame.width - columns} more columns, listed in the schema"
        if len(text) < INLINE_CHARACTERS:
            return dg.MetadataValue.md(text)
    return dg.MetadataValue.md(markdown_table(few))


def markdown_table(frame: pl.DataFrame) -> str:
    """A frame as a Markdown table; numbers at four significant digits, large ones whole."""
    if frame.is_empty():
        return "no rows"
    lines = ["|".join(frame.columns), "|".join("-" * len(frame.columns))]
    lines += ["|".join(_text(value) for value in row) for row in frame.iter_rows()]
    return "\n".join(f"|{line}|" for line in lines)


def plot(draw: Callable[[Any], None], *, title: str, unit: str, data_source: str) -> dg.MarkdownMetadataValue:
    """A figure as an inline picture.

    Args:
        draw: Draws on the matplotlib axes it is given.
        title: What the figure shows; the data source is added, since every plot says which.
        unit: What the vertical axis counts.
        data_source: simulated, archive or live.
    """
    return panels_plot([(draw, unit, 1.0)], title=title, data_source=data_source)


def panels_plot(
    panels: Sequence[tuple[Callable[[Any], None], str, float]], *, title: str, data_source: str, height: float = 3.2
) -> dg.MarkdownMetadataValue:
    """A figure of panels, one under the other over the same dates, as one inline picture.

    Args:
        panels: What draws on the matplotlib axes it is given, what the vertical axis counts, and the panel's share of the height.
        title: What the figure shows; the data source is added, since every plot says which.
        data_source: simulated, archive or live.
        height: Of the figure, inches.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height), layout="constrained")
    shares = [share for _, _, share in panels]
    grid = figure.subplots(len(panels), sharex=True, squeeze=False, gridspec_kw={"height_ratios": shares})
    for axes, (draw, unit, _) in zip(grid[:, 0], panels, strict=True):
        draw(axes)
        axes.set_ylabel(unit, fontsize=8)
        axes.tick_params(labelsize=8, which="both")
        axes.spines[["top", "right"]].set_visible(False)
    grid[0, 0].set_title(f"{title} ({data_source} data)", fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")


def lines_plot(
    series: Mapping[str, tuple[Sequence[date], Sequence[float]]],
    *,
    title: str,
    unit: str,
    data_source: str,
    is_log: bool = False,
    is_legend_beside: bool = False,
) -> dg.MarkdownMetadataValue:
    """A figure of some lines over dates; values on a log scale are labelled as whole numbers.

    The legend stands where it covers least of the lines, or beside them where they are so spread that it would cover some anywhere.
    """

    def draw(axes: Any) -> None:
        draw_lines(axes, series, is_log=is_log, is_legend_beside=is_legend_beside)

    return plot(draw, title=title, unit=unit, data_source=data_source)


def draw_lines(
    axes: Any,
    series: Mapping[str, tuple[Sequence[date], Sequence[float]]],
    *,
    is_log: bool = False,
    is_legend_beside: bool = False,
) -> None:
    """Draw some lines over dates on matplotlib axes, as `lines_plot` has them."""
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    for label, (days, values) in series.items():
        axes.plot(days, values, label=label, linewidth=1.2)
    if is_log:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        whole = StrMethodFormatter("{x:,.0f}")
        axes.yaxis.set_major_formatter(whole)
        # Between powers of ten there is room for labels only while they are few.
        axes.yaxis.set_minor_formatter(whole if high < FEW_POWERS * low else NullFormatter())
    if len(series) > 1:
        beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if is_legend_beside else {}
        axes.legend(fontsize=8, frameon=False, **beside)
    axes.grid(visible=True, alpha=0.25)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value).replace("|", "/").replace("\n", " ")[:80]
