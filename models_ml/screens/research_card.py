"""The research card of a pick: where to read on, what the pipeline knows, and what only a reader can find out.

Belongs here: which texts from outside may be shown, links made of them, and the open questions.
Does not: collecting links (dbt: dim_token_links), the rationale (`rationale.py`).

**Links are untrusted.** Anybody can register a coin with any homepage. Only http and https addresses with a plain host are shown, no
credentials, no control characters, no overlong ones; a shown link is still nobody's recommendation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from models_ml.screens.rationale import SUBJECTS

LONGEST_LINK, LONGEST_NAME, MOST_OF_A_KIND = 300, 80, 5

EXPLORERS: Final[dict[str, str]] = {
    "ethereum": "https://etherscan.io/token/",
    "binance-smart-chain": "https://bscscan.com/token/",
    "polygon-pos": "https://polygonscan.com/token/",
    "arbitrum-one": "https://arbiscan.io/token/",
    "base": "https://basescan.org/token/",
    "optimistic-ethereum": "https://optimistic.etherscan.io/token/",
    "avalanche": "https://snowtrace.io/token/",
    "solana": "https://solscan.io/token/",
    "tron": "https://tronscan.org/#/token20/",
}
"""Block explorers by chain, as CoinGecko names chains."""

SIMULATED: Final = "simulated"

ALWAYS_OPEN: Final = (
    "Who is behind it, and have they delivered before?",
    "What is the token needed for that a dollar or ether could not do?",
    "Has the contract been audited, can its owner mint, pause or blacklist, and is the pool's liquidity locked?",
    "Who holds the supply that does not circulate, and when may they sell?",
    "Can you sell your size again at the prices shown?",
)
"""Questions that no source of the pipeline answers."""

OPEN_WITHOUT_SOURCE: Final[dict[str, str]] = {
    "is_community_growing": "Is the community growing, and are its members people? No source that is read follows it.",
    "is_developer_activity_rising": "Is anybody working on it? No repository of it is followed.",
    "is_large_holder_inflow": "Who are the largest holders, and are they adding? No reading of holders, or only one so far.",
    "is_newly_listed": "Where is it listed, and since when? No exchange that is read lists new tokens.",
    "is_free_of_major_unlock": "When do the next tokens unlock? No dated schedule of it is read.",
    "is_narrative_early": "Which sector does it belong to? None is known, or the sector is too small to rank.",
    "is_grade_high": "Why does it have no grade? It is outside of the universe that is graded.",
}

_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.IGNORECASE)
_CONTRACT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._/-]{2,127}")
_SUBREDDIT = re.compile(r"[A-Za-z0-9_]{2,30}")
_PLATFORM = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


def safe_link(text: str | None) -> str | None:
    """The address as it may be shown, or None: http or https, a plain host name, no credentials or control characters, not overlong."""
    if text is None:
        return None
    link = text.strip()
    if not link or len(link) > LONGEST_LINK or _CONTROL.search(link) or any(each in link for each in '\\<>"`{}|^'):
        return None
    try:
        parts = urlsplit(link)
        port = parts.port
    except ValueError:  # a port or a host that is none
        return None
    if parts.scheme.lower() not in {"http", "https"} or "@" in parts.netloc or port not in {None, 80, 443}:
        return None
    return link if _HOST.fullmatch(parts.hostname or "") else None


def safe_name(text: str | None) -> str | None:
    """A name without control and direction characters, at most 80 characters long; None where nothing is left."""
    if text is None:
        return None
    name = " ".join(_CONTROL.sub(" ", text).split())[:LONGEST_NAME].strip()
    return name or None


def research_card(row: Mapping[str, Any], links: Iterable[Mapping[str, Any]]) -> str:
    """The card as JSON text.

    Keys: `name`, `sector`, `links` (kind and url; at most five of a kind), `contracts` (platform, address and, where the chain's
    explorer is known, url), `known` (figures of the row that a reader would look up), `unknown` (questions left to the reader),
    `left_out` (number of linked texts that were no safe link), `links_are_hindsight` (whether a shown link is undated and counts as known
    since ever) and, for the simulated market, `note`.

    Args:
        row: One planned pick, with name and data_source.
        links: What is linked to it: kind (homepage, repository, subreddit, contract), platform, value, is_hindsight.
    """
    is_simulated = row["data_source"] == SIMULATED
    shown: list[dict[str, str]] = []
    contracts: list[dict[str, str]] = []
    left_out, hindsight = 0, False
    counts: dict[str, int] = {}
    for link in links:
        entry = _contract(link, with_explorer=not is_simulated) if link["kind"] == "contract" else _link(link)
        if entry is None:
            left_out += 1
            continue
        counts[link["kind"]] = counts.get(link["kind"], 0) + 1
        if counts[link["kind"]] > MOST_OF_A_KIND:
            continue
        hindsight = hindsight or bool(link["is_hindsight"])
        (contracts if link["kind"] == "contract" else shown).append(entry)
    if not is_simulated and ":" not in row["token_id"]:
        page = f"https://www.coingecko.com/en/coins/{quote(row['token_id'], safe='')}"
        shown.insert(0, {"kind": "market page", "url": page})
    unknown = [question for name, question in OPEN_WITHOUT_SOURCE.items() if row[name] is None]
    missing = [kind for kind in ("homepage", "repository") if kind not in counts]
    if missing:
        unknown.append(f"No {' and no '.join(missing)} is known: is there one?")
    if not contracts:
        unknown.append("No contract is known: is it a chain of its own, and which contract would you buy?")
    card: dict[str, Any] = {
        "name": safe_name(row["name"]),
        "sector": safe_name(row["sector"]),
        "links": shown,
        "contracts": contracts,
        "known": _known(row),
        "unknown": [*unknown, *ALWAYS_OPEN],
        "left_out": left_out,
        "links_are_hindsight": hindsight,
    }
    if is_simulated:
        card["note"] = "The market is simulated: names, links and contracts are made up."
    return json.dumps(card, sort_keys=True)


def _link(link: Mapping[str, Any]) -> dict[str, str] | None:
    if link["kind"] == "subreddit":
        name = link["value"].strip()
        return {"kind": "subreddit", "url": f"https://www.reddit.com/r/{name}"} if _SUBREDDIT.fullmatch(name) else None
    url = safe_link(link["value"])
    return {"kind": link["kind"], "url": url} if url is not None else None


def _contract(link: Mapping[str, Any], *, with_explorer: bool) -> dict[str, str] | None:
    platform, address = link["platform"] or "", link["value"].strip()
    if not _PLATFORM.fullmatch(platform) or not _CONTRACT.fullmatch(address):
        return None
    entry = {"platform": platform, "address": address}
    if with_explorer and platform in EXPLORERS:
        entry["url"] = EXPLORERS[platform] + quote(address, safe="")
    return entry


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    figures = {
        "price_usd": row["price_usd"],
        "market_cap_usd": row["market_cap_usd"],
        "volume_30d_median_usd": row["volume_30d_median_usd"],
        "age_days": row["age_days"],
        "volatility_30d": row["volatility_30d"],
        "top_10_holder_share": row["top_10_holder_share"],
        "cliff_unlock_30d_share": row["cliff_unlock_30d_share"],
        "linear_unlock_30d_share": row["linear_unlock_30d_share"],
        "exchange_listed_at": row["exchange_listed_at"],
        "checklist": [
            f"{SUBJECTS[name]}: {'yes' if row[name] else 'no'}" for name in SUBJECTS if row[name] is not None
        ],
    }
    return {name: _plain(value) for name, value in figures.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return value.isoformat() if hasattr(value, "isoformat") else value
