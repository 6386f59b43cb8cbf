-- Lock and return the task that an organization runs next in a queue: highest priority, then oldest.
-- Among the first 16, one that fits what a replica has loaded (p_affinity) may overtake tasks of its
-- priority that are at most 30 s older: that bound keeps the others from waiting for ever.
-- Rows that somebody else has locked (a cancel) are passed over.
CREATE FUNCTION pick_task(
    p_queue text, p_organization uuid, p_now timestamptz, p_affinity text[]
) RETURNS SETOF tasks LANGUAGE sql AS $$
    SELECT task.*
    FROM (
        SELECT id, min(created_at) OVER (PARTITION BY priority) AS oldest
        FROM (
            SELECT id, priority, created_at FROM tasks
            WHERE queue = p_queue AND organization_id = p_organization
              AND status = 'pending' AND available_at <= p_now
            ORDER BY priority DESC, created_at, id
            LIMIT 16
        ) AS first
    ) AS candidate
    JOIN tasks task USING (id)
    WHERE task.status = 'pending'
    ORDER BY
        task.priority DESC,
        (
            task.affinity = ANY (p_affinity)
            AND task.created_at <= candidate.oldest + interval '30 seconds'
        ) IS TRUE DESC,
        task.created_at,
        task.id
    LIMIT 1
    FOR UPDATE OF task SKIP LOCKED
$$
