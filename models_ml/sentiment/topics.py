"""Topics of headlines: ETF, regulation, hack, listing, unlock, partnership; a title may have several, or none.

Belongs here: the words that make a topic, and those that only look like it. Does not: tokens (`mentions.py`).

Rules and no model: a title holds some ten words, the six topics have words of their own, and a rule can be read by whoever
wonders about a tag. How well they do is measured in `docs/results/headline-topics.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl


@dataclass(frozen=True)
class Topic:
    """One topic.

    Attributes:
        name: Its name; the column of its tag is `is_<name>`.
        means: What a headline of the topic reports.
        words: Regular expression that finds it.
        never: Phrases taken out of the title before, because they look like the topic and are not.
    """

    name: str
    means: str
    words: str
    never: str = ""

    @property
    def column(self) -> str:
        """Name of the tag's column."""
        return f"is_{self.name}"

    def tag(self, title: pl.Expr) -> pl.Expr:
        """Whether titles have the topic; null for a missing title."""
        seen = title.str.replace_all(self.never, " ") if self.never else title
        return seen.str.contains(self.words).alias(self.column)


_AMOUNT: Final = r"(?:(?:\$|usd )?[\d.,]+\s?(?:k|m|b|million|billion|%)\w* ?)"


def _any(*phrases: str) -> str:
    """Regular expression of whole words in any case; write `(?-i:..)` around what must keep its case."""
    return rf"(?i)\b(?:{'|'.join(phrases)})\b"


ETF: Final = Topic(
    "etf",
    "exchange-traded funds and products: filed, approved, refused, launched, bought, sold",
    _any(r"etfs?", r"(?-i:ETPs?|ETNs?)", r"exchange[- ]traded (?:funds?|products?|notes?)"),
)

REGULATION: Final = Topic(
    "regulation",
    "what authorities, lawmakers and courts do about crypto: rules, bans, licences, taxes, probes, charges, suits, sanctions",
    _any(
        r"(?-i:SEC|CFTC|FCA|FINMA|BaFin|ESMA|FATF|IRS|FinCEN|OFAC|DOJ|FTC|FDIC|OCC|MAS|SEBI|RBI|ECB|AML|KYC|AG)(?:'s)?",
        r"(?-i:MiC[Aa]|FSA|FSC|CSRC|NYDFS|FBI|IOSCO|MPs?)(?:'s)?",
        r"(?:un|de)?regulat\w*|legislat\w*|legali[sz]\w*|illegal\w*|outlaw\w*|criminali[sz]\w*",
        r"laws?|lawmakers?|lawsuits?|senators?|senate|congress\w*|parliament\w*|ministers?|ministry|commissioners?",
        r"judges?|courts?|hearings?|bans?|banned|banning|moratorium|licen[cs](?:e[ds]?|ing)|authori[sz](?:es|ed|ation)",
        r"compliance|tax(?:es|ed|ation)?|sanction(?:s|ed)?|subpoena\w*|crackdowns?|cracks? down|prosecut\w*|indict\w*",
        r"arrest(?:s|ed)?|sue[sd]?|suing|charged with|class action|fined?|fines|authorities|police|oversight|probes?",
        r"legal (?:action|challenge|battle|case|threat|clarity|tender)|securities law|watchdogs?|executive order",
        r"treasury (?:department|secretary)|us treasury|central bank (?:warns|bans|governor)|policymakers?|draft bill",
        r"bill (?:to|would|that)|(?:crypto|stablecoin|bitcoin|infrastructure|mining) bills?",
    ),
    never=_any(
        r"prime ministers?|law enforcement|courting|self[- ]regulat\w*|in[- ]laws?|fine[- ]tun\w*|fine art",
        r"(?:moore|metcalfe|murphy|zipf|power|reed)'?s? laws?",
        r"tax (?:services?|software|firms?|apps?)|compliance (?:tools?|software|firms?|startups?)",
    ),
)

HACK: Final = Topic(
    "hack",
    "break-ins and thefts by attackers, and what becomes of the loot; fraud by the makers themselves is none",
    _any(
        r"hack(?:s|ed|ers?|ing)?|exploit(?:s|ed|ers?|ing)?|stolen|steals?|stole|thefts?|heists?|loot(?:ed)?|attackers?",
        r"(?:flash[- ]loan|phishing|51%|sybil|cyber|ransomware|governance|oracle|bridge|malware|ddos|defi) ?attacks?",
        r"phishing|ransomware|malware|breach(?:ed|es)?|compromised",
        r"drain(?:s|ed)? (?:of )?(?:\$|usd|\w+ (?:million|wallets?))|(?:funds|wallets?|pools?|bridge|protocol|million) drained",
    ),
    never=_any(
        r"hack-?a-?thons?|hacker ?(?:house|earth|noon)s?|(?:growth|life|bio)[- ]?hack\w*|hack (?:vc|summit)",
        r"exploit(?:s|ing)? (?:the )?(?:trend|opportunit\w+|potential|volatility|momentum|hype|arbitrage)",
        r"(?:steals?|stole|stealing) (?:the )?(?:show|spotlight|limelight|thunder|hearts?|march|headlines)",
        r"breach(?:es|ed)? (?:the )?(?:\$|usd|key|support|resistance|level|all-time)[\w$,.]*|contract breach|brain drain\w*",
    ),
)

LISTING: Final = Topic(
    "listing",
    "a token becomes tradable on an exchange, or ceases to be; shares, funds and NFTs do not count",
    _any(
        r"(?:re|de)-?list(?:s|ed|ing|ings)?|(?:to|will|may|could|now|just|officially) list",
        r"listings?|lists|listed (?:on|at|by)|gets? listed",
        r"adds? support for (?:\w+ )?trading|(?:opens?|starts?|begins?|enables?|resumes?) (?:spot )?trading (?:of|in|for)",
        r"(?:suspends?|halts?|ends?|stops?) (?:spot )?trading (?:of|in|for)",
    ),
    never=_any(
        r"(?:nasdaq|nyse|asx|lse|exchange|stock|publicly|us|uk|public|dual|tsx|otc|hong kong|london)[- ]listed",
        r"listed (?:companies|company|firms?|miners?|entities|stocks?|shares|funds?|on (?:the )?(?:nasdaq|nyse|asx|london))",
        r"(?:nasdaq|nyse|stock|public|direct|spac|stock exchange|share|ipo|asx|us|dual)[- ](?:market )?listings?",
        r"list(?:s|ed|ing|ings)? (?:\S+ ){0,5}(?:etfs?|etps?|etns?|shares|stock|nfts?|on (?:the )?(?:nasdaq|nyse))",
        r"nfts? (?:de)?listings?|(?:nft|opensea|inactive)[^.,;:]{0,25} (?:de)?list(?:ings?|s|ed)?",
        r"(?:real estate|property|house|job) listings?|[a-z]-list|list of",
        r"(?:watch|black|white|wait|short|guest|play|bucket|allow|rich|wish|check)[- ]?list(?:s|ed|ing)?",
        r"lists? (?:\d+|some|top|five|ten|three|his|her|their|its) (?:fake|reasons?|risks?|ways|predictions|things|demands)",
    ),
)

UNLOCK: Final = Topic(
    "unlock",
    "locked or vesting tokens come free",
    _any(
        rf"tokens? unlock(?:s|ed|ing)?|unlock(?:s|ed|ing)? (?:of )?{_AMOUNT}?(?:of )?(?:\S+ )?{{0,2}}tokens?",
        rf"unlock(?:s|ed|ing)? (?:of )?(?:over |about |some |nearly )?{_AMOUNT}",
        r"(?:cliff|upcoming|scheduled|major|massive|large|supply|linear|investor|team|monthly|weekly) unlocks?",
        r"vesting (?:cliffs?|schedules?|periods?|contracts?|ends?|begins?|unlocks?)|vested tokens?|vesting tokens?",
        r"lock-?up (?:periods? )?(?:expir\w+|ends?|ending|over)|end of (?:the )?lock-?ups?|cliff (?:ends?|ahead|looms?)",
        r"unlock (?:event|date|schedule|calendar)s?",
    ),
    never=_any(
        r"unlock(?:s|ed|ing)? (?:\S+ ){0,5}(?:liquidity|potential|value|power|doors?|growth|opportunit\w+|innovation|access)",
        r"(?:wallet|phone|iphone|device|face|software) unlock\w*",
    ),
)

PARTNERSHIP: Final = Topic(
    "partnership",
    "two firms or projects agree to work together",
    _any(
        r"partners? (?:with|up)|partnered|partnering|partnerships?|teams? up|teamed up|teaming up|join(?:s|ed|ing)? forces",
        r"(?:custody|banking|payments?|official|strategic|exclusive|launch|liquidity|technology|crypto) partners?",
        r"joint venture|alliances?|collab(?:s|orat(?:e|es|ed|ing|ion|ions))?|taps \S.* (?:as|to|for)",
        r"ink(?:s|ed|ing)? (?:\S+ ){0,4}(?:deals?|agreements?|pacts?)",
        r"sign(?:s|ed) (?:\S+ ){0,4}(?:deal|agreement|pact|mou) with",
    ),
    never=_any(
        r"(?:general|managing|founding|senior|former|venture|ex-?|limited) partners?",
        r"(?:ends?|ended|terminate[sd]?|cuts?|drops?|halts?) (?:its |their |the )?partnerships?",
    ),
)

TOPICS: Final = (ETF, REGULATION, HACK, LISTING, UNLOCK, PARTNERSHIP)


def tag_topics(titles: pl.Series) -> pl.DataFrame:
    """Tag titles with their topics.

    Args:
        titles: Headlines; nulls allowed.

    Returns:
        One row per title in the same order, a boolean column `is_<topic>` for each of `TOPICS`; null for a missing title.

    Example:
        >>> tag_topics(pl.Series(["Upgrade unlocks potential", "SEC delays spot ETF"])).rows()
        [(False, False, False, False, False, False), (True, True, False, False, False, False)]
    """
    title = pl.col("title").str.replace_all("[\u2018\u2019]", "'").str.replace_all(r"\s+", " ")
    return pl.DataFrame({"title": titles.cast(pl.String)}).select(topic.tag(title) for topic in TOPICS)


def topics_of(title: str) -> tuple[str, ...]:
    """Names of one title's topics, in the order of `TOPICS`.

    Example:
        >>> topics_of("Hackers drain $80M from lending pool; SEC opens probe")
        ('regulation', 'hack')
    """
    row = tag_topics(pl.Series([title])).row(0)
    return tuple(topic.name for topic, has in zip(TOPICS, row, strict=True) if has)
