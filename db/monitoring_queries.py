"""SQL of the view inside, kept as SQL. ``:organization_id`` is NULL for the whole platform."""

from __future__ import annotations

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import INTERVAL, UUID

_OWN = "(CAST(:organization_id AS uuid) IS NULL OR organization_id = :organization_id)"

# Every queue that somebody serves or has used, from partial indexes.
QUEUES = text(f"""
    WITH names AS (
        SELECT unnest(queues) AS name FROM workers UNION SELECT queue FROM lanes
    )
    SELECT
        names.name, waiting.pending, waiting.delayed, running.running, served.workers,
        waiting.oldest_wait
    FROM names
    CROSS JOIN LATERAL (
        SELECT
            count(*) AS pending,
            count(*) FILTER (WHERE available_at > statement_timestamp()) AS delayed,
            CAST(extract(epoch FROM statement_timestamp() - min(available_at) FILTER (
                WHERE available_at <= statement_timestamp()
            )) AS double precision) AS oldest_wait
        FROM tasks WHERE queue = names.name AND status = 'pending' AND {_OWN}
    ) AS waiting
    CROSS JOIN LATERAL (
        SELECT count(*) AS running
        FROM tasks WHERE queue = names.name AND status = 'running' AND {_OWN}
    ) AS running
    CROSS JOIN LATERAL (
        SELECT count(*) AS workers FROM workers WHERE names.name = ANY (queues)
    ) AS served
    ORDER BY names.name
""").bindparams(bindparam("organization_id", type_=UUID))  # noqa: S608 (a constant of this module)

# Tasks that ended within the window: by type, by cause; and what storage holds.
STATS = text(f"""
    WITH ended AS (
        SELECT
            type, status, error_code, cost, failures, output,
            CAST(extract(epoch FROM started_at - created_at) AS double precision) AS wait,
            CAST(extract(epoch FROM completed_at - started_at) AS double precision) AS run
        FROM tasks
        WHERE completed_at >= statement_timestamp() - :window AND {_OWN}
    ), by_type AS (
        SELECT
            type,
            count(*) FILTER (WHERE status = 'completed') AS completed,
            count(*) FILTER (WHERE status = 'failed') AS failed,
            count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
            coalesce(sum(cost) FILTER (WHERE status = 'completed'), 0) AS units,
            coalesce(sum(jsonb_array_length(failures)), 0) AS failed_attempts,
            percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY wait) AS wait,
            percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY run)
                FILTER (WHERE status = 'completed') AS run
        FROM ended GROUP BY type
    ), by_cause AS (
        SELECT error_code AS code, type, count(*) AS count
        FROM ended WHERE status = 'failed' GROUP BY error_code, type
    )
    SELECT
        (SELECT coalesce(jsonb_agg(by_type ORDER BY type), '[]') FROM by_type) AS types,
        (SELECT coalesce(jsonb_agg(by_cause ORDER BY count DESC, code, type), '[]') FROM by_cause)
            AS failures,
        (
            SELECT coalesce(sum(CAST(image->>'size' AS bigint)), 0)
            FROM ended, jsonb_array_elements(output->'images') AS image
            WHERE status = 'completed'
        ) AS output_bytes,
        (SELECT coalesce(sum(size), 0) FROM media WHERE {_OWN}) AS media_bytes,
        (SELECT coalesce(sum(size), 0) FROM adapters WHERE {_OWN}) AS lora_bytes
""").bindparams(  # noqa: S608 (a constant of this module)
    bindparam("organization_id", type_=UUID), bindparam("window", type_=INTERVAL)
)

# How many workflows are in each state now; those that ended within the window, and their steps.
WORKFLOW_STATS = text(f"""
    WITH ended AS (
        SELECT
            id, status,
            CAST(extract(epoch FROM completed_at - started_at) AS double precision) AS run
        FROM workflows WHERE completed_at >= statement_timestamp() - :window AND {_OWN}
    ), steps AS (
        SELECT
            type, status, reused,
            CAST(extract(epoch FROM completed_at - started_at) AS double precision) AS run
        FROM workflow_steps
        WHERE completed_at >= statement_timestamp() - :window AND {_OWN}
    ), by_type AS (
        SELECT
            type,
            count(*) FILTER (WHERE status = 'completed') AS completed,
            count(*) FILTER (WHERE status = 'failed') AS failed,
            count(*) FILTER (WHERE reused) AS reused,
            percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY run)
                FILTER (WHERE status = 'completed' AND NOT reused) AS run
        FROM steps GROUP BY type
    )
    SELECT
        (
            SELECT coalesce(jsonb_object_agg(status, count), '{{}}') FROM (
                SELECT status, count(*) AS count FROM workflows WHERE {_OWN} GROUP BY status
            ) AS states
        ) AS states,
        (SELECT count(*) FROM ended WHERE status = 'completed') AS completed,
        (SELECT count(*) FROM ended WHERE status = 'failed') AS failed,
        (SELECT count(*) FROM ended WHERE status = 'cancelled') AS cancelled,
        (
            SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY run)
            FROM ended WHERE status = 'completed'
        ) AS run,
        (SELECT coalesce(jsonb_agg(by_type ORDER BY type), '[]') FROM by_type) AS steps
""").bindparams(  # noqa: S608 (a constant of this module)
    bindparam("organization_id", type_=UUID), bindparam("window", type_=INTERVAL)
)

# How full the database server is.
DATABASE = text("""
    SELECT
        pg_database_size(current_database()) AS bytes,
        (
            SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
        ) AS connections,
        CAST(current_setting('max_connections') AS integer) AS max_connections
""")
