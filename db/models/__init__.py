"""The tables, one file per aggregate. Importing this package registers them all."""

from db.models.base import Base
from db.models.event import Event, EventCursor, EventKind
from db.models.idempotency_key import IdempotencyKey
from db.models.lane import Lane, QueueClock
from db.models.organization import ApiKey, Organization
from db.models.task import Task, TaskStatus
from db.models.user import Invitation, LoginFailure, LoginSession, Membership, Role, User

__all__ = [
    "ApiKey",
    "Base",
    "Event",
    "EventCursor",
    "EventKind",
    "IdempotencyKey",
    "Invitation",
    "Lane",
    "LoginFailure",
    "LoginSession",
    "Membership",
    "Organization",
    "QueueClock",
    "Role",
    "Task",
    "TaskStatus",
    "User",
]
