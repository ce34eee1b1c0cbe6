"""Base rates and unlock schedules on real history: each computed a second time, in another and slower way.

The part of the archive: ten coins with a schedule and forty series of CoinMarketCap, dead ones among them, over all days.
"""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from models_ml.screens.base_rates import base_rates
from models_ml.screens.moonshots import MoonshotSettings
from orchestration.lib.base_rate_weeks import finished_windows
from orchestration.lib.bulk_import import import_archive, load_mapping
from orchestration.lib.connections import LAGS
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.landing import LandingStore, read_lags
from orchestration.lib.warehouse import connect
from orchestration.settings import REPOSITORY_ROOT

ARCHIVE = Path(os.environ.get("TIDEMARK_SHARED_DATA", REPOSITORY_ROOT.parent / "shared" / "data"))
WEEK = date(2024, 6, 24)
AS_OF = pd.Timestamp(WEEK) - pd.Timedelta(days=1)

DAY = 86_400

# The newest close is 2024-06-24 00:00 UTC (1,719,187,200), and the calendar reaches to 90 days after it (1,726,963,200).
UNLOCKS = {
    # token: (tokens in 90 days by type, (market cap, price) of 2024-06-23 as CoinGecko has them). Amounts, starts and steps are
    # those of the file; a step of 2,629,743 s is a twelfth of a year, the first one a step after its start.
    #
    # One airdrop on 2024-07-17; the next one, on 2024-09-25, lies beyond.
    "ether-fi": ({"cliff": 58_000_000}, (370_467_674.27, 3.215635297)),
    # Season 2 on 2024-08-26.
    "kamino": ({"cliff": 350_000_000}, (29_712_769.9536, 0.0297047082)),
    # Community: 500 M on 2024-07-30 (1,722,297,600), and 2,000 M evenly over the four years from then on, of which 1,726,963,200 -
    # 1,722,297,600 = 4,665,600 s (54 days) of 1,848,528,000 - 1,722,297,600 = 126,230,400 s (1,461 days) lie in the calendar.
    # Foundation: 1,244 M evenly over 1,840,144,504 - 1,713,916,800 = 126,227,704 s, of which all 90 days.
    "renzo": (
        {
            "cliff": 500_000_000,
            "linear": 2_000_000_000 * 4_665_600 / 126_230_400 + 1_244_000_000 * 90 * DAY / 126_227_704,
        },
        (106_228_762.346, 0.09242392646),
    ),
    # Two sections from 1,710,550,800 on: steps 4, 5 and 6 fall on 2024-07-15, 08-15 and 09-14, step 3 fell on 2024-06-15.
    # Foundation: 750 M over 1,807,920,000 - 1,681,689,600 = 126,230,400 s.
    "arbitrum": (
        {"step": 3 * (56_125_000 + 36_520_833.3333333), "linear": 750_000_000 * 90 * DAY / 126_230_400},
        (2_526_838_734.11, 0.7824072984),
    ),
    # Four sections, three steps of each; the earlier steps of core contributors and investors have ended by 2024-04-12.
    "aptos": (
        {"step": 3 * (3_210_144.66473 + 3_958_333.33333 + 1_333_333.33333 + 2_807_971.67152)},
        (3_036_242_794.23, 6.726664084),
    ),
    # Five sections, three steps each (07-16, 08-16, 09-15); of the launch contributors the 36 steps of 833,333 and 33 of 757,576
    # run side by side.
    "apecoin": (
        {
            "step": 3
            * (277_777.777778 + 7_343_750 + 2_222_222.22222 + 833_333.333333 + 757_575.757576 + 4_166_666.66667)
        },
        (565_872_165.749, 0.9030952263),
    ),
    # Six sections run, three steps each; the thirteen steps of the community pool ended in June 2024: 1,683,072,000 + 13 x 2,629,743
    # = 1,717,258,659 is 2024-06-01.
    "sui": (
        {
            "step": 3
            * (19_999_047.619 + 12_583_333.3333 + 7_392_857.14286 + 14_875_000 + 9_666_666.66667 + 5_773_809.52381)
        },
        (2_135_354_857.93, 0.8800875138),
    ),
    # Four sections of one year, 1,707,860,926 to 1,739,417,852 (31,556,926 s), all 90 days of it.
    "blur": (
        {"linear": (10_800_000 + 351_000_000 + 261_000_000 + 169_200_000) * 90 * DAY / 31_556_926},
        (403_199_305.405, 0.2386119502),
    ),
    # Three sections begin on 2024-07-17 04:48:46 (1,721,191,726) and last 94,670,778 s: 1,726,963,200 - 1,721,191,726 = 5,771,474 s of
    # them. The treasury's 172 M over 1,910,533,282 - 1,689,634,800 = 220,898,482 s have begun before.
    "arkham": (
        {
            "linear": (30_000_000 + 200_000_000 + 175_000_000) * 5_771_474 / 94_670_778
            + 172_000_000 * 90 * DAY / 220_898_482
        },
        (410_076_812.852, 1.765964021),
    ),
    # Three sections end on 2024-09-14 17:15:04 (1,726,334,104): 1,726,334,104 - 1,719,187,200 = 7,146,904 s of 126,227,704 s are left.
    "uniswap": (
        {"linear": (6_900_000 + 180_440_000 + 212_660_000) * 7_146_904 / 126_227_704},
        (7_371_648_154.12, 9.767101324),
    ),
}

DEAD = ["minebee", "cashaa", "agrocoin", "lykke", "atc-coin", "bitguild-plat", "spiking", "donu", "hedgetrade", "vcash"]
"""Series with a cap and volume whose prices stop while others go on."""
OTHERS = """(select slug from (
    select slug, median(volume_24h_usd) as volume, median(market_cap_usd) as cap, count(*) as days
    from '{archive}/candles_daily_cmc.parquet' where source = 'cmc_to_2020' group by slug
) where volume > 2e5 and cap > 2e6 and days > 500 order by hash(slug) limit 28)"""
PARTS = {
    "market_daily_coingecko.parquet": "coin_id in (select unnest($coins))",
    "candles_daily_cmc.parquet": "slug in (select unnest($slugs)) or slug in {others}",
    "assets_coingecko.parquet": "true",
    "asset_categories_coingecko.parquet": "true",
    "asset_contracts_coingecko.parquet": "true",
    "unlocks.parquet": "true",
    "unlocks_protocols.parquet": "true",
}

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not ARCHIVE.is_dir(), reason=f"no archive in {ARCHIVE} (TIDEMARK_SHARED_DATA)"),
]


@pytest.fixture(scope="module")
def real(new_warehouse, tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    with duckdb.connect(config={"threads": 2}) as connection:
        for name, condition in PARTS.items():
            used = {"coins": [*UNLOCKS, "bitcoin", "ethereum"], "slugs": [*DEAD, "bitcoin"]}
            values = {key: value for key, value in used.items() if f"${key}" in condition}
            chosen = condition.format(others=OTHERS.format(archive=ARCHIVE))
            connection.execute(f"select * from '{ARCHIVE}/{name}' where {chosen}", values).pl().write_parquet(
                folder / name
            )
    warehouse = new_warehouse()
    import_archive(
        load_mapping(REPOSITORY_ROOT / "orchestration" / "mappings" / "shared_data.yaml"),
        folder,
        LandingStore(warehouse.root),
        as_of=datetime(WEEK.year, WEEK.month, WEEK.day, tzinfo=UTC),
        loaded_at=datetime(2026, 1, 1, tzinfo=UTC),
        lags=read_lags(LAGS),
    )
    warehouse.build(WEEK)
    return warehouse


@pytest.mark.parametrize("token", UNLOCKS)
def test_shares_of_the_supply_that_unlock_are_those_of_a_hand_calculation(real, token):
    by_type, (market_cap_usd, price_usd) = UNLOCKS[token]

    found = real.query(
        f"""select unlock_type, sum(unlock_tokens) as tokens, sum(supply_share) as share, sum(unlock_usd) as usd
        from marts.fct_unlock_calendar where token_id = '{token}' group by unlock_type"""
    )

    tokens = dict(found.select("unlock_type", "tokens").rows())
    shares = dict(found.select("unlock_type", "share").rows())
    worth = dict(found.select("unlock_type", "usd").rows())
    supply = market_cap_usd / price_usd
    assert tokens == pytest.approx(by_type, rel=1e-7)
    assert shares == pytest.approx({kind: amount / supply for kind, amount in by_type.items()}, rel=1e-6)
    assert worth == pytest.approx({kind: amount * price_usd for kind, amount in by_type.items()}, rel=1e-6)


def test_a_schedule_without_a_date_is_flagged_and_reaches_no_feature(real):
    assert real.query("select distinct is_hindsight from marts.fct_unlock_calendar").rows() == [(True,)]
    assert real.query("select count(*) from marts.fct_unlocks_daily").item() == 0
    assert real.query("select count(unlock_30d_share) from marts.feat_token_daily").item() == 0


def test_months_add_up_to_the_calendar_where_they_overlap_whole(real):
    # July and August 2024 lie within the ninety days as a whole.
    months = real.query(
        """select months.token_id, months.month_date, months.unlock_tokens, sum(calendar.unlock_tokens) as by_day
        from marts.fct_unlock_months as months
        inner join marts.fct_unlock_calendar as calendar
            on months.token_id = calendar.token_id and date_trunc('month', calendar.release_date) = months.month_date
        where months.month_date in (date '2024-07-01', date '2024-08-01') group by all"""
    )

    assert months.height == 18  # ten tokens in two months; ether-fi has nothing in August, kamino nothing in July
    assert ((months["by_day"] / months["unlock_tokens"] - 1).abs() < 1e-9).all()


def counted_slowly(real, weeks):
    """Base rates of weeks from one loop over tokens, weeks and horizons in pandas: windows, hits, touches and stops by bucket.

    Reads prices and the Sunday's facts only; everything after that is another code than the project's.
    """
    daily = real.query(
        "select token_id, market_date, price_usd, price_source from marts.fct_daily where not is_carried order by all"
    ).to_pandas()
    facts = real.query(
        """select universe.*, features.volatility_30d from marts.fct_universe_daily as universe
        inner join (select token_id, market_date, volatility_30d from marts.feat_token_daily) as features
            using (token_id, market_date)
        where dayname(market_date) = 'Sunday'"""
    ).to_pandas()
    went_on = set(
        real.query(
            """select a.token_id from marts.dim_token_ids as a, marts.dim_token_ids as b
            where a.kind = b.kind and a.value = b.value and a.token_id <> b.token_id and a.valid_to = b.valid_from"""
        )["token_id"]
    )
    ends = {}
    priced = daily.groupby(["price_source", "market_date"]).size()
    for token, rows in daily.groupby("token_id"):
        days = list(rows["market_date"])
        for place, day in enumerate(days):
            if place + 1 == len(days) or (days[place + 1] - day).days > 4:
                ends.setdefault((rows["price_source"].iloc[place], day), []).append(token)
    ended_sources = {key for key, tokens in ends.items() if len(tokens) >= 10 and len(tokens) >= 0.2 * priced[key]}

    counts = {}
    settings = MoonshotSettings()
    facts = facts[
        ~facts["is_stable"]
        & ~facts["is_wrapped"]
        & (facts["market_cap_usd"] >= settings.min_market_cap_usd)
        & (facts["volume_30d_median_usd"] >= settings.min_volume_30d_usd)
        & (facts["volume_30d_median_usd"] / facts["market_cap_usd"] >= settings.min_volume_to_cap)
        & (facts["age_days"] >= settings.min_age_days)
        & facts["volatility_30d"].notna()
    ]
    for token, sundays in facts.groupby("token_id"):
        own = daily[daily["token_id"] == token].set_index("market_date")
        sources, own = own["price_source"], own["price_usd"]
        every_day = own.reindex(pd.date_range(own.index.min(), AS_OF))
        for fact in sundays.itertuples():
            entry = fact.market_date + pd.Timedelta(days=1)
            if entry not in own.index:
                continue
            for horizon in (30, 90, 365):
                last = entry + pd.Timedelta(days=horizon)
                if last > AS_OF:
                    continue
                newest = own.index[own.index.searchsorted(last, side="right") - 1]
                is_stopped = (last - newest).days > 3
                if is_stopped and (token in went_on or (sources[newest], newest) in ended_sources):
                    continue
                window = (every_day[entry + pd.Timedelta(days=1) : last] / own[entry]).to_numpy()
                threes = np.lib.stride_tricks.sliding_window_view(window, 3)
                outcomes = {}
                for name, multiple in (("2x", 2), ("3x", 3), ("5x", 5), ("10x", 10)):
                    outcomes[name] = (bool((threes >= multiple).all(axis=1).any()), bool((window >= multiple).any()))
                outcomes["half"] = (
                    is_stopped or bool((threes <= 0.5).all(axis=1).any()),
                    is_stopped or bool((window <= 0.5).any()),
                )
                cap = next(
                    name
                    for least, name in (
                        *((1e9, "over_1b"), (250e6, "250m_to_1b"), (50e6, "50m_to_250m")),
                        *((20e6, "20m_to_50m"), (5e6, "5m_to_20m"), (1e6, "1m_to_5m")),
                    )
                    if fact.market_cap_usd >= least
                )
                volatility = next(
                    name
                    for least, name in (
                        *((1.8, "over_180"), (1.2, "120_to_180"), (0.9, "90_to_120"), (0.6, "60_to_90")),
                        (0, "under_60"),
                    )
                    if fact.volatility_30d >= least
                )
                for week in weeks:
                    if last.date() >= week:
                        continue
                    for cell in ((cap, volatility), (cap, "all"), ("all", volatility), ("all", "all")):
                        for outcome, (is_held, is_touched) in outcomes.items():
                            count = counts.setdefault((week, *cell, outcome, horizon), [0, 0, 0, 0, set()])
                            count[0] += 1
                            count[1] += is_held
                            count[2] += is_touched
                            count[3] += is_stopped
                            count[4].add(token)
    return {key: (*count[:4], len(count[4])) for key, count in counts.items()}


def test_base_rates_agree_with_a_loop_over_every_window(real):
    weeks = [date(2018, 10, 1), date(2020, 11, 2), date(2021, 6, 28), WEEK]

    with connect(DataFolder(real.root).warehouse, read_only=True) as connection:
        windows = finished_windows(connection, until=WEEK, settings=MoonshotSettings())
    rates = base_rates(windows, weeks=weeks)

    found = {
        (row["as_of_week"], row["cap_bucket"], row["volatility_bucket"], row["outcome"], row["horizon_days"]): (
            row["observations"],
            row["hits"],
            round(row["touched_share"] * row["observations"]),
            round(row["stopped_share"] * row["observations"]),
            row["tokens"],
        )
        for row in rates.iter_rows(named=True)
    }
    expected = counted_slowly(real, weeks)
    newest = expected[WEEK, "all", "all", "half", 365]
    assert newest[0] > 3000  # there is something to agree on
    assert newest[3] > 20
    assert found == expected
