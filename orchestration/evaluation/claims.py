"""docs/results/claims.md: what sellers of ratings claim, tested on the project's own published tables.

Belongs here: the claims, how each is tested, what would matter, the page.
Does not: effects, Holm's correction and verdicts (`models_ml.learning.evaluation.claims`), the rows the tests rest on
(`claims_panel.py`), the picture (`claims_picture.py`).

The claims, their tests and the smallest effects that matter were written down before the first run. A test that is changed afterwards
belongs among the variants, which decide nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

from models_ml.learning.calendar import INVESTOR_HORIZON_DAYS, TRADER_HORIZON_DAYS
from models_ml.learning.evaluation.claims import Effect, Verdict, across_periods, holm, verdict, within_periods
from models_ml.learning.evaluation.resampling import block_weeks
from orchestration.evaluation.claims_panel import NEAR_DAYS, Panel
from orchestration.evaluation.history import FIRST_WEEK
from orchestration.lib.metadata import markdown_table

TRADE_COST = 0.006
"""A benefit below this is eaten by one purchase and one sale at 30 basis points each: the smallest return that matters, a fraction."""
SHARE_THAT_MATTERS = 0.05
"""Smallest difference of two shares that a user would notice."""

SIDEWAYS = 0.10
"""Largest market return of 90 days, either way, at which the market went sideways."""
NEAR_EXTREME = 0.10
"""Largest distance from the highest or lowest close of 30 days before to 30 days after at which a close is near it."""
BROAD_FLIP = 0.10
"""Rise of the share of bearish calls within 7 days, in points of the share, that is a broad bearish flip."""
FRESH_DAYS = 3
"""Closes, the newest included, since when a call is fresh."""
AGAIN_DAYS = 7
"""Days within which a second flip to bearish follows a first."""
RISING_POINTS = 20.0
"""Gain of the Trader Grade in 7 days that puts a token among the movers."""
STEADY_POINTS = 5.0
"""Largest change of the Trader Grade in 7 days, either way, of a token that is compared with them."""

FORTNIGHT = block_weeks(TRADER_HORIZON_DAYS + 1)  # a trade one day late ends on the 15th day
QUARTER = block_weeks(INVESTOR_HORIZON_DAYS + 1)
AROUND = block_weeks(2 * NEAR_DAYS + 1)

Test = Callable[[Panel], Effect]


@dataclass(frozen=True)
class Claim:
    """One claim and its tests.

    Attributes:
        name: The claim as sellers make it.
        tested: How it is tested, in words.
        outcome: What the effect is a mean of.
        unit: Of the effect in hundredths: '%' of a return, 'points' of a share.
        block: Periods in a block, with their name.
        matters: Smallest effect that matters, in the effect's unit.
        test: The one that decides.
        variants: Other definitions by name; they decide nothing.
    """

    name: str
    tested: str
    outcome: str
    unit: str
    block: str
    matters: float
    test: Test
    variants: Mapping[str, Test] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """A claim with what came of it."""

    claim: Claim
    effect: Effect
    adjusted_p: float | None
    verdict: Verdict


def among(
    claimed: pl.Expr,
    others: pl.Expr,
    *,
    rows: str = "weekly",
    value: str = "excess_14d",
    block: int = FORTNIGHT,
    only: pl.Expr | None = None,
) -> Test:
    """A test within periods on rows of the panel; `only` leaves out rows before anything is compared."""

    def test(panel: Panel) -> Effect:
        frame: pl.DataFrame = getattr(panel, rows)
        return within_periods(
            frame if only is None else frame.filter(only), claimed=claimed, others=others, value=value, block=block
        )

    return test


def when(
    claimed: pl.Expr, others: pl.Expr | None, *, rows: str, value: str, block: int, only: pl.Expr | None = None
) -> Test:
    """A test across periods on rows of the panel."""

    def test(panel: Panel) -> Effect:
        frame: pl.DataFrame = getattr(panel, rows)
        return across_periods(
            frame if only is None else frame.filter(only), claimed=claimed, others=others, value=value, block=block
        )

    return test


def _ahead_of_twin(low: float, high: float, *, market: str = "market_90d", lead: str = "lead_flagship") -> Test:
    """Mean lead of an index over its twin where the market's return is between two bounds."""
    return when(pl.col(market).is_between(low, high), None, rows="windows", value=lead, block=QUARTER)


HIGH, MIDDLE = pl.col("trader_grade") >= 80, (pl.col("trader_grade") >= 60) & (pl.col("trader_grade") < 80)
HIGH_INVESTOR = pl.col("investor_grade") >= 80
MIDDLE_INVESTOR = (pl.col("investor_grade") >= 60) & (pl.col("investor_grade") < 80)
BULLISH, BEARISH = pl.col("signal") == 1, pl.col("signal") == -1
IS_FRESH = pl.col("days_standing") < FRESH_DAYS
LOW_RISK = pl.col("risk_class") == "low"
PEERS = pl.col("peers_turned_bullish")
SOME_PEERS, FEW_PEERS = PEERS.is_between(3, 5), PEERS <= 2
IS_FLIP_TO_BEARISH = BEARISH & (pl.col("days_standing") == 0)
IS_AGAIN = pl.col("days_since_bearish_flip") <= AGAIN_DAYS
CONFIRMED = pl.col("is_volume_confirming")
RISES, STANDS = pl.col("grade_change_7d") >= RISING_POINTS, pl.col("grade_change_7d").abs() <= STEADY_POINTS
SURE = pl.col("place_in_confidence") >= 0.5
TURNS = pl.col("bearish_share_change_7d") >= BROAD_FLIP

BEATS = "share of tokens that beat the week's median"
IN_DIRECTION = "14-day shortfall behind the mean of all tokens with a call"
EXCESS = "14-day return less the mean of all tokens with a call"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "The AI index beats passive in sideways markets",
        f"Log return of `ai_top100` less that of its passive twin `hodl100_capped`, both after costs, over all windows of 90 days (one "
        f"starts each week) in which the market by cap ended within +-{SIDEWAYS:.0%} of where it began",
        "log return of 90 days less the twin's",
        "%",
        f"{QUARTER} weeks",
        TRADE_COST,
        _ahead_of_twin(-SIDEWAYS, SIDEWAYS),
        {
            "sideways is +-5%": _ahead_of_twin(-0.05, 0.05),
            "sideways is +-15%": _ahead_of_twin(-0.15, 0.15),
            "sideways is +-20%": _ahead_of_twin(-0.20, 0.20),
            "the 90 days before were sideways, as one can know": _ahead_of_twin(
                -SIDEWAYS, SIDEWAYS, market="market_90d_before"
            ),
            "mean of the thematic AI indices over their passive twins": _ahead_of_twin(
                -SIDEWAYS, SIDEWAYS, lead="lead_themes"
            ),
            "`ai_low_risk` over its twin": _ahead_of_twin(-SIDEWAYS, SIDEWAYS, lead="lead_low_risk"),
            "rising market (above +10%)": _ahead_of_twin(SIDEWAYS, float("inf")),
            "falling market (below -10%)": _ahead_of_twin(-1.0, -SIDEWAYS),
        },
    ),
    Claim(
        "A Trader Grade above 80 beats 60 to 79",
        "Tokens graded 80 or more less tokens of 60 to 80, same week",
        EXCESS,
        "%",
        f"{FORTNIGHT} weeks",
        TRADE_COST,
        among(HIGH, MIDDLE),
        {
            "liquid tokens only": among(HIGH, MIDDLE, only=pl.col("is_liquid")),
            "bullish calls only": among(HIGH, MIDDLE, only=BULLISH),
            "pooled over weeks (timing counts), plain return": when(
                HIGH, MIDDLE, rows="weekly", value="return_14d", block=FORTNIGHT
            ),
            BEATS: among(HIGH, MIDDLE, value="beats_median_14d"),
            "80 or more less below 20": among(HIGH, pl.col("trader_grade") < 20),
        },
    ),
    Claim(
        "An Investor Grade above 80 beats 60 to 79",
        "Tokens graded 80 or more less tokens of 60 to 80, same week",
        "90-day return less the mean of all tokens with a call",
        "%",
        f"{QUARTER} weeks",
        TRADE_COST,
        among(HIGH_INVESTOR, MIDDLE_INVESTOR, value="excess_90d", block=QUARTER),
        {
            "liquid tokens only": among(
                HIGH_INVESTOR, MIDDLE_INVESTOR, value="excess_90d", block=QUARTER, only=pl.col("is_liquid")
            ),
            "pooled over weeks (timing counts), plain return": when(
                HIGH_INVESTOR, MIDDLE_INVESTOR, rows="weekly", value="return_90d", block=QUARTER
            ),
            BEATS: among(HIGH_INVESTOR, MIDDLE_INVESTOR, value="beats_median_90d", block=QUARTER),
        },
    ),
    Claim(
        "A bullish call beats the market",
        "Bullish calls less all other tokens, same week",
        EXCESS,
        "%",
        f"{FORTNIGHT} weeks",
        TRADE_COST,
        among(BULLISH, ~BULLISH),
        {
            BEATS: among(BULLISH, ~BULLISH, value="beats_median_14d"),
            "liquid tokens only": among(BULLISH, ~BULLISH, only=pl.col("is_liquid")),
            "pooled over weeks (timing counts), plain return": when(
                BULLISH, ~BULLISH, rows="weekly", value="return_14d", block=FORTNIGHT
            ),
        },
    ),
    Claim(
        "A bearish call warns",
        "Bearish calls against all other tokens, same week, sign turned",
        IN_DIRECTION,
        "%",
        f"{FORTNIGHT} weeks",
        TRADE_COST,
        among(BEARISH, ~BEARISH, value="shortfall_14d"),
        {
            "liquid tokens only": among(BEARISH, ~BEARISH, value="shortfall_14d", only=pl.col("is_liquid")),
            "pooled over weeks (timing counts), plain return": when(
                BEARISH, ~BEARISH, rows="weekly", value="fall_14d", block=FORTNIGHT
            ),
        },
    ),
    Claim(
        "A call that turned bullish in the last three days is the time to buy",
        f"Bullish calls that have stood for at most {FRESH_DAYS} closes less those that have stood longer, same week",
        EXCESS,
        "%",
        f"{FORTNIGHT} weeks",
        TRADE_COST,
        among(BULLISH & IS_FRESH, BULLISH & ~IS_FRESH),
        {
            BEATS: among(BULLISH & IS_FRESH, BULLISH & ~IS_FRESH, value="beats_median_14d"),
            "less all other tokens": among(BULLISH & IS_FRESH, ~(BULLISH & IS_FRESH)),
            "on the day of the flip, less all other tokens": among(
                BULLISH & (pl.col("days_standing") == 0), ~(BULLISH & (pl.col("days_standing") == 0)), rows="daily"
            ),
        },
    ),
    Claim(
        "Three to five peers turning bullish helps",
        "Bullish calls with three to five other tokens of the sector that turned bullish within 7 days, less those with two or fewer, same "
        "week; sectors are undated lists (hindsight)",
        EXCESS,
        "%",
        f"{FORTNIGHT} weeks",
        TRADE_COST,
        among(BULLISH & SOME_PEERS, BULLISH & FEW_PEERS),
        {
            BEATS: among(BULLISH & SOME_PEERS, BULLISH & FEW_PEERS, value="beats_median_14d"),
            "three or more": among(BULLISH & (PEERS >= 3), BULLISH & FEW_PEERS),
            "six or more": among(BULLISH & (PEERS >= 6), BULLISH & FEW_PEERS),
            "fresh calls only": among(BULLISH & IS_FRESH & SOME_PEERS, BULLISH & IS_FRESH & FEW_PEERS),
            "pooled over weeks (timing counts), plain return": when(
                BULLISH & SOME_PEERS, BULLISH & FEW_PEERS, rows="weekly", value="return_14d", block=FORTNIGHT
            ),
        },
    ),
    Claim(
        "Volume that confirms the call helps",
        "Bullish calls with volume of 7 days above that of 30 in a week that rose (`is_volume_confirming`) less those without, same week",
        EXCESS,
        "%",
        f"{FORTNIGHT} weeks",
        TRADE_COST,
        among(BULLISH & CONFIRMED, BULLISH & ~CONFIRMED),
        {
            "bearish calls, sign turned": among(BEARISH & CONFIRMED, BEARISH & ~CONFIRMED, value="shortfall_14d"),
            "liquid tokens only": among(BULLISH & CONFIRMED, BULLISH & ~CONFIRMED, only=pl.col("is_liquid")),
            "fresh calls only": among(BULLISH & IS_FRESH & CONFIRMED, BULLISH & IS_FRESH & ~CONFIRMED),
        },
    ),
    Claim(
        "A second bearish call within a week confirms the first",
        f"Flips to bearish that follow another one of the token by at most {AGAIN_DAYS} days, less all other flips to bearish, same week, "
        "sign turned",
        IN_DIRECTION,
        "%",
        f"{FORTNIGHT} weeks",
        TRADE_COST,
        among(
            IS_FLIP_TO_BEARISH & IS_AGAIN,
            IS_FLIP_TO_BEARISH & ~IS_AGAIN.fill_null(value=False),
            rows="daily",
            value="shortfall_14d",
        ),
        {
            "bearish on two Sundays in a row, less the first": among(
                BEARISH & (pl.col("signal_7d_before") == -1),
                BEARISH & (pl.col("signal_7d_before") != -1),
                value="shortfall_14d",
            ),
            "second flips less all tokens that are not bearish": among(
                IS_FLIP_TO_BEARISH & IS_AGAIN, ~BEARISH, rows="daily", value="shortfall_14d"
            ),
        },
    ),
    Claim(
        "Bearish flips sit near highs",
        f"Share of flips to bearish whose close is within {NEAR_EXTREME:.0%} of the highest from {NEAR_DAYS} days before to {NEAR_DAYS} "
        "after, less that share among all other tokens with a call, same week",
        "share near the high",
        "points",
        f"{AROUND} weeks",
        SHARE_THAT_MATTERS,
        among(IS_FLIP_TO_BEARISH, ~IS_FLIP_TO_BEARISH, rows="daily", value="is_near_high", block=AROUND),
        {
            "within 5%": among(
                IS_FLIP_TO_BEARISH, ~IS_FLIP_TO_BEARISH, rows="daily", value="is_nearer_high", block=AROUND
            ),
            "of the 30 days before only": among(
                IS_FLIP_TO_BEARISH, ~IS_FLIP_TO_BEARISH, rows="daily", value="is_near_high_so_far", block=AROUND
            ),
        },
    ),
    Claim(
        "Bullish flips sit near lows",
        f"Share of flips to bullish whose close is within {NEAR_EXTREME:.0%} of the lowest from {NEAR_DAYS} days before to {NEAR_DAYS} "
        "after, less that share among all other tokens with a call, same week",
        "share near the low",
        "points",
        f"{AROUND} weeks",
        SHARE_THAT_MATTERS,
        among(
            BULLISH & (pl.col("days_standing") == 0),
            ~(BULLISH & (pl.col("days_standing") == 0)),
            rows="daily",
            value="is_near_low",
            block=AROUND,
        ),
    ),
    Claim(
        "A broad bearish flip warns of a falling market",
        f"Days on which the share of bearish calls has risen by {BROAD_FLIP * 100:.0f} points or more within 7 days against all other "
        "days; 14-day return of the market by cap from the next day's close, sign turned",
        "market return in 14 days, sign turned",
        "%",
        f"{TRADER_HORIZON_DAYS + 1} days",
        TRADE_COST,
        when(TURNS, ~TURNS, rows="market", value="market_fall_14d", block=TRADER_HORIZON_DAYS + 1),
        {
            "15 points or more": when(
                pl.col("bearish_share_change_7d") >= 0.15,
                pl.col("bearish_share_change_7d") < 0.15,
                rows="market",
                value="market_fall_14d",
                block=TRADER_HORIZON_DAYS + 1,
            ),
            "7 points or more": when(
                pl.col("bearish_share_change_7d") >= 0.07,
                pl.col("bearish_share_change_7d") < 0.07,
                rows="market",
                value="market_fall_14d",
                block=TRADER_HORIZON_DAYS + 1,
            ),
            "median token instead of the market by cap": when(
                TURNS, ~TURNS, rows="market", value="median_fall_14d", block=TRADER_HORIZON_DAYS + 1
            ),
        },
    ),
    Claim(
        "A high grade with low risk is better than a high grade",
        "Tokens graded 80 or more of risk class low less those of the other classes, same week",
        EXCESS,
        "%",
        f"{FORTNIGHT} weeks",
        TRADE_COST,
        among(HIGH & LOW_RISK, HIGH & ~LOW_RISK),
        {
            BEATS: among(HIGH & LOW_RISK, HIGH & ~LOW_RISK, value="beats_median_14d"),
            "share that lost more than 20% in 14 days, sign turned": among(
                HIGH & LOW_RISK, HIGH & ~LOW_RISK, value="is_spared_14d"
            ),
            "Investor Grade, 90 days": among(
                HIGH_INVESTOR & LOW_RISK, HIGH_INVESTOR & ~LOW_RISK, value="excess_90d", block=QUARTER
            ),
            "bullish calls only": among(HIGH & LOW_RISK, HIGH & ~LOW_RISK, only=BULLISH),
        },
    ),
    Claim(
        "Trader and Investor Grade that agree are better than one alone",
        "Tokens with both grades at 80 or more less those with just one of them there, same week",
        EXCESS,
        "%",
        f"{FORTNIGHT} weeks",
        TRADE_COST,
        among(HIGH & HIGH_INVESTOR, HIGH ^ HIGH_INVESTOR),
        {
            BEATS: among(HIGH & HIGH_INVESTOR, HIGH ^ HIGH_INVESTOR, value="beats_median_14d"),
            "90 days": among(HIGH & HIGH_INVESTOR, HIGH ^ HIGH_INVESTOR, value="excess_90d", block=QUARTER),
            "less those with the Trader Grade alone": among(HIGH & HIGH_INVESTOR, HIGH & ~HIGH_INVESTOR),
        },
    ),
    Claim(
        "The biggest grade movers are worth buying",
        f"Tokens whose Trader Grade rose by {RISING_POINTS:.0f} points or more in 7 days less those that moved by "
        f"{STEADY_POINTS:.0f} at most, same week",
        EXCESS,
        "%",
        f"{FORTNIGHT} weeks",
        TRADE_COST,
        among(RISES, STANDS),
        {
            BEATS: among(RISES, STANDS, value="beats_median_14d"),
            "rank within the week instead of the grade, 0.2 and 0.05": among(
                pl.col("rank_change_7d") >= 0.2, pl.col("rank_change_7d").abs() <= 0.05
            ),
            "fell by 20 points or more, sign turned": among(
                pl.col("grade_change_7d") <= -RISING_POINTS, STANDS, value="shortfall_14d"
            ),
        },
    ),
    Claim(
        "Calls of high confidence are right more often",
        "Bullish and bearish calls whose confidence (`calls_confidence`) is at or above the week's median among such calls less those "
        "below, same week; right as the report card has it, from the call's own close",
        "share of calls that were right (barrier passed first)",
        "points",
        f"{FORTNIGHT} weeks",
        SHARE_THAT_MATTERS,
        among(
            SURE, ~SURE, value="is_right", only=(pl.col("signal") != 0) & pl.col("place_in_confidence").is_not_null()
        ),
        {
            "14-day return in the call's direction": among(
                SURE,
                ~SURE,
                value="gain_of_call_14d",
                only=(pl.col("signal") != 0) & pl.col("place_in_confidence").is_not_null(),
            ),
            "probability of the call itself above the week's median": among(
                pl.col("place_in_probability") >= 0.5,
                pl.col("place_in_probability") < 0.5,
                value="is_right",
                only=pl.col("signal") != 0,
            ),
            "top fifth less bottom fifth": among(
                pl.col("place_in_confidence") >= 0.8,
                pl.col("place_in_confidence") < 0.2,
                value="is_right",
                only=pl.col("signal") != 0,
            ),
        },
    ),
)


def findings(panel: Panel, claims: Sequence[Claim] = CLAIMS) -> list[Finding]:
    """Every claim with its effect and verdict, in the order of the claims."""
    effects = [claim.test(panel) for claim in claims]
    adjusted = holm([effect.p_value for effect in effects])
    return [
        Finding(claim, effect, p, verdict(effect, adjusted_p=p, matters=claim.matters))
        for claim, effect, p in zip(claims, effects, adjusted, strict=True)
    ]


def page(panel: Panel, found: Sequence[Finding], code: str, *, picture: str) -> str:
    """The page as Markdown.

    Args:
        panel: Rows of a warehouse with real history.
        found: `findings` of it.
        code: Version of the code.
        picture: Path of the picture of effects, relative to the page.
    """
    tested = [finding for finding in found if finding.effect.p_value is not None]
    alone = [finding for finding in found if _holds_alone(finding)]
    lost = [finding.claim.name for finding in alone if not finding.verdict.startswith("held")]
    return "\n\n".join(
        [
            "# Claims, audited",
            "What sellers of ratings claim, tested on this project's own grades, calls and indices: a claim that holds here holds for "
            f"this product, and one that does not is not made by it. Real history, calls from {FIRST_WEEK} to {panel.until}, every model "
            f"walk-forward; grades and calls are those of the published tables. {_tally(found)} Code {code}.",
            f"![Effects with 95 % intervals]({picture})",
            RULES.format(
                cost=f"{TRADE_COST:.1%}",
                share=f"{SHARE_THAT_MATTERS * 100:.0f}",
                tests=len(tested),
                expected=f"{0.05 * len(tested):.1f}",
                alone=len(alone),
                lost=f" ({'; '.join(lost)})" if lost else "",
            ),
            "## Verdicts\n\n" + markdown_table(pl.DataFrame([_row(finding) for finding in found])),
            "## How each was tested\n\n"
            + "\n".join(
                f"- **{finding.claim.name}.** {finding.claim.tested}. Blocks of {finding.claim.block}; an effect below "
                f"{finding.claim.matters * 100:.2g} {finding.claim.unit} does not matter."
                for finding in found
            ),
            "## Other definitions\n\nThe same claims under other definitions. They decide nothing and no correction is made for them: with "
            "so many lines, one of twenty lies outside 0 by luck alone. Effects and bounds are in hundredths: % of a return, points of a "
            "share.\n\n" + markdown_table(_variant_rows(panel, found)),
            READING,
            "## What limits this\n\n" + _limits(panel),
        ]
    )


def _holds_alone(finding: Finding) -> bool:
    return finding.effect.low is not None and finding.effect.low > 0


def _tally(found: Sequence[Finding]) -> str:
    counts = {name: sum(finding.verdict == name for finding in found) for name in Verdict.__args__}  # type: ignore[attr-defined]  # a Literal lists its values
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f"Of {len(found)} claims: **{said}**."


def _row(finding: Finding) -> dict[str, str | int]:
    effect = finding.effect
    return {
        "claim": finding.claim.name,
        "effect is": finding.claim.outcome,
        "claimed": f"{effect.claimed:,}",
        "others": f"{effect.others:,}" if effect.others else "",
        "periods": effect.periods,
        "mean of claimed": _in_hundredths(effect.claimed_mean),
        "of others": _in_hundredths(effect.others_mean),
        "effect": f"{_in_hundredths(effect.estimate)} {finding.claim.unit}",
        "95 % interval": _bounds(effect),
        "p": _p(effect.p_value),
        "p (Holm)": _p(finding.adjusted_p),
        "verdict": finding.verdict,
    }


def _variant_rows(panel: Panel, found: Sequence[Finding]) -> pl.DataFrame:
    rows = []
    for finding in found:
        for name, test in finding.claim.variants.items():
            effect = test(panel)
            rows.append(
                {
                    "claim": finding.claim.name,
                    "instead": name,
                    "claimed": f"{effect.claimed:,}",
                    "periods": effect.periods,
                    "effect, hundredths": _in_hundredths(effect.estimate),
                    "95 % interval": _bounds(effect),
                }
            )
    return pl.DataFrame(rows)


def _bounds(effect: Effect) -> str:
    if effect.low is None or effect.high is None:
        return "too few periods"
    return f"{_in_hundredths(effect.low)} to {_in_hundredths(effect.high)}"


def _in_hundredths(value: float) -> str:
    return "" if math.isnan(value) else f"{value * 100:+.2f}"


def _p(value: float | None) -> str:
    return "" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def _limits(panel: Panel) -> str:
    weekly = panel.weekly
    known = 1 - weekly["return_14d"].null_count() / max(weekly.height, 1)
    sideways = panel.windows.filter(pl.col("market_90d").is_between(-SIDEWAYS, SIDEWAYS))
    episodes = _episodes(sideways)
    origins = ", ".join(f"{count:,} {origin}" for origin, count in panel.origins.items())
    return (
        f"- The daily calls by origin: {origins}. A backfilled call was made by the model in force on its day, which had seen nothing "
        "later, but nobody could have read it then; the report card will say of published calls what this page says of these.\n"
        f"- Four and a half years are few: there are {sideways.height} sideways windows of 90 days, in {episodes} runs of weeks, and "
        "windows of neighbouring weeks share most of their days.\n"
        f"- {known:.1%} of the calls on a Sunday have a known return of 14 days; the rest end with a data feed, not with the token. A "
        "token whose price stops is sold at its last price, or lost where it was not traded.\n"
        "- Sectors are undated lists, so peers and themes are hindsight in part.\n"
        "- The effects are of equal-weighted tokens before costs, except those of indices, which are after costs; one trade in and out at "
        f"30 basis points a side costs {TRADE_COST:.1%}.\n"
        "- Not shown is not refuted: an interval that reaches from a loss to a gain worth having says that this history cannot tell."
    )


def _episodes(windows: pl.DataFrame) -> int:
    """Stretches of windows whose starts are not more than a week apart."""
    starts = windows["period"].sort()
    return 0 if starts.is_empty() else 1 + int((starts.diff().drop_nulls() > timedelta(days=7)).sum())


READING = """## Reading it

- **Mean and median disagree.** The mean return of tokens is made by the few that multiply. Bullish calls and high grades beat the median of
  their week more often (see `share of tokens that beat the week's median` above) and are not shown to earn more on average: who shows hit
  rates and who shows mean returns can say the opposite of the same grades. How often calls are right is on the page of the
  [calls](calls.md), how well grades rank on that of the [grades](ranking.md).
- **The AI index** owes its lead to falling markets, in which it holds stablecoins. In sideways ones the lead is smaller, and among so many
  tests luck could explain it; the thematic AI indices lead there more clearly, on sectors that are hindsight. What one can know beforehand
  is only that the market *was* sideways.
- **High grade and low risk** loses more than 20 % less often and earns less on average: calm has its price.
- **Confirmations** by peers, volume or a second call add nothing that this history can show; where many peers had turned, bullish calls
  earned less rather than more.
- **Flips** lie near highs and lows a little more often than other days do. Which close was the high is known 30 days later."""

RULES = """## The rule, stated beforehand

The claims, their tests and the smallest effects that matter were committed before the first run; what the [calls](calls.md) page says of
confirmations and of grades among bullish calls was known then. Information up to a close, trade at the
next day's close. A week (or day) is one observation; `within the same week` means that the market's own move cancels out. Intervals are
95 %, from the stationary bootstrap in blocks at least as long as the outcome (14 days or more). Effects are turned so that positive
speaks for the claim.

- **held**: the whole interval is above 0, and so it remains when all {tests} tests are counted (Holm, 5 % for the page as a whole);
- **held, too small to use**: likewise, but the whole interval lies below what matters ({cost} of return, the cost of one trade in and out;
  {share} points of a share);
- **refuted**: not held, and the whole interval lies below what matters;
- **not shown**: anything else.

Multiple testing: of {tests} tests of claims without any truth, {expected} would lie outside 0 on either side by luck. {alone} lie above 0
on their own; the correction takes back those that luck could explain{lost}."""
