"""SQL of estimates: how long tasks will wait and run."""

from __future__ import annotations

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, INTEGER, TEXT, TIMESTAMP, UUID

# What is long in a config, and says nothing about how much work it is.
_FACTS = """config - CAST(ARRAY[
    'prompt', 'negative_prompt', 'input_image', 'image', 'images', 'product', 'entries', 'dataset',
    'pictures', 'captioning'
] AS text[]) #- '{settings,sample_prompts}' AS config"""

# Tasks that their first attempt completed, the latest first.
ENDED_TASKS = text(f"""
    SELECT type, {_FACTS}, cost, created_at, claimed_at, completed_at
    FROM tasks
    WHERE completed_at > now() - interval '7 days' AND queue = :queue AND status = 'completed'
      AND failures = '[]'
    ORDER BY completed_at DESC LIMIT :limit
""")  # noqa: S608 (a constant of this module)

QUEUE_CLOCK = text("""
    SELECT clock.capacity, queue_clock(:queue) AS vtime
    FROM (SELECT) AS one LEFT JOIN queue_clocks clock ON clock.queue = :queue
""")

# Lanes with something pending, and where each would begin if it were served now.
PENDING_LANES = text("""
    SELECT lane.organization_id, lane.pending, lane.pending_cost, organization.weight,
        CASE
            WHEN lane.wake_at = 'infinity' THEN greatest(lane.vtime, queue_clock(:queue))
            ELSE lane.vtime
        END AS vtime
    FROM lanes lane
    JOIN organizations organization ON organization.id = lane.organization_id
    WHERE lane.queue = :queue AND lane.pending > 0
""")

RUNNING_TASKS = text(f"""
    SELECT organization_id, type, {_FACTS}, cost, progress
    FROM tasks WHERE queue = :queue AND status = 'running'
""")  # noqa: S608 (a constant of this module)

# Tasks of a lane, in the order in which they will be claimed.
WAITING_TASKS = text(f"""
    SELECT id, type, queue, {_FACTS}, cost, priority,
        extract(epoch FROM greatest(available_at - now(), interval '0'))::double precision AS due_in
    FROM tasks
    WHERE queue = :queue AND organization_id = :organization_id AND status = 'pending'
    ORDER BY priority DESC, created_at, id LIMIT :limit
""").bindparams(bindparam("organization_id", type_=UUID))  # noqa: S608 (a constant of this module)

# How many of them are claimed before one.
WAITING_BEFORE = text("""
    SELECT count(*) FROM tasks
    WHERE queue = :queue AND organization_id = :organization_id AND status = 'pending'
      AND (
          priority > :priority
          OR priority = :priority
          AND (CAST(:created_at AS timestamptz) IS NULL
               OR (created_at, id) < (:created_at, :task_id))
      )
""").bindparams(
    bindparam("organization_id", type_=UUID),
    bindparam("created_at", type_=TIMESTAMP(timezone=True)),
)

WEIGHT = text("SELECT weight FROM organizations WHERE id = :organization_id").bindparams(
    bindparam("organization_id", type_=UUID)
)

NOTE_CAPACITY = text("""
    INSERT INTO queue_clocks AS clock (queue, vtime, capacity)
    SELECT name, 0, capacity FROM unnest(:queues, :capacities) AS noted (name, capacity)
    ON CONFLICT (queue) DO UPDATE SET capacity = excluded.capacity
    WHERE clock.capacity IS DISTINCT FROM excluded.capacity
""").bindparams(
    bindparam("queues", type_=ARRAY(TEXT)), bindparam("capacities", type_=ARRAY(INTEGER))
)
