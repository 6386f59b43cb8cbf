"""The Backend API as one ASGI application, mounted by the gateway."""

from __future__ import annotations

from fastapi import FastAPI

from configs.settings import Settings
from serve_app.backend.api_keys.endpoints import router as api_keys
from serve_app.backend.background_presets.endpoints import router as background_presets
from serve_app.backend.brands.endpoints import router as brands
from serve_app.backend.comments.endpoints import router as comments
from serve_app.backend.exports.endpoints import router as exports
from serve_app.backend.generation_models.endpoints import router as generation_models
from serve_app.backend.generations.endpoints import router as generations
from serve_app.backend.guidelines.endpoints import router as guidelines
from serve_app.backend.invitations.endpoints import router as invitations
from serve_app.backend.login.endpoints import router as login
from serve_app.backend.looks.endpoints import router as looks
from serve_app.backend.members.endpoints import router as members
from serve_app.backend.organizations.endpoints import router as organizations
from serve_app.backend.predictions.endpoints import router as predictions
from serve_app.backend.products.endpoints import router as products
from serve_app.backend.products.images.endpoints import router as product_images
from serve_app.backend.products.imports.endpoints import router as product_imports
from serve_app.backend.questions.endpoints import router as questions
from serve_app.backend.resolution_presets.endpoints import router as resolution_presets
from serve_app.backend.search.endpoints import router as search
from serve_app.backend.shootings.endpoints import router as shootings
from serve_app.backend.shot_types.endpoints import router as shot_types
from serve_app.backend.shots.endpoints import router as shots
from serve_app.backend.styles.endpoints import router as styles
from serve_app.backend.subjects.endpoints import router as subjects
from serve_app.backend.subjects.images.endpoints import router as subject_images
from serve_app.backend.subscriptions.endpoints import router as subscriptions
from serve_app.backend.trainings.endpoints import router as trainings
from serve_app.backend.uploads.endpoints import router as uploads
from serve_app.backend.users.endpoints import router as users
from serve_app.core.api import create_api, put_together
from serve_app.core.events.endpoints import router as events

# In the order of the documentation; under which paths stands above each.
_ROUTERS = (
    # /login, /logout, /password-recovery, /reset-password
    login,
    # /users
    users,
    # /organizations
    organizations,
    # /organizations/{organization_id}/members
    members,
    # /organizations/{organization_id}/invitations, /invitations
    invitations,
    # /api-keys
    api_keys,
    # /brands
    brands,
    # /products
    products,
    # /products/import
    product_imports,
    # /products/{product_id}/images
    product_images,
    # /subjects
    subjects,
    # /subjects/{subject_id}/images
    subject_images,
    # /subjects/{subject_id}/train, /products/{product_id}/train
    trainings,
    questions,
    # /uploads
    uploads,
    # /search
    search,
    # /shot-types
    shot_types,
    # /background-presets
    background_presets,
    # /resolution-presets
    resolution_presets,
    # /styles
    styles,
    # /guidelines
    guidelines,
    # /shootings
    shootings,
    # /looks
    looks,
    # /shots
    shots,
    # /shots/{shot_id}/comments
    comments,
    # /predictions
    predictions,
    # /generations, /shots/{shot_id}/generate, /shootings/{shooting_id}/generate
    generations,
    # /exports, /shootings/{shooting_id}/export
    exports,
    # /subscriptions
    subscriptions,
    # /generation-models
    generation_models,
    # /events, /tasks/{task_id}/events
    events,
)


def create_backend_api(settings: Settings) -> FastAPI:
    """The API under ``/api/v1``."""
    api = create_api("Sartiq Backend API", "The studio around the images.", settings)
    for router in _ROUTERS:
        api.include_router(router)
    return put_together(api)
