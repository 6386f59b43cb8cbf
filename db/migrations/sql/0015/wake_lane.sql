-- A lane has p_tasks more pending tasks, which cost p_cost together and may run from p_at on. Taking
-- the lane's row lock is what makes wake-ups safe: a claim that finds the lane empty holds the same
-- lock while it looks.
CREATE OR REPLACE FUNCTION wake_lane(
    p_queue text,
    p_organization uuid,
    p_at timestamptz,
    p_tasks integer,
    p_cost double precision
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO lanes AS lane (queue, organization_id, vtime, wake_at, pending, pending_cost)
    VALUES (
        p_queue,
        p_organization,
        queue_clock(p_queue),
        p_at,
        p_tasks,
        p_cost
    )
    ON CONFLICT (queue, organization_id) DO UPDATE SET
        vtime = CASE
            WHEN lane.wake_at = 'infinity' THEN greatest(lane.vtime, excluded.vtime)
            ELSE lane.vtime
        END,
        wake_at = least(lane.wake_at, excluded.wake_at),
        pending = lane.pending + p_tasks,
        pending_cost = lane.pending_cost + p_cost;

    PERFORM pg_notify('sartiq_tasks', p_queue);
END
$$
