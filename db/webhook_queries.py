"""SQL of the webhooks, kept as SQL. Each statement is one round trip."""

from __future__ import annotations

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, DOUBLE_PRECISION, TEXT

# Make the next events of one organization's log into deliveries, and move its cursor past them. The
# log has no gaps up to the cursor of the events that this statement's snapshot shows. Runners pass
# one another by.
FAN_OUT = text("""
    WITH log AS MATERIALIZED (
        SELECT organization_id, place.seq AS after, ends.seq AS until
        FROM webhook_cursors place JOIN event_cursors ends USING (organization_id)
        WHERE place.seq < ends.seq
        LIMIT 1 FOR UPDATE OF place SKIP LOCKED
    ),
    batch AS MATERIALIZED (
        SELECT event.*
        FROM log CROSS JOIN LATERAL (
            SELECT organization_id, seq, kind, subject_id FROM events
            WHERE organization_id = log.organization_id AND seq > log.after AND seq <= log.until
            ORDER BY seq LIMIT :limit
        ) AS event
    ),
    wanted AS (
        SELECT event.organization_id, hook.id AS webhook_id, NULL AS task_id, NULL AS url,
            hook.id AS lane, event.seq, event.kind
        FROM batch event JOIN webhooks hook USING (organization_id)
        WHERE hook.disabled_at IS NULL AND event.seq > hook.since_seq
          AND hook.events && ARRAY['*', event.kind, split_part(event.kind, '.', 1) || '.*']
        UNION ALL
        SELECT event.organization_id, NULL, hook.task_id, hook.url, hook.lane, event.seq, event.kind
        FROM batch event JOIN task_webhooks hook ON hook.task_id = event.subject_id
        WHERE event.kind = ANY (:ends)
    ),
    made AS (
        INSERT INTO webhook_deliveries
            (id, organization_id, webhook_id, task_id, url, lane, seq, kind)
        SELECT 'msg_' || replace(gen_random_uuid()::text, '-', ''), wanted.* FROM wanted
    )
    UPDATE webhook_cursors SET seq = (SELECT max(seq) FROM batch)
    FROM log WHERE webhook_cursors.organization_id = log.organization_id
    RETURNING webhook_cursors.organization_id
""").bindparams(bindparam("ends", type_=ARRAY(TEXT)))

# Take deliveries that are due for some seconds, a few of each receiver, so that one with a long
# queue does not keep the others waiting. The receivers that have something pending are found by
# skipping through the index.
CLAIM = text("""
    WITH RECURSIVE lanes AS (
        (SELECT lane FROM webhook_deliveries WHERE status = 'pending' ORDER BY lane LIMIT 1)
        UNION ALL
        SELECT (
            SELECT next.lane FROM webhook_deliveries next
            WHERE next.status = 'pending' AND next.lane > lanes.lane ORDER BY next.lane LIMIT 1
        )
        FROM lanes WHERE lanes.lane IS NOT NULL
    ),
    due AS MATERIALIZED (
        SELECT delivery.id
        FROM lanes CROSS JOIN LATERAL (
            SELECT id FROM webhook_deliveries
            WHERE status = 'pending' AND lane = lanes.lane
              AND next_try_at <= statement_timestamp()
            ORDER BY next_try_at LIMIT :each FOR UPDATE SKIP LOCKED
        ) AS delivery
        WHERE lanes.lane IS NOT NULL AND lanes.lane <> ALL (:busy)
        LIMIT :limit
    )
    UPDATE webhook_deliveries SET
        tries = tries + 1,
        next_try_at = clock_timestamp() + make_interval(secs => :lease_seconds)
    FROM due WHERE webhook_deliveries.id = due.id
    RETURNING webhook_deliveries.id
""").bindparams(
    bindparam("busy", type_=ARRAY(TEXT)), bindparam("lease_seconds", type_=DOUBLE_PRECISION)
)

# What a claimed delivery says, to whom, and what signs it.
READ = text("""
    SELECT delivery.id, delivery.tries, delivery.lane, delivery.kind, delivery.seq,
        delivery.organization_id, delivery.webhook_id, delivery.created_at,
        coalesce(delivery.url, hook.url) AS url,
        event.subject_id, event.data,
        coalesce(event.created_at, delivery.created_at) AS happened_at,
        coalesce(hook.secret, own.secret) AS secret,
        CASE WHEN coalesce(hook.previous_until, own.previous_until) > statement_timestamp()
            THEN coalesce(hook.previous_secret, own.previous_secret) END AS previous_secret
    FROM webhook_deliveries delivery
    LEFT JOIN events event ON event.organization_id = delivery.organization_id
        AND event.seq = delivery.seq
    LEFT JOIN webhooks hook ON hook.id = delivery.webhook_id
    LEFT JOIN webhook_secrets own ON own.organization_id = delivery.organization_id
        AND delivery.webhook_id IS NULL
    WHERE delivery.id = ANY (:ids)
""").bindparams(bindparam("ids", type_=ARRAY(TEXT)))

# Note what came of a try, unless somebody else has taken the delivery up meanwhile. The newest
# tries are kept.
SETTLE = text("""
    UPDATE webhook_deliveries SET
        status = :status,
        finished_at = CASE WHEN :status = 'pending' THEN NULL ELSE clock_timestamp() END,
        next_try_at = clock_timestamp() + make_interval(secs => :delay),
        attempts = CASE
            WHEN jsonb_array_length(attempts) >= :kept THEN attempts - 0
            ELSE attempts
        END || CAST(:attempt AS jsonb)
    WHERE id = :id AND tries = :tries AND status = 'pending'
    RETURNING id
""").bindparams(bindparam("status", type_=TEXT), bindparam("delay", type_=DOUBLE_PRECISION))
