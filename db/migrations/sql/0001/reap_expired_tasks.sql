-- Take back running tasks whose lease ran out: pending again, or failed after too many failures.
-- Tasks in one order (organization, queue) wake lanes and append events in one order.
CREATE FUNCTION reap_expired_tasks(p_limit integer)
RETURNS SETOF tasks LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_task tasks;
    v_exhausted boolean;
    v_reaped uuid[] := '{}';
BEGIN
    FOR v_task IN
        SELECT * FROM tasks WHERE status = 'running' AND lease_expires_at < v_now
        ORDER BY organization_id, queue, id LIMIT p_limit FOR UPDATE SKIP LOCKED
    LOOP
        v_exhausted := jsonb_array_length(v_task.failures) + 1 >= v_task.max_attempts;
        UPDATE tasks SET
            status = CASE WHEN v_exhausted THEN 'failed' ELSE 'pending' END,
            error = CASE WHEN v_exhausted THEN 'The runner of this task was lost' END,
            error_code = CASE WHEN v_exhausted THEN 'runner_lost' END,
            completed_at = CASE WHEN v_exhausted THEN v_now END,
            available_at = CASE WHEN v_exhausted THEN available_at ELSE v_now END,
            progress = CASE WHEN v_exhausted THEN progress ELSE 0 END,
            lease_expires_at = NULL,
            updated_at = v_now,
            failures = failures || jsonb_build_object(
                'attempt', attempt, 'at', v_now, 'code', 'runner_lost',
                'reason', 'runner lost', 'runner', runner_id
            )
        WHERE id = v_task.id RETURNING * INTO v_task;
        v_reaped := v_reaped || v_task.organization_id;
        RETURN NEXT v_task;
    END LOOP;

    PERFORM FROM event_cursors WHERE organization_id = ANY (v_reaped)
    ORDER BY organization_id FOR UPDATE;
END
$$
