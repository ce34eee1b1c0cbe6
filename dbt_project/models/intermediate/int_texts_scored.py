"""How good or bad each headline and post is, and whether it repeats an earlier one. Grain: text.

Each text is scored once: a build computes the days from intermediate.rebuilt_days on (see macros/rebuilt_days.sql) and reads, for
repeats, the few days before them.
"""


def model(dbt, session):
    dbt.config(materialized="incremental")
    import polars as pl

    from models_ml.sentiment.polarity import score_texts
    from models_ml.sentiment.repeats import WITHIN_DAYS, mark_repeats
    from orchestration.lib.rebuilt_days import first_rebuilt_day, in_rebuilt_days

    since = first_rebuilt_day(dbt, session)
    in_reach = in_rebuilt_days(since, days_before=WITHIN_DAYS + 1)
    headlines = dbt.ref("stg_rss__headlines").filter(in_reach)
    posts = dbt.ref("stg_reddit__posts").filter(in_reach)

    columns = ["outlet", "item_id", "market_date", "published_at", "title", "available_at"]
    news = headlines.pl().rename({"feed": "outlet", "article_id": "item_id"})
    social = posts.pl().rename({"subreddit": "outlet", "post_id": "item_id", "posted_at": "published_at"})
    texts = (
        pl.concat(
            [
                news.select(pl.lit("news").alias("kind"), *columns),
                social.select(pl.lit("social").alias("kind"), *columns),
            ],
            how="vertical_relaxed",
        )
        .sort("kind", "published_at", "outlet", "item_id")
        .with_columns(text_id=pl.concat_str("outlet", pl.lit("\n"), "item_id"))
    )
    marked = mark_repeats(texts)
    if since is not None:
        marked = marked.filter(pl.col("market_date") >= since)
    return (
        pl.concat([marked, score_texts(marked["title"])], how="horizontal")
        .select(
            *("kind", "outlet", "item_id", "market_date", "published_at"),
            *("compound", "polarity_class", "is_repeat", "available_at"),
        )
        .to_arrow()
    )
