-- One event for a new workflow or a change of its status.
CREATE FUNCTION workflows_append_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM append_event(
        NEW.organization_id,
        CASE
            WHEN TG_OP = 'INSERT' THEN 'workflow.created'
            WHEN NEW.status = 'running' AND OLD.status = 'created' THEN 'workflow.started'
            WHEN NEW.status = 'running' THEN 'workflow.resumed'
            ELSE 'workflow.' || NEW.status
        END,
        NEW.id,
        jsonb_strip_nulls(jsonb_build_object(
            'name', NEW.name,
            'status', NEW.status,
            'error', NEW.error,
            'error_code', NEW.error_code
        ))
    );
    RETURN NULL;
END
$$
