-- Wake the lane of a task that went back to pending.
CREATE OR REPLACE FUNCTION tasks_wake_lane() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM wake_lane(NEW.queue, NEW.organization_id, NEW.available_at, 1, NEW.cost);
    RETURN NULL;
END
$$
