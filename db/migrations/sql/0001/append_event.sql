-- Append one event to an organization's log. The cursor's row lock is held until the commit, which
-- makes the log gapless and its order that of the commits; it must therefore be the last lock of a
-- transaction (see tasks_append_event, which runs at the commit).
CREATE FUNCTION append_event(
    p_organization uuid, p_kind text, p_subject text, p_data jsonb
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_seq bigint;
BEGIN
    INSERT INTO event_cursors AS cursor (organization_id, seq) VALUES (p_organization, 1)
    ON CONFLICT (organization_id) DO UPDATE SET seq = cursor.seq + 1
    RETURNING cursor.seq INTO v_seq;

    INSERT INTO events (organization_id, seq, kind, subject_id, data, created_at)
    VALUES (p_organization, v_seq, p_kind, p_subject, p_data, clock_timestamp());

    PERFORM pg_notify('sartiq_events', p_organization::text);
    RETURN v_seq;
END
$$
