with versions as (
    select
        index_id,
        version,
        first_week,
        recorded_at,
        content_hash,
        changes,
        definition_yaml
    from {{ source('indices', 'definition_versions') }}
),

documents as (
    select
        index_id,
        version,
        document
    from {{ source('indices', 'methodologies') }}
)

select
    versions.index_id,
    versions.version,
    documents.index_id is not null as is_in_force,
    versions.first_week,
    versions.recorded_at,
    versions.content_hash,
    versions.changes,
    versions.definition_yaml,
    documents.document
from versions
left join documents
    on versions.index_id = documents.index_id and versions.version = documents.version
