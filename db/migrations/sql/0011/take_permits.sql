-- Take up to p_wanted permits of a rate limit of p_requests per p_seconds: the generic cell rate
-- algorithm (ITU-T I.371), by the theoretical arrival time of the next request. All p_requests may
-- come at once; each is made good by an even share of the time.
--
-- Seconds are by the clock of the database, which all processes share. The commit does not wait for
-- the disk: a crash of the server may forget the last half second, and nothing else.
CREATE FUNCTION take_permits(
    p_subject uuid,
    p_bucket text,
    p_requests integer,
    p_seconds double precision,
    p_wanted integer,
    OUT granted integer,
    OUT remaining integer,
    OUT retry_in double precision,
    OUT full_in double precision
) LANGUAGE plpgsql AS $$
DECLARE
    v_interval constant double precision := p_seconds / p_requests;
    v_now double precision;
    v_arrival double precision;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT arrival INTO v_arrival FROM rate_limits
    WHERE subject_id = p_subject AND bucket = p_bucket FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO rate_limits (subject_id, bucket, arrival) VALUES (p_subject, p_bucket, 0)
        ON CONFLICT DO NOTHING;
        SELECT arrival INTO v_arrival FROM rate_limits
        WHERE subject_id = p_subject AND bucket = p_bucket FOR UPDATE;
    END IF;

    v_now := extract(epoch FROM clock_timestamp());
    v_arrival := greatest(v_arrival, v_now);
    -- Sums of intervals are off by some last digits.
    remaining := floor((v_now + p_seconds - v_arrival) / v_interval + 1e-6);
    granted := greatest(0, least(p_wanted, remaining));
    remaining := greatest(0, remaining - granted);
    IF granted > 0 THEN
        v_arrival := v_arrival + granted * v_interval;
        UPDATE rate_limits SET arrival = v_arrival
        WHERE subject_id = p_subject AND bucket = p_bucket;
    END IF;
    retry_in := greatest(0, v_arrival + v_interval - p_seconds - v_now);
    full_in := v_arrival - v_now;
END
$$
