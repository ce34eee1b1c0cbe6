"""What a materialisation shows in the UI: row counts, schema, a preview, a plot.

Belongs here: turning tables and figures into Dagster metadata.
Does not: choosing what to show (the assets).
"""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import duckdb
import polars as pl

PREVIEW_ROWS = 8


def table_metadata(
    connection: duckdb.DuckDBPyConnection, name: str, *, order_by: str = "", where: str = "true"
) -> dict[str, Any]:
    """Row count, schema with comments, and a preview of a table or view (`schema.table`)."""
    schema, table = name.split(".")
    count = connection.execute(f'select count(*) from "{schema}"."{table}"').fetchone()
    columns = connection.execute(
        "select column_name, data_type, comment from duckdb_columns() where schema_name = ? and table_name = ? order by column_index",
        [schema, table],
    ).fetchall()
    order = f"order by {order_by}" if order_by else ""
    preview = connection.execute(f'select * from "{schema}"."{table}" where {where} {order} limit {PREVIEW_ROWS}').pl()
    return {
        "dagster/row_count": int(count[0]) if count else 0,
        "dagster/column_schema": dg.TableSchema(
            columns=[dg.TableColumn(column, type=kind, description=comment) for column, kind, comment in columns]
        ),
        "preview": dg.MetadataValue.md(markdown_table(preview)),
    }


def markdown_table(frame: pl.DataFrame) -> str:
    """A frame as a Markdown table; numbers at four significant digits."""
    if frame.is_empty():
        return "no rows"
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + " --- |" * len(frame.columns)]
    lines += ["| " + " | ".join(_text(value) for value in row) + " |" for row in frame.iter_rows()]
    return "\n".join(lines)


def plot(draw: Callable[[Any], None], *, title: str, data_source: str) -> dg.MarkdownMetadataValue:
    """A figure as an inline picture.

    Args:
        draw: Draws on the matplotlib axes it is given.
        title: What the figure shows; the data source is added, since every plot says which.
        data_source: simulated, archive or live.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    draw(axes)
    axes.set_title(f"{title} ({data_source} data)", fontsize=10)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")


def lines_plot(
    series: Mapping[str, tuple[Sequence[date], Sequence[float]]], *, title: str, data_source: str, is_log: bool = False
) -> dg.MarkdownMetadataValue:
    """A figure of some lines over dates."""

    def draw(axes: Any) -> None:
        for label, (days, values) in series.items():
            axes.plot(days, values, label=label, linewidth=1.2)
        if is_log:
            axes.set_yscale("log")
        if len(series) > 1:
            axes.legend(fontsize=8, frameon=False)
        axes.grid(visible=True, alpha=0.25)

    return plot(draw, title=title, data_source=data_source)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("|", "/").replace("\n", " ")[:80]
