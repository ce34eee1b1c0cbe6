"""The feature catalogue as a table: name, family, unit, formula, look-back, lag, sources, literature."""


def model(dbt, session):
    dbt.config(materialized="table")
    from models_ml.features.catalogue import catalogue_table

    return catalogue_table().to_arrow()
