"""The tables, one file per aggregate. Importing this package registers them all."""

from db.models.adapter import Adapter, AdapterName, AdapterSource, EntityType
from db.models.base import Base
from db.models.brand import Brand
from db.models.event import Event, EventCursor, EventKind
from db.models.export import Export
from db.models.generation import (
    Generation,
    GenerationInput,
    GenerationStep,
    GenerationType,
    Prediction,
    PredictionStatus,
    StepKind,
)
from db.models.hosted import HostedCall, HostedState, ProviderCircuit
from db.models.idempotency_key import IdempotencyKey
from db.models.lane import Lane, QueueClock
from db.models.limit import DailyTasks, PlanLimit, RateLimit
from db.models.media import Media
from db.models.organization import ApiKey, Organization
from db.models.preset import (
    BackgroundPreset,
    BackgroundType,
    Framing,
    ResolutionPreset,
    ShotType,
    View,
)
from db.models.product import Product, ProductFamily, ProductImage, ProductImageType
from db.models.shooting import FileFormat, Look, LookProduct, Shooting, ShootingPhase
from db.models.shot import Shot, ShotComment, ShotRevision, ShotStatus
from db.models.style import Guideline, GuidelineRule, Style
from db.models.subject import AgeClass, Subject, SubjectImage, SubjectKind
from db.models.subscription import CreditEntry, CreditReason, Subscription
from db.models.task import Task, TaskStatus
from db.models.training import (
    Training,
    TrainingCheckpoint,
    TrainingInput,
    TrainingSample,
    TrainingStep,
    TrainingValidation,
)
from db.models.user import Invitation, LoginFailure, LoginSession, Membership, Role, User
from db.models.webhook import (
    DeliveryStatus,
    TaskWebhook,
    Webhook,
    WebhookCursor,
    WebhookDelivery,
    WebhookSecret,
)
from db.models.worker import Worker
from db.models.workflow import (
    OnFailure,
    StepStatus,
    Workflow,
    WorkflowStatus,
    WorkflowStep,
    WorkflowTask,
)

__all__ = [
    "Adapter",
    "AdapterName",
    "AdapterSource",
    "AgeClass",
    "ApiKey",
    "BackgroundPreset",
    "BackgroundType",
    "Base",
    "Brand",
    "CreditEntry",
    "CreditReason",
    "DailyTasks",
    "DeliveryStatus",
    "EntityType",
    "Event",
    "EventCursor",
    "EventKind",
    "Export",
    "FileFormat",
    "Framing",
    "Generation",
    "GenerationInput",
    "GenerationStep",
    "GenerationType",
    "Guideline",
    "GuidelineRule",
    "HostedCall",
    "HostedState",
    "IdempotencyKey",
    "Invitation",
    "Lane",
    "LoginFailure",
    "LoginSession",
    "Look",
    "LookProduct",
    "Media",
    "Membership",
    "OnFailure",
    "Organization",
    "PlanLimit",
    "Prediction",
    "PredictionStatus",
    "Product",
    "ProductFamily",
    "ProductImage",
    "ProductImageType",
    "ProviderCircuit",
    "QueueClock",
    "RateLimit",
    "ResolutionPreset",
    "Role",
    "Shooting",
    "ShootingPhase",
    "Shot",
    "ShotComment",
    "ShotRevision",
    "ShotStatus",
    "ShotType",
    "StepKind",
    "StepStatus",
    "Style",
    "Subject",
    "SubjectImage",
    "SubjectKind",
    "Subscription",
    "Task",
    "TaskStatus",
    "TaskWebhook",
    "Training",
    "TrainingCheckpoint",
    "TrainingInput",
    "TrainingSample",
    "TrainingStep",
    "TrainingValidation",
    "User",
    "View",
    "Webhook",
    "WebhookCursor",
    "WebhookDelivery",
    "WebhookSecret",
    "Worker",
    "Workflow",
    "WorkflowStatus",
    "WorkflowStep",
    "WorkflowTask",
]
