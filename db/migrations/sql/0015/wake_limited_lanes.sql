-- Wake the lanes of a queue whose organizations ran as many tasks as their plans allow, and run fewer
-- now. There are never more such lanes than tasks that run.
CREATE OR REPLACE FUNCTION wake_limited_lanes(p_queue text) RETURNS void LANGUAGE sql AS $$
    UPDATE lanes SET
        limited_to = NULL,
        wake_at = clock_timestamp(),
        vtime = greatest(lanes.vtime, queue_clock(p_queue))
    FROM (
        SELECT organization_id FROM lanes
        WHERE queue = p_queue AND limited_to IS NOT NULL
          AND limited_to > (
              SELECT count(*) FROM tasks
              WHERE tasks.organization_id = lanes.organization_id AND tasks.status = 'running'
          )
        FOR UPDATE SKIP LOCKED
    ) AS free
    WHERE lanes.queue = p_queue AND lanes.organization_id = free.organization_id
$$
