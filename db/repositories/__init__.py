"""All queries, one file per aggregate. What belongs to an organization is reached only through its
:class:`~db.repositories.scope.OrganizationScope`."""

from db.repositories.api_keys import ApiKeyRepository, ApiKeyWriter
from db.repositories.events import EventRepository
from db.repositories.idempotency import IdempotencyRepository
from db.repositories.logins import LoginRepository, RecentFailures
from db.repositories.members import InvitationRepository, MemberRepository, MemberWriter
from db.repositories.organizations import OrganizationRepository, OrganizationWriter
from db.repositories.queue import (
    Cancellation,
    ClaimedTask,
    Failure,
    NewTask,
    ProgressReport,
    ReapedTask,
    TaskQueue,
)
from db.repositories.queue_monitor import Backlog, QueueMonitor
from db.repositories.scope import OrganizationScope, Page
from db.repositories.tasks import TaskRepository
from db.repositories.users import UserRepository, UserWriter

__all__ = [
    "ApiKeyRepository",
    "ApiKeyWriter",
    "Backlog",
    "Cancellation",
    "ClaimedTask",
    "EventRepository",
    "Failure",
    "IdempotencyRepository",
    "InvitationRepository",
    "LoginRepository",
    "MemberRepository",
    "MemberWriter",
    "NewTask",
    "OrganizationRepository",
    "OrganizationScope",
    "OrganizationWriter",
    "Page",
    "ProgressReport",
    "QueueMonitor",
    "ReapedTask",
    "RecentFailures",
    "TaskQueue",
    "TaskRepository",
    "UserRepository",
    "UserWriter",
]
