-- A warehouse as commit 7751fb6 (2026-11-20, the state before signals knew since when they stand) made it: tables by its own
-- create_versioned_tables, rows and hashes by its own append_versions, builds by its begin_build; two weeks of calls, the first with a
-- correction, and of moonshot picks. Written out from that file by duckdb_tables() and select *; the values are made up, the hashes are
-- those that release computed. Not to be changed: tests/unit/orchestration/lib/test_migrations.py begins with it.
create schema if not exists indices;
create schema if not exists learning;
create schema if not exists quality;
create schema if not exists screens;

create table indices.compositions(
    as_of_week DATE NOT NULL,
    index_id VARCHAR NOT NULL,
    token_id VARCHAR NOT NULL,
    symbol VARCHAR,
    weight DOUBLE,
    weight_change DOUBLE,
    reason VARCHAR,
    "version" INTEGER NOT NULL,
    content_hash VARCHAR NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    superseded_at TIMESTAMP WITH TIME ZONE,
    run_id VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    model_version VARCHAR,
    inputs_hash VARCHAR NOT NULL,
    input_cutoff TIMESTAMP WITH TIME ZONE NOT NULL,
    origin VARCHAR NOT NULL,
    version_reason VARCHAR NOT NULL);

create table indices.levels(
    as_of_week DATE NOT NULL,
    index_id VARCHAR NOT NULL,
    date DATE NOT NULL,
    "level" DOUBLE,
    status VARCHAR,
    status_reason VARCHAR,
    "version" INTEGER NOT NULL,
    content_hash VARCHAR NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    superseded_at TIMESTAMP WITH TIME ZONE,
    run_id VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    model_version VARCHAR,
    inputs_hash VARCHAR NOT NULL,
    input_cutoff TIMESTAMP WITH TIME ZONE NOT NULL,
    origin VARCHAR NOT NULL,
    version_reason VARCHAR NOT NULL);

create table indices.rebalances(
    index_id VARCHAR NOT NULL,
    effective_at TIMESTAMP WITH TIME ZONE NOT NULL,
    token_id VARCHAR NOT NULL,
    symbol VARCHAR,
    target_weight DOUBLE,
    reason VARCHAR,
    as_of_week DATE,
    "version" INTEGER NOT NULL,
    content_hash VARCHAR NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    superseded_at TIMESTAMP WITH TIME ZONE,
    run_id VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    model_version VARCHAR,
    inputs_hash VARCHAR NOT NULL,
    input_cutoff TIMESTAMP WITH TIME ZONE NOT NULL,
    origin VARCHAR NOT NULL,
    version_reason VARCHAR NOT NULL);

create table learning.bull_bear(
    as_of_week DATE NOT NULL,
    universe VARCHAR NOT NULL,
    bullish_share DOUBLE,
    bearish_share DOUBLE,
    tokens INTEGER,
    "version" INTEGER NOT NULL,
    content_hash VARCHAR NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    superseded_at TIMESTAMP WITH TIME ZONE,
    run_id VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    model_version VARCHAR,
    inputs_hash VARCHAR NOT NULL,
    input_cutoff TIMESTAMP WITH TIME ZONE NOT NULL,
    origin VARCHAR NOT NULL,
    version_reason VARCHAR NOT NULL);

create table learning.model_evaluation(
    as_of_week DATE NOT NULL,
    model VARCHAR NOT NULL,
    universe VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    "value" DOUBLE,
    "version" INTEGER NOT NULL,
    content_hash VARCHAR NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    superseded_at TIMESTAMP WITH TIME ZONE,
    run_id VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    model_version VARCHAR,
    inputs_hash VARCHAR NOT NULL,
    input_cutoff TIMESTAMP WITH TIME ZONE NOT NULL,
    origin VARCHAR NOT NULL,
    version_reason VARCHAR NOT NULL);

create table learning.trader_grades(
    as_of_week DATE NOT NULL,
    token_id VARCHAR NOT NULL,
    symbol VARCHAR,
    trader_grade DOUBLE,
    trader_rank DOUBLE,
    score DOUBLE,
    score_cross_section DOUBLE,
    score_market DOUBLE,
    is_grade_provisional BOOLEAN,
    coverage DOUBLE,
    universe VARCHAR,
    "version" INTEGER NOT NULL,
    content_hash VARCHAR NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    superseded_at TIMESTAMP WITH TIME ZONE,
    run_id VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    model_version VARCHAR,
    inputs_hash VARCHAR NOT NULL,
    input_cutoff TIMESTAMP WITH TIME ZONE NOT NULL,
    origin VARCHAR NOT NULL,
    version_reason VARCHAR NOT NULL);

create table learning.trading_signals(
    as_of_week DATE NOT NULL,
    token_id VARCHAR NOT NULL,
    symbol VARCHAR,
    signal TINYINT,
    p_bullish DOUBLE,
    p_neutral DOUBLE,
    p_bearish DOUBLE,
    "version" INTEGER NOT NULL,
    content_hash VARCHAR NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    superseded_at TIMESTAMP WITH TIME ZONE,
    run_id VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    model_version VARCHAR,
    inputs_hash VARCHAR NOT NULL,
    input_cutoff TIMESTAMP WITH TIME ZONE NOT NULL,
    origin VARCHAR NOT NULL,
    version_reason VARCHAR NOT NULL);

create table quality.builds(
    build_id VARCHAR PRIMARY KEY,
    as_of_week DATE NOT NULL,
    data_source VARCHAR NOT NULL,
    input_cutoff TIMESTAMP WITH TIME ZONE NOT NULL,
    inputs_hash VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    changed_from DATE,
    rebuild_from DATE,
    rebuild_to DATE,
    version_reason VARCHAR,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE);

create table quality.unit_versions(
    table_name VARCHAR NOT NULL,
    unit VARCHAR NOT NULL,
    as_of_week DATE NOT NULL,
    "version" INTEGER NOT NULL,
    content_hash VARCHAR NOT NULL,
    row_count BIGINT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    superseded_at TIMESTAMP WITH TIME ZONE,
    run_id VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    model_version VARCHAR,
    inputs_hash VARCHAR NOT NULL,
    input_cutoff TIMESTAMP WITH TIME ZONE NOT NULL,
    origin VARCHAR NOT NULL,
    version_reason VARCHAR NOT NULL);

create table screens.moonshots(
    as_of_week DATE NOT NULL,
    token_id VARCHAR NOT NULL,
    rank INTEGER,
    symbol VARCHAR,
    score DOUBLE,
    is_grade_high BOOLEAN,
    is_momentum_surging BOOLEAN,
    is_narrative_early BOOLEAN,
    is_community_growing BOOLEAN,
    is_developer_activity_rising BOOLEAN,
    is_large_holder_inflow BOOLEAN,
    is_volume_surging_with_price BOOLEAN,
    is_bullish_repeated BOOLEAN,
    is_newly_listed BOOLEAN,
    is_free_of_major_unlock BOOLEAN,
    checks_true INTEGER,
    checks_known INTEGER,
    evidence VARCHAR,
    risk_flags VARCHAR,
    price_usd DOUBLE,
    market_cap_usd DOUBLE,
    "version" INTEGER NOT NULL,
    content_hash VARCHAR NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    superseded_at TIMESTAMP WITH TIME ZONE,
    run_id VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    model_version VARCHAR,
    inputs_hash VARCHAR NOT NULL,
    input_cutoff TIMESTAMP WITH TIME ZONE NOT NULL,
    origin VARCHAR NOT NULL,
    version_reason VARCHAR NOT NULL);

insert into learning.trading_signals values
    ('2026-11-02', 'bitcoin', 'BTC', 1, 0.5, 0.3, 0.2, 1, 'ea50b3beba60c6fdae58659d6695a46e7072f280ab2ec552453f47263e903a76', '2026-11-02T02:00:00+00:00', '2026-11-09T02:00:00+00:00', 'run-2026-11-02', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-02', '2026-11-02T02:00:00+00:00', 'published', 'scheduled'),
    ('2026-11-02', 'bitcoin', 'BTC', 1, 0.55, 0.25, 0.2, 2, 'd196aa840b4b97e3763aaf99f0eb0e6d7c7b64ec5f868124162eadd3b68e06c6', '2026-11-09T02:00:00+00:00', null, 'run-2026-11-09', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-09', '2026-11-09T02:00:00+00:00', 'backfilled', 'scheduled'),
    ('2026-11-02', 'dogecoin', null, -1, 0.1, 0.2, 0.7, 1, 'ea50b3beba60c6fdae58659d6695a46e7072f280ab2ec552453f47263e903a76', '2026-11-02T02:00:00+00:00', '2026-11-09T02:00:00+00:00', 'run-2026-11-02', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-02', '2026-11-02T02:00:00+00:00', 'published', 'scheduled'),
    ('2026-11-02', 'dogecoin', null, -1, 0.1, 0.2, 0.7, 2, 'd196aa840b4b97e3763aaf99f0eb0e6d7c7b64ec5f868124162eadd3b68e06c6', '2026-11-09T02:00:00+00:00', null, 'run-2026-11-09', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-09', '2026-11-09T02:00:00+00:00', 'backfilled', 'scheduled'),
    ('2026-11-02', 'ether', 'ETH', 0, 0.3, 0.4, 0.3, 1, 'ea50b3beba60c6fdae58659d6695a46e7072f280ab2ec552453f47263e903a76', '2026-11-02T02:00:00+00:00', '2026-11-09T02:00:00+00:00', 'run-2026-11-02', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-02', '2026-11-02T02:00:00+00:00', 'published', 'scheduled'),
    ('2026-11-02', 'ether', 'ETH', 0, 0.3, 0.4, 0.3, 2, 'd196aa840b4b97e3763aaf99f0eb0e6d7c7b64ec5f868124162eadd3b68e06c6', '2026-11-09T02:00:00+00:00', null, 'run-2026-11-09', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-09', '2026-11-09T02:00:00+00:00', 'backfilled', 'scheduled'),
    ('2026-11-09', 'bitcoin', 'BTC', 1, 0.5, 0.3, 0.2, 1, 'ea50b3beba60c6fdae58659d6695a46e7072f280ab2ec552453f47263e903a76', '2026-11-09T02:00:00+00:00', null, 'run-2026-11-09', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-09', '2026-11-09T02:00:00+00:00', 'published', 'scheduled'),
    ('2026-11-09', 'dogecoin', null, -1, 0.1, 0.2, 0.7, 1, 'ea50b3beba60c6fdae58659d6695a46e7072f280ab2ec552453f47263e903a76', '2026-11-09T02:00:00+00:00', null, 'run-2026-11-09', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-09', '2026-11-09T02:00:00+00:00', 'published', 'scheduled'),
    ('2026-11-09', 'ether', 'ETH', 0, 0.3, 0.4, 0.3, 1, 'ea50b3beba60c6fdae58659d6695a46e7072f280ab2ec552453f47263e903a76', '2026-11-09T02:00:00+00:00', null, 'run-2026-11-09', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-09', '2026-11-09T02:00:00+00:00', 'published', 'scheduled');

insert into quality.builds values
    ('run-2026-11-02', '2026-11-02', 'archive', '2026-11-02T02:00:00+00:00', 'inputs-2026-11-02', '0.1.0+7751fb630849', null, null, null, null, '2026-11-02T02:00:00+00:00', '2026-11-02T02:04:00+00:00'),
    ('run-2026-11-09', '2026-11-09', 'archive', '2026-11-09T02:00:00+00:00', 'inputs-2026-11-09', '0.1.0+7751fb630849', '2026-11-02', null, null, null, '2026-11-09T02:00:00+00:00', '2026-11-09T02:04:00+00:00');

insert into quality.unit_versions values
    ('learning.trading_signals', '{"as_of_week": "2026-11-02"}', '2026-11-02', 1, 'ea50b3beba60c6fdae58659d6695a46e7072f280ab2ec552453f47263e903a76', 3, '2026-11-02T02:00:00+00:00', '2026-11-09T02:00:00+00:00', 'run-2026-11-02', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-02', '2026-11-02T02:00:00+00:00', 'published', 'scheduled'),
    ('learning.trading_signals', '{"as_of_week": "2026-11-02"}', '2026-11-02', 2, 'd196aa840b4b97e3763aaf99f0eb0e6d7c7b64ec5f868124162eadd3b68e06c6', 3, '2026-11-09T02:00:00+00:00', null, 'run-2026-11-09', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-09', '2026-11-09T02:00:00+00:00', 'backfilled', 'scheduled'),
    ('learning.trading_signals', '{"as_of_week": "2026-11-09"}', '2026-11-09', 1, 'ea50b3beba60c6fdae58659d6695a46e7072f280ab2ec552453f47263e903a76', 3, '2026-11-09T02:00:00+00:00', null, 'run-2026-11-09', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-09', '2026-11-09T02:00:00+00:00', 'published', 'scheduled'),
    ('screens.moonshots', '{"as_of_week": "2026-11-02"}', '2026-11-02', 1, 'c9e605974876e36e41e71675c6ca18872b0173b4013555b0b3e20b0867f3560f', 2, '2026-11-02T02:00:00+00:00', null, 'run-2026-11-02', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-02', '2026-11-02T02:00:00+00:00', 'published', 'scheduled'),
    ('screens.moonshots', '{"as_of_week": "2026-11-09"}', '2026-11-09', 1, 'c9e605974876e36e41e71675c6ca18872b0173b4013555b0b3e20b0867f3560f', 2, '2026-11-09T02:00:00+00:00', null, 'run-2026-11-09', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-09', '2026-11-09T02:00:00+00:00', 'published', 'scheduled');

insert into screens.moonshots values
    ('2026-11-02', 'small-one', 1, 'ONE', 0.9, true, true, true, true, true, true, true, true, true, true, 10, 10, '{"volume": "3.1 times its median"}', null, 0.0123, 4200000.0, 1, 'c9e605974876e36e41e71675c6ca18872b0173b4013555b0b3e20b0867f3560f', '2026-11-02T02:00:00+00:00', null, 'run-2026-11-02', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-02', '2026-11-02T02:00:00+00:00', 'published', 'scheduled'),
    ('2026-11-02', 'small-two', 2, 'TWO', 0.75, null, true, false, null, false, true, null, true, false, null, 2, 4, '{"note": "its quiet"}', 'thin book', 1.5, 9900000.0, 1, 'c9e605974876e36e41e71675c6ca18872b0173b4013555b0b3e20b0867f3560f', '2026-11-02T02:00:00+00:00', null, 'run-2026-11-02', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-02', '2026-11-02T02:00:00+00:00', 'published', 'scheduled'),
    ('2026-11-09', 'small-one', 1, 'ONE', 0.9, true, true, true, true, true, true, true, true, true, true, 10, 10, '{"volume": "3.1 times its median"}', null, 0.0123, 4200000.0, 1, 'c9e605974876e36e41e71675c6ca18872b0173b4013555b0b3e20b0867f3560f', '2026-11-09T02:00:00+00:00', null, 'run-2026-11-09', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-09', '2026-11-09T02:00:00+00:00', 'published', 'scheduled'),
    ('2026-11-09', 'small-two', 2, 'TWO', 0.75, null, true, false, null, false, true, null, true, false, null, 2, 4, '{"note": "its quiet"}', 'thin book', 1.5, 9900000.0, 1, 'c9e605974876e36e41e71675c6ca18872b0173b4013555b0b3e20b0867f3560f', '2026-11-09T02:00:00+00:00', null, 'run-2026-11-09', '0.1.0+7751fb630849', 'calls-2026-10-05', 'inputs-2026-11-09', '2026-11-09T02:00:00+00:00', 'published', 'scheduled');
