"""Tokens that headlines mention, by name or ticker.

Belongs here: what counts as a mention, and the words that are names of tokens and of other things too.
Does not: topics (`topics.py`).

A name counts where it begins with a capital, or is written as the token writes it. A name that is an ordinary word (Near,
Flow, Compound) counts only where a word behind it says that the token or its chain is meant (`Near Protocol`). A ticker
counts as `$SUI` and `(SUI)`, and bare where it has at least three letters, stands in capitals in a title that is not all
capitals, and is no word or abbreviation of its own. A ticker that is a word (ONE, NEAR, LINK) counts bare only with context: with a
word behind it that tells (`ONE token`), in a row with another ticker (`SOL, NEAR`) or, but for the commonest words, inside a title
about prices or about another token. A ticker that several tokens share belongs to the first of them, so give the largest first.
"""

from __future__ import annotations

from typing import Final

import polars as pl

LONGEST_NAME_WORDS: Final = 4
SHORTEST_BARE_TICKER: Final = 3
FEWEST_SMALL_WORDS: Final = 2
"""Words with small letters that a title must have for its capitals to mean something."""

# fmt: off
AMBIGUOUS_NAMES: Final = frozenset({
    "about", "ai", "akash", "alien", "amp", "any", "ape", "arc", "ark", "astar", "atlas", "aurora", "avalanche",
    "axis", "band", "base", "beam", "bella", "bit", "blast", "bloom", "blur", "bonk", "book", "bounce", "brett",
    "bridge", "canto", "cat", "celer", "centrifuge", "chain", "change", "civic", "coin", "comp", "compound", "core",
    "cream", "cult", "curve", "cyber", "dash", "data", "dao", "diamond", "dog", "echo", "edge", "ego", "elastic",
    "element", "energy", "ether", "everest", "exchange", "fetch", "fire", "flare", "flex", "flow", "flux", "force",
    "fortress", "forward", "free", "fusion", "gains", "gala", "galaxy", "gas", "gate", "gem", "giant", "gold",
    "grass", "gravity", "grid", "harmony", "hive", "hook", "hop", "humanity", "icon", "idea", "impossible", "index",
    "internet", "joe", "join", "jupiter", "just", "key", "kite", "lava", "level", "linear", "link", "liquid", "loom",
    "loop", "lumen", "lunar", "magic", "maker", "mantle", "mantra", "maple", "mask", "matrix", "maverick", "max",
    "meme", "merit", "metal", "mina", "mint", "mirror", "moon", "near", "nano", "neon", "neo", "nest", "nexus",
    "nice", "nine", "ocean", "omni", "one", "open", "optimism", "oracle", "orbit", "orchid", "order", "origin",
    "peak", "people", "perpetual", "photon", "plasma", "play", "pocket", "portal", "power", "prime", "protocol",
    "pulse", "quant", "radiant", "render", "request", "reserve", "ribbon", "ripple", "rock", "rocket", "rose",
    "route", "safe", "sandbox", "secret", "seed", "sentinel", "sign", "sky", "smooth", "solar", "sonic", "spell",
    "spectral", "stacks", "star", "stargate", "status", "step", "storm", "strike", "sun", "swell", "swipe", "sync",
    "synapse", "tally", "team", "threshold", "time", "token", "top", "trace", "tribe", "trump", "trust", "truth",
    "turbo", "unity", "venus", "verge", "virtual", "vision", "volt", "wallet", "wave", "waves", "wing", "wink",
    "wonderland", "world", "yield", "zero", "zest", "zip",
})
# fmt: on
"""Names in lower case that news use for other things as well, in capitals or not."""

# fmt: off
AMBIGUOUS_TICKERS: Final = frozenset({
    "AI", "ALL", "AMP", "ANY", "APE", "API", "APP", "APY", "ARK", "ATH", "ATM", "AUD", "BAN", "BIG", "BIT", "BUY",
    "CAD", "CAR", "CAT", "CEO", "CEX", "CHF", "CNY", "COIN", "CPI", "CTO", "DAO", "DAM", "DATA", "DEX", "DOG", "DOJ",
    "ECB", "EDU", "ESG", "ETF", "ETFS", "ETP", "ETN", "EUR", "FBI", "FED", "FOMC", "FTC", "FTX", "FUD", "FUN", "GAS",
    "GBP", "GDP", "GEM", "GMT", "GPU", "HOT", "HODL", "ICO", "IMF", "IPO", "IRS", "JPY", "KEY", "KYC", "LAW", "LLC",
    "LOVE", "LTD", "MAX", "MEME", "MEN", "MLB", "MMA", "MOON", "NBA", "NFL", "NFT", "NFTS", "NOT", "NOW", "NYC",
    "NYSE", "OCC", "ONE", "OPEN", "OTC", "PAY", "POW", "PRE", "RBI", "RED", "ROI", "SEC", "SPAC", "SUN", "TAX",
    "TIME", "TOP", "TRUST", "UAE", "UFC", "USA", "USD", "VIP", "WAR", "WEB", "WEF", "WIN", "WIRE", "YES", "YOU",
    "ZERO",
})
# fmt: on
"""Tickers in capitals that are abbreviations or words of their own; a bare one counts only where it is also in `WORD_TICKERS`."""

# fmt: off
WORD_TICKERS: Final = frozenset({
    "ACE", "ACT", "ALICE", "ANIME", "ANY", "APE", "AUCTION", "AUDIO", "AVAIL", "BABY", "BANANA", "BAND", "BAT", "BEAM", "BIG", "BLAST",
    "BLUR", "BOB", "BOLD", "BONE", "BUCK", "CAKE", "CAT", "COMP", "COOKIE", "CORE", "COW", "CROSS", "CYBER", "DASH", "DEEP", "DEGEN",
    "DENT", "DOG", "DOGS", "DOT", "DRIFT", "ELF", "FLOW", "FLUID", "FLUX", "FORT", "FORTH", "FUEL", "FUN", "GAME", "GAS", "GEMS", "GOAT",
    "GODS", "GRASS", "GREEN", "GUN", "HEART", "HIVE", "HOLD", "HOME", "HONEY", "HOOK", "HOT", "HUNT", "HYPE", "HYPER", "ICE", "IMAGE",
    "JOE", "JUST", "KEEP", "KEY", "LAYER", "LINK", "LIT", "LOVE", "MAGIC", "MASK", "MED", "MEME", "META", "METAL", "MOON", "MOVE",
    "MYTH", "NEAR", "NOBODY", "NOT", "OCEAN", "ONE", "OPEN", "PEOPLE", "PIN", "PIXEL", "PRIME", "PRO", "PROMPT", "PUFF", "RAD", "RAIL",
    "RARE", "RAY", "REAL", "RED", "REKT", "RENDER", "ROAM", "ROSE", "RUNE", "SAFE", "SAGA", "SAND", "SEND", "SHELL", "SIGN", "SKY",
    "SOLO", "SONIC", "SPELL", "STRIKE", "SUN", "SUPER", "SYRUP", "TAG", "TALE", "TEMPLE", "TIME", "TOKEN", "TON", "TREE", "TRIBE",
    "TRIP", "TRUMP", "TURBO", "UNI", "USELESS", "USUAL", "VINE", "WAVES", "WELL", "WHITE", "WILD", "WIN", "WOLF", "WOO", "ZEN",
})
# fmt: on
"""Tickers that are words. Those that are in `AMBIGUOUS_TICKERS` too need a neighbour that tells."""

_WORD: Final = r"[A-Za-z0-9][A-Za-z0-9.]*[A-Za-z0-9]|[A-Za-z0-9]"
_TELLING: Final = (
    "protocol", "network", "blockchain", "chain", "token", "tokens", "coin", "finance", "foundation", "labs", "mainnet",
    "price", "ecosystem", "dao", "swap", "holders", "validators", "developers", "staking",
)  # fmt: skip
"""Words that, right behind an ordinary word, make it a token's name."""
_PRICES: Final = (
    r"(?i)\b(?:prices?|tokens?|coins?|altcoins?|cryptos?|rall(?:y|ies|ied)|rise[sn]?|rising|surge[sd]?|soar(?:s|ed)?|gain(?:s|ed|ers?)?|"
    r"drop(?:s|ped)?|dip(?:s|ped)?|dump(?:s|ed)?|pump(?:s|ed)?|plunge[sd]?|bull(?:s|ish)?|bear(?:s|ish)?|buy(?:s|ing)?|sell(?:s|ing)?|"
    r"bought|sold|hodl\w*|holders?|stak(?:e[ds]?|ing)|bags?|market ?cap|support|resistance|traders?|trading)\b|\d ?%|\$\d"
)
"""What a title about prices has."""


def find_mentions(titles: pl.DataFrame, tokens: pl.DataFrame) -> pl.DataFrame:
    """Find the tokens each title mentions.

    Args:
        titles: One row per headline: article_id, title (no nulls).
        tokens: One row per token, the largest first: coin_id, name, symbol.

    Returns:
        One row per headline and token it mentions: article_id, coin_id; ordered by both, each pair once.
    """
    words = _words(titles)
    named = _by_name(words, tokens)
    found = pl.concat([named, _by_ticker(titles, words, tokens, named)])
    return found.unique().sort("article_id", "coin_id")


def _words(titles: pl.DataFrame) -> pl.DataFrame:
    """One row per word of a title: article_id, place, word, next_word in lower case."""
    return (
        titles.select("article_id", word=pl.col("title").str.extract_all(_WORD))
        .explode("word")
        .drop_nulls("word")
        .with_columns(place=pl.int_range(pl.len()).over("article_id"))
        .with_columns(lower=pl.col("word").str.to_lowercase())
    )


def _by_name(words: pl.DataFrame, tokens: pl.DataFrame) -> pl.DataFrame:
    names = (
        tokens.select(
            "coin_id",
            name=pl.col("name").str.extract_all(_WORD).list.join(" ").str.to_lowercase(),
            begins_small=pl.col("name").str.contains(r"^[a-z]"),
        )
        .filter(pl.col("name").str.len_chars() >= 3)
        .unique("name", keep="first", maintain_order=True)
    )
    in_title = pl.col("lower")
    following = [in_title.shift(-step).over("article_id", order_by="place") for step in range(LONGEST_NAME_WORDS + 1)]
    runs = []
    for length in range(1, LONGEST_NAME_WORDS + 1):
        run = words.with_columns(
            name=pl.concat_str(following[:length], separator=" ", ignore_nulls=False), behind=following[length]
        )
        runs.append(run.drop_nulls("name"))
    matched = pl.concat(runs).join(names, on="name")
    is_ordinary = pl.col("name").is_in(list(AMBIGUOUS_NAMES))
    is_written_so = pl.col("word").str.contains(r"^[A-Z0-9]") | pl.col("begins_small")
    is_told = pl.col("behind").is_in(list(_TELLING)).fill_null(value=False)
    return matched.filter(is_written_so & (~is_ordinary | is_told)).select("article_id", "coin_id")


def _by_ticker(titles: pl.DataFrame, words: pl.DataFrame, tokens: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    tickers = (
        tokens.select("coin_id", ticker=pl.col("symbol").str.to_uppercase())
        .filter(pl.col("ticker").str.contains(r"^[A-Z0-9]{2,10}$"))
        .unique("ticker", keep="first", maintain_order=True)
    )
    marked = (
        titles.select(
            "article_id",
            ticker=pl.concat_list(
                pl.col("title").str.extract_all(r"\$[A-Za-z][A-Za-z0-9]{1,9}\b"),
                pl.col("title").str.extract_all(r"\([A-Z0-9]{2,10}\)"),
            ),
        )
        .explode("ticker")
        .drop_nulls("ticker")
        .with_columns(pl.col("ticker").str.replace_all(r"[$()]", "").str.to_uppercase())
    )
    is_plain = _is_capital() & ~pl.col("word").is_in([*WORD_TICKERS, *AMBIGUOUS_TICKERS])
    has_small_words = pl.col("title").str.count_matches(r"[a-z]{2,}") >= FEWEST_SMALL_WORDS
    calm = titles.filter(has_small_words).select("article_id", about_prices=pl.col("title").str.contains(_PRICES))
    in_calm = words.join(calm, on="article_id").with_columns(
        is_plain=is_plain & pl.col("word").is_in(tickers["ticker"].to_list())
    )
    plain = in_calm.filter("is_plain").select("article_id", ticker="word")
    others = pl.concat([frame.select("article_id") for frame in (named, marked, plain)])["article_id"].unique()
    found = pl.concat([marked, plain, _word_tickers(in_calm, others)])
    return found.join(tickers, on="ticker").select("article_id", "coin_id")


def _is_capital() -> pl.Expr:
    return pl.col("word").str.contains(r"^[A-Z][A-Z0-9]*$") & (pl.col("word").str.len_chars() >= SHORTEST_BARE_TICKER)


def _word_tickers(words: pl.DataFrame, others: pl.Series) -> pl.DataFrame:
    """Tickers that are words, where the context tells: article_id, ticker.

    Args:
        words: Words of calm titles with is_plain (whether it is a ticker and no word) and about_prices.
        others: Titles that mention a token in another way.
    """
    ordered = words.sort("article_id", "place")
    before, behind = (pl.col("is_plain").shift(step).over("article_id", order_by="place") for step in (1, -1))
    is_told = (
        pl.col("lower").shift(-1).over("article_id", order_by="place").is_in(list(_TELLING)).fill_null(value=False)
    )
    in_a_row = (before | behind).fill_null(value=False)
    is_about_tokens = pl.col("about_prices") | pl.col("article_id").is_in(others.to_list())
    has_context = is_told | in_a_row | (is_about_tokens & ~pl.col("word").is_in(list(AMBIGUOUS_TICKERS)))
    is_word = _is_capital() & pl.col("word").is_in(list(WORD_TICKERS))
    return ordered.filter(is_word & has_context).select("article_id", ticker="word")
