"""Headlines with their topics and the sum of their good (1) and bad (-1) words. Grain: headline; of one title a day the first."""


def model(dbt, session):
    dbt.config(materialized="table")
    import polars as pl

    from models_ml.sentiment.topics import tag_topics

    words = dbt.ref("headline_words").pl()
    headlines = (
        dbt.ref("stg_rss__headlines")
        .pl()
        .select("feed", "article_id", "market_date", "published_at", "title", "available_at")
        .sort("published_at", "feed", "article_id")
        # A wire report stands in several feeds.
        .unique(["market_date", "title"], keep="first", maintain_order=True)
    )
    found = pl.col("title").str.to_lowercase().str.extract_all(r"[a-z]+(?:-[a-z]+)*")
    polarity = (
        headlines.select("feed", "article_id", word=found)
        .explode("word")
        .join(words, on="word")
        .group_by("feed", "article_id")
        .agg(polarity=pl.col("polarity").sum())
    )
    return (
        pl.concat([headlines, tag_topics(headlines["title"])], how="horizontal")
        .join(polarity, on=["feed", "article_id"], how="left")
        .with_columns(pl.col("polarity").fill_null(0))
        .to_arrow()
    )
