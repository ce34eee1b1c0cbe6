"""Which tokens a headline names. Grain: headline and token.

Of several tokens of one name or ticker the largest is meant: by market cap at the end of the month before, then those that began
within the month in the order they began, so that no later fact decides.
"""


def model(dbt, session):
    dbt.config(materialized="table")
    import polars as pl

    from models_ml.sentiment.mentions import find_mentions

    headlines = dbt.ref("int_headlines_tagged").pl()
    coins = dbt.ref("stg_coingecko__assets").pl().select("coin_id", "name", "symbol").drop_nulls()
    months = headlines["market_date"].dt.month_start().unique().sort()
    caps = (
        dbt.ref("fct_daily")
        .filter("token_id not like '%:%'")
        .aggregate(
            "token_id as coin_id, date_trunc('month', market_date)::date as month, min(first_date) as first_date, "
            "arg_max(market_cap_usd, market_date) as market_cap_usd"
        )
        .pl()
    )
    firsts = caps.group_by("coin_id").agg(pl.col("first_date").min())
    found = []
    for month in months:
        sizes = caps.filter(pl.col("month") == pl.lit(month).dt.offset_by("-1mo")).select("coin_id", "market_cap_usd")
        begun = firsts.filter(pl.col("first_date") < pl.lit(month).dt.offset_by("1mo"))
        ordered = (
            coins.join(begun, on="coin_id")
            .join(sizes, on="coin_id", how="left")
            .with_columns(is_new=pl.col("first_date") >= month, begun_on=pl.max_horizontal("first_date", pl.lit(month)))
            .sort(
                "is_new",
                pl.col("market_cap_usd").fill_null(-1.0),
                "begun_on",
                "coin_id",
                descending=[False, True, False, False],
            )
        )
        titles = headlines.filter(pl.col("market_date").dt.month_start() == month).with_columns(
            article_id=pl.concat_str("feed", pl.lit("\n"), "article_id")
        )
        mentions = find_mentions(titles.select("article_id", "title"), ordered.select("coin_id", "name", "symbol"))
        found.append(mentions.join(titles.select("article_id", "market_date", "available_at"), on="article_id"))
    schema = {"article_id": pl.String, "coin_id": pl.String, "market_date": pl.Date}
    empty = pl.DataFrame(schema=schema | {"available_at": pl.Datetime("us", "UTC")})
    rows = pl.concat(found, how="vertical_relaxed") if found else empty
    parts = pl.col("article_id").str.splitn("\n", 2).struct
    return rows.select(
        parts.field("field_0").alias("feed"),
        parts.field("field_1").alias("article_id"),
        pl.col("coin_id").alias("token_id"),
        "market_date",
        "available_at",
    ).to_arrow()
