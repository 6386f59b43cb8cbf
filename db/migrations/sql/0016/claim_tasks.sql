-- Give a runner up to p_limit tasks of a queue, as long as what runs costs less than p_capacity.
-- (A task that costs more than what is left still starts: one that exceeds the whole capacity must
-- be able to.) Beyond that, organizations whose own tasks cost less than p_beyond get as much as
-- p_beyond, so that a newcomer does not wait for what others hold. Of an organization no more tasks run at once than its plan allows, over all queues;
-- its lane then sleeps until one of them has ended.
--
-- Claims take turns (advisory lock), of all queues, which makes both bounds exact. The lane is
-- locked first and looked into by later statements, each with a snapshot of its own (READ
-- COMMITTED), so a task that is committed meanwhile is either seen here or finds the lane asleep and
-- wakes it. Nothing but the event cursors is waited for, and they are taken last, in one order.
CREATE FUNCTION claim_tasks(
    p_queue text,
    p_runner text,
    p_capacity integer,
    p_limit integer,
    p_lease_seconds double precision,
    p_affinity text[] DEFAULT '{}',
    p_beyond integer DEFAULT 0
) RETURNS SETOF tasks LANGUAGE plpgsql AS $$
DECLARE
    v_slots integer := p_limit;
    v_room double precision;
    v_now timestamptz;
    v_clock double precision;
    v_least double precision;
    v_lane lanes;
    v_weight real;
    v_tasks_at_once integer;
    v_task tasks;
    v_found boolean;
    v_passed uuid[] := '{}';
    v_served uuid[] := '{}';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('sartiq.claim', 0));
    PERFORM wake_limited_lanes(p_queue);

    SELECT p_capacity - coalesce(sum(cost), 0) INTO v_room
    FROM tasks WHERE queue = p_queue AND status = 'running';
    -- No lane begins before the least: one whose only task waited for a retry has been awake.
    SELECT coalesce(max(vtime), 0), coalesce(max(resumed_at), 0) INTO v_clock, v_least
    FROM queue_clocks WHERE queue = p_queue;

    WHILE v_slots > 0 AND v_room + p_beyond > 0 LOOP
        v_now := clock_timestamp();
        SELECT * INTO v_lane FROM lanes
        WHERE queue = p_queue AND wake_at <= v_now AND wake_at < 'infinity'
          AND organization_id <> ALL (v_passed)
          AND (v_room > 0 OR p_beyond > (
              SELECT coalesce(sum(cost), 0) FROM tasks
              WHERE queue = p_queue AND status = 'running'
                AND organization_id = lanes.organization_id
          ))
        ORDER BY vtime, organization_id LIMIT 1 FOR UPDATE SKIP LOCKED;
        EXIT WHEN NOT FOUND;

        SELECT organization.weight, plan.concurrent_tasks INTO v_weight, v_tasks_at_once
        FROM organizations organization LEFT JOIN plans plan ON plan.tier = tier_of(organization.id)
        WHERE organization.id = v_lane.organization_id;
        IF v_tasks_at_once <= (
            SELECT count(*) FROM tasks
            WHERE organization_id = v_lane.organization_id AND status = 'running'
        ) THEN
            UPDATE lanes SET wake_at = 'infinity', limited_to = v_tasks_at_once
            WHERE queue = p_queue AND organization_id = v_lane.organization_id;
            CONTINUE;
        END IF;

        SELECT * INTO v_task FROM pick_task(p_queue, v_lane.organization_id, v_now, p_affinity);
        v_found := FOUND;
        IF v_found THEN
            v_lane.vtime := greatest(v_lane.vtime, v_least);
            UPDATE tasks SET
                vtime = v_lane.vtime, status = 'running', attempt = attempt + 1, progress = 0, runner_id = p_runner,
                lease_expires_at = v_now + make_interval(secs => p_lease_seconds),
                claimed_at = v_now, started_at = coalesce(started_at, v_now), updated_at = v_now
            WHERE id = v_task.id RETURNING * INTO v_task;
            RETURN NEXT v_task;
            v_slots := v_slots - 1;
            v_room := v_room - v_task.cost;
            v_served := v_served || v_lane.organization_id;
            v_clock := greatest(v_clock, v_lane.vtime);
            v_lane.vtime := v_lane.vtime + v_task.cost / v_weight;
            v_lane.pending := v_lane.pending - 1;
            v_lane.pending_cost := v_lane.pending_cost - v_task.cost;
        END IF;

        v_lane.wake_at := coalesce(
            (
                SELECT available_at FROM tasks
                WHERE queue = p_queue AND organization_id = v_lane.organization_id
                  AND status = 'pending'
                ORDER BY available_at LIMIT 1
            ),
            'infinity'
        );
        UPDATE lanes SET
            vtime = v_lane.vtime, wake_at = v_lane.wake_at, limited_to = NULL,
            pending = v_lane.pending, pending_cost = v_lane.pending_cost
        WHERE queue = p_queue AND organization_id = v_lane.organization_id;
        IF NOT v_found THEN
            -- All it has is locked by others or not due yet: not again in this call.
            v_passed := v_passed || v_lane.organization_id;
        END IF;
    END LOOP;

    IF v_served <> '{}' THEN
        INSERT INTO queue_clocks AS clock (queue, vtime, resumed_at)
        VALUES (p_queue, v_clock, queue_clock(p_queue))
        ON CONFLICT (queue) DO UPDATE SET
            vtime = greatest(clock.vtime, excluded.vtime), resumed_at = excluded.resumed_at;
        PERFORM FROM event_cursors WHERE organization_id = ANY (v_served)
        ORDER BY organization_id FOR UPDATE;
    END IF;
END
$$
