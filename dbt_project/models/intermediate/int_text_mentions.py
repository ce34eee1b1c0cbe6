"""Which tokens a headline or post names, and which community a post stands in. Grain: text and token.

Names are those of the day (int_token_namings, seed former_names); models_ml/sentiment/linking.py says which token a name means.
"""


def model(dbt, session):
    dbt.config(materialized="table")
    import polars as pl

    from models_ml.sentiment.linking import link_texts

    columns = ["outlet", "item_id", "market_date", "title", "available_at"]
    headlines = dbt.ref("int_headlines_tagged").pl().rename({"feed": "outlet", "article_id": "item_id"})
    posts = dbt.ref("stg_reddit__posts").pl().rename({"subreddit": "outlet", "post_id": "item_id"})
    texts = (
        pl.concat(
            [
                headlines.select(pl.lit("news").alias("kind"), *columns),
                posts.select(pl.lit("social").alias("kind"), *columns),
            ],
            how="vertical_relaxed",
        )
        .with_row_index("text_id")
        .with_columns(pl.col("text_id").cast(pl.String))
    )
    named = ["token_id", "name", "symbol", "valid_from", "renamed_date"]
    namings = (
        # A chart without a place on the list of coins has no name but its id.
        dbt.ref("int_token_namings")
        .filter("token_id not like '%:%' and name != token_id")
        .pl()
        .with_columns(
            renamed_date=pl.col("valid_from")
            .shift(-1)
            .over("token_id", order_by=pl.col("valid_from").fill_null(pl.date(1, 1, 1)))
        )
    )
    former = dbt.ref("former_names").pl().with_columns(valid_from=pl.lit(None, pl.Date))
    names = pl.concat([namings.select(named), former.select(named)])
    sizes = (
        dbt.ref("fct_daily")
        .filter("token_id not like '%:%'")
        .aggregate(
            "token_id, date_trunc('month', market_date)::date as month, min(first_date) as first_date, "
            "arg_max(market_cap_usd, market_date) as market_cap_usd"
        )
        .pl()
    )
    of_community = (
        posts.drop_nulls("coin_id")
        .select("outlet", "item_id", kind=pl.lit("social"), token_id=pl.col("coin_id"))
        .join(texts, on=["kind", "outlet", "item_id"])
        .select("text_id", "token_id")
    )
    links = pl.concat([link_texts(texts, names, sizes), of_community]).unique()
    return (
        links.join(texts, on="text_id")
        .select("kind", "outlet", "item_id", "token_id", "market_date", "available_at")
        .sort("kind", "outlet", "item_id", "token_id")
        .to_arrow()
    )
