-- Wake the lanes of the tasks that one statement inserted, each once, in one order for everybody.
CREATE OR REPLACE FUNCTION tasks_wake_lanes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_lane record;
BEGIN
    FOR v_lane IN
        SELECT organization_id, queue, min(available_at) AS wake_at,
            count(*)::integer AS tasks, sum(cost)::double precision AS cost
        FROM inserted WHERE status = 'pending'
        GROUP BY organization_id, queue ORDER BY organization_id, queue
    LOOP
        PERFORM wake_lane(
            v_lane.queue, v_lane.organization_id, v_lane.wake_at, v_lane.tasks, v_lane.cost
        );
    END LOOP;
    RETURN NULL;
END
$$
