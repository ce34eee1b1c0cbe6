-- What was said and then said otherwise: every version of every unit that a later one replaced, with what replaced it and why.
with versions as (
    select
        table_name,
        unit,
        as_of_week,
        version,
        row_count,
        origin,
        recorded_at,
        superseded_at,
        code_version,
        model_version,
        lead(version) over later as replaced_by_version,
        lead(row_count) over later as replaced_by_rows,
        lead(version_reason) over later as reason,
        lead(code_version) over later as replaced_by_code_version,
        lead(model_version) over later as replaced_by_model_version
    from {{ source('quality', 'unit_versions') }}
    window later as (
        partition by
            table_name,
            unit
        order by version
    )
)

select
    table_name,
    as_of_week,
    unit,
    json_extract_string(unit, '$.index_id') as index_id,
    version,
    origin,
    recorded_at,
    superseded_at,
    replaced_by_version,
    reason,
    row_count,
    replaced_by_rows,
    code_version,
    replaced_by_code_version,
    model_version,
    replaced_by_model_version
from versions
where superseded_at is not null
