"""The picks of the week with their evidence, plan and open questions, and what came of every pick before them."""

from __future__ import annotations

import json
from typing import Any

from orchestration.site.formats import change, day, number, percent, yes_no
from orchestration.site.pages import Page
from orchestration.site.reading import Published
from orchestration.site.tables import Column, sign, table

ITEMS = {
    "is_grade_high": "Grade of 85 or more",
    "is_momentum_surging": "Momentum surges",
    "is_narrative_early": "Its sector comes into rotation",
    "is_community_growing": "Community grows",
    "is_developer_activity_rising": "Developers are more active",
    "is_large_holder_inflow": "Large holders add",
    "is_volume_surging_with_price": "Volume surges with the price",
    "is_bullish_repeated": "Several bullish calls within a week",
    "is_newly_listed": "Newly listed",
    "is_free_of_major_unlock": "No major unlock in 30 days",
}
SHOWN_OUTCOMES = 200


def moonshots(copy: Published) -> Page:
    """The page."""
    picks = copy.rows(
        """select moonshots.*, tokens.name from api.moonshots as moonshots left join api.tokens as tokens using (token_id)
        where as_of_week = $week order by rank""",
        week=copy.week,
    )
    return Page(
        path="moonshots.html",
        title="Moonshot screen",
        template="moonshots.html",
        section="Moonshots",
        context={
            "picks": [_pick(copy, row) for row in picks],
            "records": copy.rows("select * from api.moonshot_record order by origin desc"),
            "outcomes": _outcomes(copy),
            "rejected": _rejected(copy),
        },
    )


def _pick(copy: Published, row: dict[str, Any]) -> dict[str, Any]:
    evidence = json.loads(row["evidence"])
    answers = [
        {
            "item": title,
            "answer": yes_no(row[name]),
            "date": evidence[name].get("date"),
            "values": ", ".join(
                f"{key} {_plain(value)}" for key, value in evidence[name]["values"].items() if value is not None
            ),
            "rule": evidence[name]["threshold"],
        }
        for name, title in ITEMS.items()
        if name in evidence
    ]
    return {
        **row,
        "page": copy.page_of_token(row["token_id"]),
        "card": {"note": None, **json.loads(row["research_card"])},
        "checklist": table(
            f"checklist-{row['rank']}",
            f"{row['checks_true']} of {row['checks_known']} known items hold, of {len(answers)}.",
            answers,
            [
                Column("Item", "item"),
                Column("Holds", "answer"),
                Column("Known on", "date", str),
                Column("Figures", "values", is_prose=True),
                Column("Rule", "rule", is_prose=True),
            ],
        ),
        "targets": [
            (row[f"target_{place}_usd"], row[f"target_{place}_share"])
            for place in (1, 2, 3)
            if row[f"target_{place}_usd"] is not None
        ],
    }


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _outcomes(copy: Published) -> Any:
    rows = copy.rows(
        """with controls as (
            select as_of_week, pick_token_id, avg(return_90d) as controls_return_90d, avg(is_success::int) as controls_hits
            from api.moonshot_outcomes where role = 'control' group by as_of_week, pick_token_id
        )
        select picks.*, controls_return_90d, controls_hits from api.moonshot_outcomes as picks
        left join controls on picks.as_of_week = controls.as_of_week and picks.token_id = controls.pick_token_id
        where role = 'pick' order by picks.as_of_week desc, rank limit $shown""",
        shown=SHOWN_OUTCOMES,
    )
    return table(
        "outcomes",
        f"Every pick, open and past, newest first (at most {SHOWN_OUTCOMES}; all are in api.moonshot_outcomes). "
        "Success is three closes in a row at twice the entry or above within 90 days; a token whose prices stop has failed.",
        rows,
        [
            Column("Week", "as_of_week", day),
            Column("Rank", "rank", number, is_number=True),
            Column("Token", "symbol", link=lambda row: copy.page_of_token(row["token_id"])),
            Column("Status", "status"),
            Column("2x", "is_success", yes_no, tone=lambda value: "good" if value else ""),
            Column("7 days", "return_7d", change, is_number=True, tone=sign),
            Column("30 days", "return_30d", change, is_number=True, tone=sign),
            Column("90 days", "return_90d", change, is_number=True, tone=sign),
            Column("Its controls, 90 days", "controls_return_90d", change, is_number=True, tone=sign),
            Column("Best", "best_excursion", change, is_number=True),
            Column("Worst", "worst_excursion", change, is_number=True),
            Column("Origin", "origin"),
        ],
        is_searchable=True,
    )


def _rejected(copy: Published) -> Any:
    rows = copy.rows(
        """select place, token_id, symbol, p_2x_90d, score, exclusion_reasons from api.moonshot_candidates
        where as_of_week = $week and not is_pick order by place""",
        week=copy.week,
    )
    return table(
        "rejected",
        "The best tokens of the universe that were not picked, and why.",
        rows,
        [
            Column("Place", "place", number, is_number=True),
            Column("Token", "symbol", link=lambda row: copy.page_of_token(row["token_id"])),
            Column("Chance of 2x", "p_2x_90d", percent, is_number=True),
            Column("Why not", "exclusion_reasons", is_prose=True),
        ],
    )
