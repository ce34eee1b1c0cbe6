"""Five research questions, worked on the published copy: `make notebook` opens this page.

Belongs here: questions, queries, and the way from rows to an answer with its interval.
Does not: measures and intervals of its own (`models_ml/learning/evaluation` has them), anything that writes.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Tidemark: five questions")

with app.setup:
    import html
    import math
    from datetime import datetime

    import duckdb
    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np
    import polars as pl

    from models_ml.learning.evaluation.calls import call_precision
    from models_ml.learning.evaluation.costs import CostModel
    from models_ml.learning.evaluation.intervals import (
        FEWEST_BLOCKS,
        bootstrap_interval,
        ratio_of_totals,
        summarise_weekly,
    )
    from models_ml.learning.evaluation.performance import performance, spaced_weeks
    from models_ml.learning.evaluation.probabilities import brier_scores, calibration_error, one_class
    from models_ml.learning.evaluation.rank_skill import weekly_partial_rank_ic, weekly_rank_ic
    from models_ml.learning.evaluation.resampling import DRAWS, block_weeks, resampled_counts
    from orchestration.settings import load_settings

    FORTNIGHT = block_weeks(14)
    QUARTER = block_weeks(90)
    FEWEST_WEEKS = FEWEST_BLOCKS * FORTNIGHT


@app.cell(hide_code=True)
def _():
    mo.md("""
    # Five questions

    What a researcher may ask of the published copy, and how sure an answer is. Every figure comes from `published/warehouse.duckdb`,
    opened read-only; change a query or a choice and what rests on it is worked out again. Outcomes of neighbouring weeks overlap, so
    every interval resamples runs of weeks (95 %, stationary bootstrap). This is research, not financial advice.
    """)
    return


@app.cell
def _():
    published = load_settings().folder / "published" / "warehouse.duckdb"
    mo.stop(
        not published.exists(),
        mo.callout(
            mo.md(f"There is no `{published}`. Make one with `make run`, or name its folder in `TIDEMARK_DATA_DIR`.")
        ),
    )
    connection = duckdb.connect(str(published), read_only=True)
    connection.execute("set TimeZone = 'UTC'")

    def ask(sql: str, *values: object) -> pl.DataFrame:
        """Rows of a query; `?` stands for the values, in order."""
        return connection.execute(sql, list(values)).pl()

    return (ask,)


@app.cell
def _(ask):
    source = ask("""
        select any_value(data_source) as data_source, count(distinct token_id) as tokens, min(date) as first_day, max(date) as last_day
        from api.daily
    """).row(0, named=True)
    kinds = ask(
        "select call_origin, count(distinct as_of_week) as weeks, count(*) as calls from api.call_outcomes group by all"
    )
    is_simulated = source["data_source"] == "simulated"
    warning = (
        "**A simulated market.** Tokens and prices are invented; the answers show the method and say nothing of any real token."
        if is_simulated
        else "**Real history.** Calls were made week by week by models that had seen nothing later; `backfilled` means that they were "
        "worked out afterwards in that way, and not published in their week."
    )
    mo.vstack(
        [
            mo.md(
                f"Data source `{source['data_source']}`: {source['tokens']:,} tokens from {source['first_day']} to "
                f"{source['last_day']}. {warning}"
            ),
            table_of(kinds),
        ]
    )
    return is_simulated, source


@app.function
def table_of(rows: pl.DataFrame, *, digits: int = 3) -> mo.Html:
    """All rows as a plain table; fractions are rounded, null is a dash, and whatever stands in a cell is shown as text."""

    def cell(value: object) -> str:
        is_number = isinstance(value, (int, float))
        text = "-" if value is None else f"{value:,.{digits}f}" if isinstance(value, float) else html.escape(str(value))
        return f"<td style='{pad}; text-align: {'right' if is_number or value is None else 'left'}'>{text}</td>"

    pad = "padding: 0.15rem 0.7rem; border-bottom: 1px solid #8884"
    head = "".join(f"<th style='{pad}'>{html.escape(name.replace('_', ' '))}</th>" for name in rows.columns)
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows.rows())
    table = (
        f"<table style='font-size: 0.85rem; width: auto'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
    return mo.Html(f"<div style='overflow-x: auto'>{table}</div>")


@app.function
def stop_if_young(rows: pl.DataFrame) -> None:
    """End a cell, and what rests on it, where the outcomes of too few weeks are known for any answer."""
    weeks = rows["as_of_week"].n_unique()
    mo.stop(
        weeks < FEWEST_WEEKS,
        mo.md(
            f"The outcomes of {weeks} weeks are known in this copy; an answer needs {FEWEST_WEEKS} or more. Ask again later."
        ),
    )


@app.function
def bounds(low: float | None, high: float | None, form: str = "+.3f") -> str:
    """An interval in words; one with too few weeks behind it says so."""
    return (
        "too few weeks for an interval"
        if low is None or high is None
        else f"95 % interval {low:{form}} to {high:{form}}"
    )


@app.function
def reading(low: float | None, high: float | None, *, above: str, below: str, neither: str) -> str:
    """Which of three sentences an interval supports."""
    if low is None or high is None:
        return "Too few weeks have ended to tell."
    return above if low > 0 else below if high < 0 else neither


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## 1. Do higher Trader Grades go with higher returns, beyond volatility?

    Calm tokens fall less, and a grade that only sorts by calm needs no model. So the ranks of volatility (90 days) and size are taken out
    of the week's grades first, and a plain sort by low volatility stands beside them. The return is that of 14 days from the close a day
    *after* the grade. Ranks and medians are used, not means: look at the largest returns and see why. (On real history the first is a swap
    of a thousand old units for a new one that no source states. A mean over tokens would be made of it.)
    """)
    return


@app.cell
def _(ask):
    graded = ask("""
        select as_of_week, token_id, grades.trader_rank, outcomes.return_14d, metrics.volatility_90d,
            ln(prices.market_cap_usd) as log_market_cap, -metrics.volatility_90d as calm
        from api.call_outcomes as outcomes
        inner join learning.trader_grades as grades using (as_of_week, token_id)
        left join api.quant_metrics as metrics on outcomes.token_id = metrics.token_id and metrics.date = as_of_week - 1
        left join api.daily as prices on outcomes.token_id = prices.token_id and prices.date = as_of_week - 1
        where grades.version = 1 and outcomes.return_14d is not null
        order by as_of_week, token_id
    """)
    stop_if_young(graded)
    extremes = graded.sort("return_14d", descending=True, nulls_last=True).head(3)
    table_of(extremes.select("as_of_week", "token_id", "trader_rank", "return_14d"))
    return (graded,)


@app.cell
def _(graded):
    _ic = {"outcome": "return_14d"}
    _ways = {
        "the grade": weekly_rank_ic(graded, score="trader_rank", **_ic),
        "the grade, volatility taken out": weekly_partial_rank_ic(
            graded, score="trader_rank", controls=["volatility_90d"], **_ic
        ),
        "the grade, volatility and size taken out": weekly_partial_rank_ic(
            graded, score="trader_rank", controls=["volatility_90d", "log_market_cap"], **_ic
        ),
        "low volatility alone": weekly_rank_ic(graded, score="calm", **_ic),
    }
    _labelled = [weekly.with_columns(ordered_by=pl.lit(name)) for name, weekly in _ways.items()]
    _summary = summarise_weekly(pl.concat(_labelled), block=FORTNIGHT, by=["ordered_by"])
    grade_skill = pl.DataFrame({"ordered_by": list(_ways)}).join(_summary, on="ordered_by", maintain_order="left")
    _beyond = grade_skill.row(1, named=True)
    mo.vstack(
        [
            table_of(grade_skill.select("ordered_by", "mean", "low", "high", "share_above_0", "weeks")),
            mo.md(
                f"Mean weekly rank correlation. Beyond volatility it is {_beyond['mean']:+.3f} "
                f"({bounds(_beyond['low'], _beyond['high'])}). "
                + reading(
                    _beyond["low"],
                    _beyond["high"],
                    above="**Yes: what the grade knows is more than that calm tokens do better.**",
                    below="**No: with volatility taken out, higher grades went with lower returns.**",
                    neither="**Not shown: with volatility taken out, nothing is left that could not be chance.**",
                )
            ),
        ]
    )
    return (grade_skill,)


@app.cell
def _(graded):
    _placed = (
        graded.drop_nulls(["trader_rank", "volatility_90d"])
        .with_columns(
            excess=pl.col("return_14d") - pl.col("return_14d").median().over("as_of_week"),
            third=(pl.col("volatility_90d").rank("ordinal") * 3 / (pl.len() + 1))
            .floor()
            .cast(pl.Int64)
            .over("as_of_week"),
        )
        .with_columns(
            fifth=(pl.col("trader_rank").rank("ordinal") * 5 / (pl.len() + 1))
            .floor()
            .cast(pl.Int64)
            .over("as_of_week", "third")
        )
    )
    fifths = (
        _placed.group_by("third", "fifth", "as_of_week")
        .agg(excess=pl.col("excess").median())
        .group_by("third", "fifth")
        .agg(excess=pl.col("excess").mean())
        .sort("third", "fifth")
    )
    _figure, _axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for _third, _name in enumerate(("calmest third", "middle third", "wildest third")):
        _heights = fifths.filter(pl.col("third") == _third)["excess"].to_numpy() * 100
        _axes.bar(np.arange(len(_heights)) + (_third - 1) * 0.27, _heights, width=0.25, label=_name)
    _axes.axhline(0, color="black", linewidth=0.8)
    _axes.set_xticks(range(5), ["lowest fifth", "2", "3", "4", "highest fifth"])
    _axes.set_xlabel("Trader Grade within the third of its week by volatility")
    _axes.set_ylabel("14 days over the week's median, %")
    _axes.set_title("Median token of each cell, mean of weeks")
    _axes.legend(frameon=False)
    _figure
    return (fifths,)


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## 2. Did an AI index beat its passive twin after costs, and how sure is that?

    Levels after fee, half spread and impact, over the days both have. The choice of one index among many after the fact is part of the
    doubt: the table holds them all, and `p_of_many` multiplies the doubt by their number. Indices of a sector rest on the sectors of
    today, so theirs and their twins' past is partly hindsight.
    """)
    return


@app.cell
def _(ask):
    twins = dict(
        ask("""
            select index_id, twin from api.index_fact_sheet
            where kind = 'ai' and twin is not null and base_date is not null order by index_id
        """).rows()
    )
    mo.stop(not twins, mo.md("No AI index has a level in this copy yet."))
    chosen_index = mo.ui.dropdown(
        sorted(twins), value="ai_top100" if "ai_top100" in twins else min(twins), label="index"
    )
    chosen_capital = mo.ui.dropdown(
        {"10,000 USD": 1e4, "100,000 USD": 1e5, "1 million USD": 1e6, "10 million USD": 1e7},
        value="10,000 USD",
        label="capital",
    )
    mo.hstack([chosen_index, chosen_capital], justify="start")
    return chosen_capital, chosen_index, twins


@app.cell
def _(ask):
    def levels_of(index_id: str, twin: str, capital_usd: float) -> pl.DataFrame:
        """date, own, twin: levels after costs over the days both have, index points."""
        return ask(
            """
            select own.date, own.level_net as own, other.level_net as twin
            from api.index_net_levels as own
            inner join api.index_net_levels as other using (date, capital_usd)
            where own.index_id = ? and other.index_id = ? and capital_usd = ? and own.level_net > 0 and other.level_net > 0
            order by own.date
            """,
            index_id,
            twin,
            capital_usd,
        )

    def lead_of(levels: pl.DataFrame) -> dict[str, float]:
        """Compound return a year of the index less that of the twin, with its interval and the share of resamples above 0."""
        logs = np.diff(np.log(levels.select("own", "twin").to_numpy()), axis=0)
        counts = np.vstack([np.ones((1, len(logs))), resampled_counts(len(logs), block=60)])
        yearly = np.expm1(counts @ logs / len(logs) * 365)
        lead = yearly[:, 0] - yearly[:, 1]
        low, high = np.quantile(lead[1:], [0.025, 0.975])
        return {
            "days": len(logs),
            "index_a_year": yearly[0, 0],
            "twin_a_year": yearly[0, 1],
            "lead": lead[0],
            "low": low,
            "high": high,
            "probability_ahead": (lead[1:] > 0).mean(),
        }

    return lead_of, levels_of


@app.cell
def _(chosen_capital, lead_of, levels_of, twins):
    _rows = []
    for _index_id, _twin in twins.items():
        _levels = levels_of(_index_id, _twin, chosen_capital.value)
        if _levels.height > 180:  # three runs of 60 days: fewer give no interval
            _rows.append({"index_id": _index_id, "twin": _twin} | lead_of(_levels))
    mo.stop(
        not _rows, mo.md("No AI index has had a level beside its twin for half a year in this copy. Ask again later.")
    )
    # A share of 0 among so many resamples means less than one in them, not never.
    _doubt = (1 - pl.col("probability_ahead")).clip(lower_bound=1 / DRAWS)
    index_leads = pl.DataFrame(_rows).with_columns(p_of_many=(_doubt * len(_rows)).clip(upper_bound=1.0))
    table_of(index_leads)
    return (index_leads,)


@app.cell
def _(chosen_capital, chosen_index, index_leads, levels_of, twins):
    _levels = levels_of(chosen_index.value, twins[chosen_index.value], chosen_capital.value)
    _figure, _axes = plt.subplots(figsize=(7, 3), layout="constrained")
    for _column, _name in (("own", chosen_index.value), ("twin", twins[chosen_index.value])):
        _axes.plot(_levels["date"], _levels[_column] / _levels[_column][0], label=_name, linewidth=1.2)
    _axes.set_yscale("log")
    _axes.set_ylabel("worth of 1 USD, after costs")
    _axes.legend(frameon=False)
    _found = index_leads.filter(pl.col("index_id") == chosen_index.value).rows(named=True)
    _said = "Too few days for an answer."
    if _found:
        index_lead = _found[0]
        _daily = np.diff(np.log(_levels["own"].to_numpy())) - np.diff(np.log(_levels["twin"].to_numpy()))
        _ratio = _daily.mean() / _daily.std() * math.sqrt(365)
        years_needed = (1.96 / _ratio) ** 2
        _said = (
            f"`{index_lead['index_id']}` made {index_lead['index_a_year']:+.1%} a year, its twin {index_lead['twin_a_year']:+.1%}: "
            f"a difference of {index_lead['lead']:+.1%} ({bounds(index_lead['low'], index_lead['high'], '+.1%')}). "
            + reading(
                index_lead["low"],
                index_lead["high"],
                above="**It was ahead, and not by chance alone",
                below="**It fell behind, and not by chance alone",
                neither="**Not sure: the interval holds 0",
            )
            + (
                f"; with {index_leads.height} indices to choose from, the chance that the luckiest looks like this is up to "
                f"{index_lead['p_of_many']:.0%}.**"
                if index_lead["lead"] > 0
                else ".**"
            )
            + f" At this size of difference and this much noise ({abs(_ratio):.2f} standard deviations a year) it takes about "
            f"{years_needed:,.0f} years until an interval leaves out 0; there are {_levels.height / 365:.1f}."
        )
    mo.vstack([_figure, mo.md(_said)])
    return index_lead, years_needed


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## 3. Are the probabilities of the calls right?

    When the pipeline said 30 % bullish, did it happen 30 times in a hundred? Bullish means that the price passed one of its own standard
    deviations upwards before downwards within 14 days. Probabilities are those first recorded. The skill is over base rates that knew the
    mean frequency of the whole period in advance, which is hard to beat.
    """)
    return


@app.cell
def _(ask):
    called = ask("""
        select as_of_week, token_id, outcomes.signal, p_bullish, p_neutral, p_bearish, outcome
        from api.call_outcomes as outcomes
        inner join learning.trading_signals as calls using (as_of_week, token_id)
        where calls.version = 1 and outcome is not null
        order by as_of_week, token_id
    """)
    stop_if_young(called)
    calibration = {
        _name: calibration_error(one_class(called, _name, outcome="outcome"), probability="p_class", outcome="is_class",
                                 block=FORTNIGHT, bins=10)
        for _name in ("bullish", "bearish")
    }  # fmt: skip
    brier = brier_scores(called, block=FORTNIGHT, outcome="outcome")
    precision = call_precision(called, block=FORTNIGHT, outcome="outcome")
    _figure, _axes = plt.subplots(figsize=(5.2, 4.2), layout="constrained")
    _axes.plot([0, 0.6], [0, 0.6], color="grey", linewidth=0.8, linestyle="--", label="as said")
    for _name, (_, _table) in calibration.items():
        _axes.plot(_table["mean_probability"], _table["frequency"], marker="o", markersize=4, label=_name)
    _axes.set_xlabel("probability said, mean of a tenth of the calls")
    _axes.set_ylabel("how often it happened")
    _axes.legend(frameon=False)
    _skill = brier["brier_skill"]
    _errors = ", ".join(f"{_name} {_error.estimate:.3f}" for _name, (_error, _) in calibration.items())
    mo.vstack(
        [
            _figure,
            mo.md(
                f"Mean gap between said and seen (expected calibration error): {_errors}. Brier skill over base rates "
                f"{_skill.estimate:+.3f} ({bounds(_skill.low, _skill.high)}). "
                + reading(
                    _skill.low,
                    _skill.high,
                    above="**The probabilities say more than the base rates do.**",
                    below="**The base rates alone would have been better.**",
                    neither="**Not shown to be better than the base rates.**",
                )
                + " What became of the calls themselves, beside how often their outcome happens anyway:"
            ),
            table_of(
                precision.select(
                    "call", "rows", "precision", "precision_low", "precision_high", "base_rate", "opposite"
                )
            ),
        ]
    )
    return brier, calibration, called, precision


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## 4. What did past moonshot picks do beside their controls?

    Every pick is followed for 90 days beside up to five tokens of its size and volatility. A control is a way to ask: did the screen know
    anything, or does this kind of token double now and then? Only windows that are over count; tokens whose prices stopped are failures,
    and picks whose source ended are unknown.
    """)
    return


@app.cell
def _(ask):
    followed = ask("""
        select as_of_week, pick_token_id, role, is_success::double as doubled, has_halved::double as halved, return_90d
        from api.moonshot_outcomes
        where status = 'closed' and is_success is not null
        order by as_of_week, pick_token_id, role, control_number
    """)
    stop_if_young(followed)
    _each = followed.group_by("as_of_week", "pick_token_id", "role").agg(pl.col("doubled", "halved").mean())
    pairs = (
        _each.filter(pl.col("role") == "pick")
        .join(_each.filter(pl.col("role") == "control"), on=["as_of_week", "pick_token_id"], suffix="_control")
        .sort("as_of_week", "pick_token_id")
    )
    _weekly = pairs.group_by("as_of_week", maintain_order=True).agg(
        more_doubled=(pl.col("doubled") - pl.col("doubled_control")).sum(),
        more_halved=(pl.col("halved") - pl.col("halved_control")).sum(),
        picks=pl.len().cast(pl.Float64),
    )
    pick_leads = {
        _name: bootstrap_interval(
            ratio_of_totals(_weekly.select(f"more_{_name}", "picks").to_numpy()), _weekly.height, block=QUARTER
        )
        for _name in ("doubled", "halved")
    }
    picks_by_year = (
        pairs.group_by(year=pl.col("as_of_week").dt.year())
        .agg(
            picks=pl.len(),
            doubled=pl.col("doubled").mean(),
            controls_doubled=pl.col("doubled_control").mean(),
            halved=pl.col("halved").mean(),
            controls_halved=pl.col("halved_control").mean(),
        )
        .sort("year")
    )
    return followed, pairs, pick_leads, picks_by_year


@app.cell
def _(followed, pairs, pick_leads, picks_by_year):
    _figure, _axes = plt.subplots(figsize=(7, 3), layout="constrained")
    _edges = np.linspace(-1, 3, 33)
    for _role, _colour in (("control", "tab:grey"), ("pick", "tab:blue")):
        _returns = followed.filter(pl.col("role") == _role)["return_90d"].drop_nulls().clip(-1, 3).to_numpy()
        _axes.hist(
            _returns, bins=_edges, weights=np.full(len(_returns), 100 / max(len(_returns), 1)), histtype="step", color=_colour,
            label=f"{_role}s ({len(_returns):,}, median {np.median(_returns):+.0%})",
        )  # fmt: skip
    _axes.set_xlabel("return 90 days after the entry, a fraction (3 and above in the last bar)")
    _axes.set_ylabel("share, %")
    _axes.legend(frameon=False)
    _doubled, _halved = pick_leads["doubled"], pick_leads["halved"]
    mo.vstack(
        [
            _figure,
            table_of(picks_by_year),
            mo.md(
                f"{pairs['doubled'].mean():.1%} of {pairs.height:,} picks held twice their entry, {pairs['doubled_control'].mean():.1%} "
                f"of their controls: {_doubled.estimate:+.1%} ({bounds(_doubled.low, _doubled.high, '+.1%')}). "
                f"{pairs['halved'].mean():.1%} lost half against {pairs['halved_control'].mean():.1%}: {_halved.estimate:+.1%} "
                f"({bounds(_halved.low, _halved.high, '+.1%')}). "
                + reading(
                    _doubled.low,
                    _doubled.high,
                    above="**Picks doubled more often than tokens like them",
                    below="**Picks doubled less often than tokens like them",
                    neither="**Not shown to double more often than tokens like them",
                )
                + reading(
                    _halved.low,
                    _halved.high,
                    above=", and they halved more often, too: they may only be the wilder ones.**",
                    below=", and they halved less often.**",
                    neither=".**",
                )
                + " Within a fifth by volatility the wilder ones double more often, so `api.moonshot_record` adds a second rival, a plain "
                "sort by volatility; its verdict is the one to go by."
            ),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## 5. Point in time: what was known then, what a correction changed, and a backtest that cannot peek

    Versioned tables are only ever added to. What a table said at an instant is one predicate:
    """)
    return


@app.cell
def corrections_of(ask):
    def as_of(table: str, instant: datetime) -> pl.DataFrame:
        """Rows of a versioned table as it stood at an instant (UTC)."""
        return ask(
            f"select * from {table} where recorded_at <= $1 and (superseded_at is null or superseded_at > $1)", instant
        )

    corrections = ask("""
        select new.as_of_week, new.version, new.version_reason, any_value(new.recorded_at) as recorded_at, count(*) as tokens,
            count(*) filter (new.trader_grade is distinct from old.trader_grade) as grades_changed,
            max(abs(new.trader_grade - old.trader_grade)) as largest_change,
            max_by(new.token_id, abs(new.trader_grade - old.trader_grade)) as changed_most
        from learning.trader_grades as new
        inner join learning.trader_grades as old
            on new.as_of_week = old.as_of_week and new.token_id = old.token_id and new.version = old.version + 1
        group by all order by new.as_of_week, new.version
    """)
    _newest = ask("select max(as_of_week) as week, max(recorded_at) as recorded from learning.trader_grades").row(
        0, named=True
    )
    known_now = as_of("learning.trader_grades", _newest["recorded"])
    mo.vstack(
        [
            mo.md(
                f"At {_newest['recorded']:%Y-%m-%d %H:%M} UTC `learning.trader_grades` held {known_now.height:,} current rows."
            ),
            table_of(corrections)
            if corrections.height
            else mo.md(
                "No week of grades has a second version in this copy: nothing that was published has been corrected."
            ),
        ]
    )
    return as_of, corrections, known_now


@app.cell
def _():
    rank_choices = {
        "Trader Grade": "grades.trader_rank",
        "P(bullish) - P(bearish)": "calls.p_bullish - calls.p_bearish",
        "low volatility": "-metrics.volatility_90d",
        "small size": "-now.market_cap_usd",
    }
    chosen_rank = mo.ui.dropdown(list(rank_choices), value="Trader Grade", label="rank tokens by")
    mo.vstack(
        [
            mo.md("""
            A rank of your own is an expression over what was known on the Monday at 00:00. Liquid tokens only, the best twenty in equal
            parts, bought at the close a *day later*, held 14 days, every trade paid for. A token whose price is unknown at the end
            keeps its last one: leaving it out would be a look ahead.

            Beside it stands the mistake that everybody makes once, on the momentum of 14 days: a join by the wrong week, so that the
            momentum ends where the return ends.
            """),
            chosen_rank,
        ]
    )
    return rank_choices, chosen_rank


@app.cell
def _(rank_choices, ask, chosen_rank):
    ranked = ask(f"""
        select as_of_week, token_id, {rank_choices[chosen_rank.value]} as own_rank, now.price_usd / before.price_usd - 1 as momentum,
            universe.volume_30d_median_usd, outcomes.return_14d
        from learning.trader_grades as grades
        inner join learning.trading_signals as calls using (as_of_week, token_id, version)
        inner join marts.fct_universe_daily as universe on grades.token_id = universe.token_id and universe.market_date = as_of_week - 1
        inner join api.call_outcomes as outcomes using (as_of_week, token_id)
        left join api.quant_metrics as metrics on grades.token_id = metrics.token_id and metrics.date = as_of_week - 1
        left join api.daily as now on grades.token_id = now.token_id and now.date = as_of_week - 1
        left join api.daily as before on grades.token_id = before.token_id and before.date = as_of_week - 15
        where grades.version = 1 and universe.is_liquid
        order by as_of_week, token_id
    """)

    stop_if_young(ranked)

    def backtest(panel: pl.DataFrame, rank: str, *, name: str, count: int = 20) -> pl.DataFrame:
        """Net return of each 14 days of holding the `count` best by `rank` in equal parts; rows as `performance` gives them."""
        place = pl.col(rank).rank("ordinal", descending=True).over("as_of_week")
        held = panel.drop_nulls(rank).filter(place <= count)
        weights = held.select("as_of_week", "token_id", portfolio=pl.lit(name), weight=1 / pl.len().over("as_of_week"))
        return performance(weights, panel, holding_days=14, outcome="return_14d", costs=CostModel())

    return backtest, ranked


@app.cell
def _(backtest, chosen_rank, ranked):
    _later = ranked.select(pl.col("as_of_week").dt.offset_by("-14d"), "token_id", peeked="momentum")
    _panel = ranked.join(_later, on=["as_of_week", "token_id"], how="left", maintain_order="left").with_columns(
        everyone=pl.lit(1.0)
    )
    _everyone = _panel.group_by("as_of_week").len()["len"].max()
    _periods = []
    for _start in (0, 1):  # both weeks to begin in, so that the start is not a choice
        _spaced = spaced_weeks(_panel, holding_days=14, offset=_start)
        _periods += [
            backtest(_spaced, "everyone", name="all liquid tokens", count=_everyone),
            backtest(_spaced, "own_rank", name=chosen_rank.value),
            backtest(_spaced, "momentum", name="momentum"),
            backtest(_spaced, "peeked", name="momentum, peeking"),
        ]
    backtests = pl.concat(_periods).sort("portfolio", "as_of_week")
    _market = backtests.filter(pl.col("portfolio") == "all liquid tokens").select("as_of_week", market="net_return")
    _over = backtests.join(_market, on="as_of_week").with_columns(value=pl.col("net_return") - pl.col("market"))
    backtest_summary = (
        backtests.group_by("portfolio")
        .agg(
            net_return=pl.col("net_return").mean(),
            median=pl.col("net_return").median(),
            worst=pl.col("net_return").min(),
            turnover=pl.col("turnover").mean(),
            cost=pl.col("cost").mean(),
        )
        .join(
            summarise_weekly(_over, block=FORTNIGHT, by=["portfolio"]).select(
                "portfolio", over_market="mean", over_market_low="low", over_market_high="high", periods="weeks"
            ),
            on="portfolio",
        )
        .sort("portfolio")
    )
    edges = {_row["portfolio"]: _row for _row in backtest_summary.rows(named=True)}
    _own, _peeked = edges[chosen_rank.value], edges["momentum, peeking"]
    mo.vstack(
        [
            table_of(backtest_summary, digits=4),
            mo.md(
                f"By {chosen_rank.value}: {_own['over_market']:+.2%} in 14 days over all liquid tokens, after costs "
                f"({bounds(_own['over_market_low'], _own['over_market_high'], '+.2%')}). "
                + reading(
                    _own["over_market_low"],
                    _own["over_market_high"],
                    above="**The rank paid for its trading and more.**",
                    below="**The rank lost against holding everything.**",
                    neither="**Not shown to be better than holding everything.**",
                )
                + f" The wrong join shows {_peeked['over_market']:+.1%} in 14 days where momentum itself had "
                f"{edges['momentum']['over_market']:+.1%}: an edge that large is a mistake before it is a discovery."
            ),
        ]
    )
    return backtest_summary, backtests, edges


if __name__ == "__main__":
    app.run()
