-- One event for a new task or a change of its status.
CREATE FUNCTION tasks_append_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM append_event(
        NEW.organization_id,
        CASE
            WHEN TG_OP = 'INSERT' THEN 'task.created'
            WHEN NEW.status = 'pending' THEN 'task.retrying'
            ELSE 'task.' || NEW.status
        END,
        NEW.id,
        jsonb_strip_nulls(jsonb_build_object(
            'type', NEW.type,
            'status', NEW.status,
            'attempt', NEW.attempt,
            'error', NEW.error,
            'error_code', NEW.error_code
        ))
    );
    RETURN NULL;
END
$$
