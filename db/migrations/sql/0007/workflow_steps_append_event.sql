-- One event, about its workflow, for a change of a step's status.
CREATE FUNCTION workflow_steps_append_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM append_event(
        NEW.organization_id,
        'workflow.step_' || NEW.status,
        NEW.workflow_id,
        jsonb_strip_nulls(jsonb_build_object(
            'step', NEW.name,
            'position', NEW.position,
            'type', NEW.type,
            'status', NEW.status,
            'reused', CASE WHEN NEW.reused THEN true END,
            'error', NEW.error,
            'error_code', NEW.error_code
        ))
    );
    RETURN NULL;
END
$$
