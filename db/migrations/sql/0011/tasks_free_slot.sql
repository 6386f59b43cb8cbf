-- A task of an organization runs no more: runners look again at the queues in which the organization
-- waits for that. It locks nothing: the claim finds out by itself who has room.
CREATE FUNCTION tasks_free_slot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('sartiq_tasks', queue) FROM lanes
    WHERE organization_id = NEW.organization_id AND limited_to IS NOT NULL;
    RETURN NULL;
END
$$
