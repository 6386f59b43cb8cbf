-- A task has ended without being claimed: its lane has one less. (A claim counts its own.) A claim
-- passes over the lane until the commit, and runners are told to look again then.
CREATE FUNCTION tasks_leave_lane() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE lanes SET pending = pending - 1, pending_cost = pending_cost - OLD.cost
    WHERE queue = OLD.queue AND organization_id = OLD.organization_id;
    PERFORM pg_notify('sartiq_tasks', OLD.queue);
    RETURN NULL;
END
$$
