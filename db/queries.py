"""SQL of the queue, kept as SQL. Each statement is one round trip."""

from __future__ import annotations

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    DOUBLE_PRECISION,
    INTEGER,
    INTERVAL,
    TEXT,
    UUID,
)

# Give a runner tasks within the capacity of the queue; see db/migrations/sql/*/claim_tasks.sql.
CLAIM = text("""
    SELECT * FROM claim_tasks(
        :queue, :runner_id, :capacity, :limit, :lease_seconds, :affinity, :beyond
    )
""").bindparams(bindparam("affinity", type_=ARRAY(TEXT)))

# Extend the leases that a runner still holds and name them. Rows are locked in the order of their
# ids, as everywhere, so two statements never wait for each other.
HEARTBEAT = text("""
    WITH held AS (
        SELECT task.id
        FROM tasks task
        JOIN unnest(:ids, :attempts) AS mine (id, attempt) USING (id, attempt)
        WHERE task.status = 'running' AND task.runner_id = :runner_id
        ORDER BY task.id FOR UPDATE OF task
    )
    UPDATE tasks SET
        lease_expires_at = clock_timestamp() + make_interval(secs => :lease_seconds)
    FROM held WHERE tasks.id = held.id
    RETURNING tasks.id
""").bindparams(
    bindparam("ids", type_=ARRAY(TEXT)),
    bindparam("attempts", type_=ARRAY(INTEGER)),
    bindparam("lease_seconds", type_=DOUBLE_PRECISION),
)

# Raise the progress of the attempts that a runner still holds, and keep what they did so far.
REPORT_PROGRESS = text("""
    WITH report AS (
        SELECT task.id, mine.progress, mine.timeline
        FROM tasks task
        JOIN unnest(:ids, :attempts, :progress, :timelines)
            AS mine (id, attempt, progress, timeline) USING (id, attempt)
        WHERE task.status = 'running' AND task.runner_id = :runner_id
        ORDER BY task.id FOR UPDATE OF task
    )
    UPDATE tasks SET
        progress = greatest(tasks.progress, report.progress),
        timeline = tasks.timeline || CAST(report.timeline AS jsonb),
        updated_at = clock_timestamp()
    FROM report WHERE tasks.id = report.id
    RETURNING tasks.id
""").bindparams(
    bindparam("ids", type_=ARRAY(TEXT)),
    bindparam("attempts", type_=ARRAY(INTEGER)),
    bindparam("progress", type_=ARRAY(DOUBLE_PRECISION)),
    bindparam("timelines", type_=ARRAY(TEXT)),
)

# What the attempt did, beside what those before it did.
_TIMELINE = "timeline = timeline || CAST(:timeline AS jsonb)"

# Tell whoever listens now; see db.listen.SIGNALS_CHANNEL.
SIGNAL = text("""
    SELECT pg_notify('sartiq_signals', payload) FROM unnest(:payloads) AS payload
""").bindparams(bindparam("payloads", type_=ARRAY(TEXT)))

# Store the result of an attempt, if it still runs.
SETTLE_COMPLETED = text(f"""
    UPDATE tasks SET
        status = 'completed', output = CAST(:output AS jsonb), progress = 1, {_TIMELINE},
        lease_expires_at = NULL, completed_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE id = :id AND attempt = :attempt AND status = 'running'
    RETURNING id
""")  # noqa: S608 (a constant of this module)

# The same for many of them. An attempt that has completed has done so with this result.
SETTLE_ALL = text("""
    WITH result AS (
        SELECT task.id, result.output, result.timeline
        FROM jsonb_to_recordset(CAST(:results AS jsonb)) AS result (
            id text, attempt integer, output jsonb, timeline jsonb
        )
        JOIN tasks task ON task.id = result.id AND task.attempt = result.attempt
        WHERE task.status = 'running'
        ORDER BY task.id FOR UPDATE OF task
    ), settled AS (
        UPDATE tasks SET
            status = 'completed', output = result.output, progress = 1,
            timeline = tasks.timeline || result.timeline,
            lease_expires_at = NULL, completed_at = clock_timestamp(),
            updated_at = clock_timestamp()
        FROM result WHERE tasks.id = result.id
        RETURNING tasks.id
    )
    SELECT id FROM settled
    UNION
    SELECT task.id
    FROM jsonb_to_recordset(CAST(:results AS jsonb)) AS result (id text, attempt integer)
    JOIN tasks task ON task.id = result.id AND task.attempt = result.attempt
    WHERE task.status = 'completed'
""")

LOCK_LOG = text("""
    SELECT FROM event_cursors WHERE organization_id = ANY (:organization_ids)
    ORDER BY organization_id FOR UPDATE
""").bindparams(bindparam("organization_ids", type_=ARRAY(UUID)))

_FAILURE = """
    failures || jsonb_build_object(
        'attempt', attempt, 'at', clock_timestamp(), 'code', CAST(:code AS text),
        'reason', CAST(:reason AS text), 'runner', runner_id
    )
"""

# Give a task up, keeping the failure of this attempt.
SETTLE_FAILED = text(f"""
    UPDATE tasks SET
        status = 'failed', error = :reason, error_code = :code, failures = {_FAILURE},
        {_TIMELINE},
        lease_expires_at = NULL, completed_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE id = :id AND attempt = :attempt AND status = 'running'
    RETURNING id
""")  # noqa: S608 (a constant of this module)

# Keep the failure of this attempt and queue the task again.
RETRY_LATER = text(f"""
    UPDATE tasks SET
        status = 'pending', available_at = clock_timestamp() + :delay, failures = {_FAILURE},
        progress = 0, {_TIMELINE}, lease_expires_at = NULL, updated_at = clock_timestamp()
    WHERE id = :id AND attempt = :attempt AND status = 'running'
    RETURNING id
""").bindparams(bindparam("delay", type_=INTERVAL))  # noqa: S608 (a constant of this module)

# Queue the task again as if it had not been claimed; its attempt stays spent as a fencing token.
RELEASE = text(f"""
    UPDATE tasks SET
        status = 'pending', progress = 0, {_TIMELINE}, lease_expires_at = NULL,
        updated_at = clock_timestamp()
    WHERE id = :id AND attempt = :attempt AND status = 'running'
    RETURNING id
""")  # noqa: S608 (a constant of this module)

# End a task that has not ended, and tell its runner.
CANCEL = text("""
    WITH cancelled AS (
        UPDATE tasks SET
            status = 'cancelled', lease_expires_at = NULL,
            completed_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE id = :id AND organization_id = :organization_id
          AND status IN ('pending', 'running')
        RETURNING id
    )
    SELECT id, pg_notify('sartiq_cancel', id) FROM cancelled
""").bindparams(bindparam("organization_id", type_=UUID))

# End those of some tasks that nobody else is busy with, and tell their runners.
CANCEL_ALL = text("""
    WITH open AS (
        SELECT id FROM tasks WHERE id = ANY (:ids) AND status IN ('pending', 'running')
        ORDER BY id FOR UPDATE SKIP LOCKED
    ), cancelled AS (
        UPDATE tasks SET
            status = 'cancelled', lease_expires_at = NULL,
            completed_at = clock_timestamp(), updated_at = clock_timestamp()
        FROM open WHERE tasks.id = open.id
        RETURNING tasks.id
    )
    SELECT id, pg_notify('sartiq_cancel', id) FROM cancelled
""").bindparams(bindparam("ids", type_=ARRAY(TEXT)))

# Put tasks off until somebody frees them. Their lanes find out when they look.
HOLD = text("""
    UPDATE tasks SET available_at = 'infinity'
    WHERE id = ANY (:ids) AND status = 'pending'
    RETURNING id
""").bindparams(bindparam("ids", type_=ARRAY(TEXT)))

# Let tasks run that were put off, and wake their lanes, in the order that everybody takes them in.
FREE = text("""
    WITH freed AS (
        UPDATE tasks SET available_at = clock_timestamp()
        WHERE id = ANY (:ids) AND status = 'pending' AND available_at = 'infinity'
        RETURNING organization_id, queue, available_at
    ), lane AS (
        SELECT organization_id, queue, min(available_at) AS wake_at FROM freed
        GROUP BY organization_id, queue ORDER BY organization_id, queue
    )
    -- The lane counts them already.
    SELECT wake_lane(queue, organization_id, wake_at, 0, 0) FROM lane
""").bindparams(bindparam("ids", type_=ARRAY(TEXT)))

# Take back tasks whose lease ran out; see db/migrations/sql/*/reap_expired_tasks.sql.
REAP_EXPIRED = text("SELECT * FROM reap_expired_tasks(:limit)")

# For each queue, tasks that could start now (counted up to a limit) and tasks that run; both from
# partial indexes. Of an organization with a limit no more could start than it leaves.
BACKLOG = text("""
    SELECT name AS queue, runnable.count AS runnable, running.count AS running
    FROM unnest(:queues) AS name
    CROSS JOIN LATERAL (
        SELECT count(*) FROM (
            SELECT FROM lanes lane
            CROSS JOIN LATERAL (
                SELECT plan.concurrent_tasks - (
                    SELECT count(*) FROM tasks
                    WHERE organization_id = lane.organization_id AND status = 'running'
                ) AS room
                FROM plans plan WHERE plan.tier = tier_of(lane.organization_id)
                UNION ALL SELECT NULL LIMIT 1
            ) AS own
            CROSS JOIN LATERAL (
                SELECT FROM tasks
                WHERE queue = name AND organization_id = lane.organization_id
                  AND status = 'pending' AND available_at <= statement_timestamp()
                LIMIT greatest(least(own.room, :limit), 0)
            ) AS waiting
            WHERE lane.queue = name AND lane.wake_at <= statement_timestamp()
            LIMIT :limit
        ) AS waiting
    ) AS runnable
    CROSS JOIN LATERAL (
        SELECT count(*) FROM tasks WHERE queue = name AND status = 'running'
    ) AS running
""").bindparams(bindparam("queues", type_=ARRAY(TEXT)), bindparam("limit", type_=INTEGER))

# When the next lane of a queue has something to run; NULL: nothing is queued.
NEXT_WAKE = text("""
    SELECT min(wake_at) AS wake_at FROM lanes WHERE queue = :queue AND wake_at < 'infinity'
""")

# Write what was changed of locked steps.
SAVE_STEPS = text("""
    UPDATE workflow_steps SET
        plan = changed.plan, status = changed.status, output = changed.output,
        error = changed.error, error_code = changed.error_code,
        fingerprint = changed.fingerprint, reused = changed.reused,
        started_at = changed.started_at, completed_at = changed.completed_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS changed (
        workflow_id text, position smallint, plan jsonb, status text, output jsonb,
        error text, error_code text, fingerprint text, reused boolean,
        started_at timestamptz, completed_at timestamptz
    )
    WHERE workflow_steps.workflow_id = changed.workflow_id
      AND workflow_steps.position = changed.position
""")

# Write what was changed of locked workflows.
SAVE_WORKFLOWS = text("""
    UPDATE workflows SET
        input = changed.input, status = changed.status,
        error = changed.error, error_code = changed.error_code,
        started_at = changed.started_at, completed_at = changed.completed_at,
        updated_at = clock_timestamp()
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS changed (
        id text, input jsonb, status text, error text, error_code text,
        started_at timestamptz, completed_at timestamptz
    )
    WHERE workflows.id = changed.id
""")

# The plan of an organization, and permits of a rate limit; see db/migrations/sql/*/.
TIER_OF = text("SELECT tier_of(:organization_id)").bindparams(
    bindparam("organization_id", type_=UUID)
)
TAKE_PERMITS = text("""
    SELECT granted, remaining, retry_in, full_in
    FROM take_permits(:subject_id, :bucket, :requests, :seconds, :wanted)
""").bindparams(bindparam("subject_id", type_=UUID), bindparam("seconds", type_=DOUBLE_PRECISION))
FORGET_RATES = text("""
    DELETE FROM rate_limits WHERE arrival < extract(epoch FROM clock_timestamp()) - :seconds
""").bindparams(bindparam("seconds", type_=DOUBLE_PRECISION))

# Count tasks that an organization asks for on this day; no row: they would be too many.
COUNT_TASKS = text("""
    INSERT INTO daily_tasks AS counted (organization_id, day, tasks)
    SELECT :organization_id, (clock_timestamp() AT TIME ZONE 'UTC')::date, :tasks
    WHERE :tasks <= coalesce(:at_most, :tasks)
    ON CONFLICT (organization_id) DO UPDATE SET
        day = greatest(counted.day, excluded.day),
        tasks = excluded.tasks + CASE WHEN counted.day >= excluded.day THEN counted.tasks ELSE 0 END
    WHERE excluded.tasks + CASE WHEN counted.day >= excluded.day THEN counted.tasks ELSE 0 END
        <= coalesce(:at_most, 2147483647)
    RETURNING tasks
""").bindparams(
    bindparam("organization_id", type_=UUID),
    bindparam("tasks", type_=INTEGER),
    bindparam("at_most", type_=INTEGER),
)

# How many tasks wait in queues: an organization's, and in all.
PENDING = text("""
    SELECT queue, sum(pending) AS everybody,
        coalesce(sum(pending) FILTER (WHERE organization_id = :organization_id), 0) AS own
    FROM lanes WHERE queue = ANY (:queues) GROUP BY queue
""").bindparams(bindparam("organization_id", type_=UUID), bindparam("queues", type_=ARRAY(TEXT)))
