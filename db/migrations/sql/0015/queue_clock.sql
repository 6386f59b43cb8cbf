-- Where a lane of a queue resumes that was idle: where the lanes of the tasks that run stood when the
-- first of these was begun, or the last that was begun if none runs. So whoever comes while a long
-- batch runs may begin as much as the others did with it before they go on, and never more.
CREATE FUNCTION queue_clock(p_queue text) RETURNS double precision LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT min(vtime) FROM tasks WHERE queue = p_queue AND status = 'running'),
        (SELECT vtime FROM queue_clocks WHERE queue = p_queue),
        0
    )
$$
