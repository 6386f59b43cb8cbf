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


def create_backend_api(settings: Settings) -> FastAPI:
    """The API under ``/api/v1``."""
    api = create_api("Sartiq Backend API", "The studio around the images.", settings)
    # /login, /logout, /password-recovery, /reset-password
    api.include_router(login)
    # /users
    api.include_router(users)
    # /organizations
    api.include_router(organizations)
    # /organizations/{organization_id}/members
    api.include_router(members)
    # /organizations/{organization_id}/invitations, /invitations
    api.include_router(invitations)
    # /api-keys
    api.include_router(api_keys)
    # /brands
    api.include_router(brands)
    # /products
    api.include_router(products)
    # /products/import
    api.include_router(product_imports)
    # /products/{product_id}/images
    api.include_router(product_images)
    # /subjects
    api.include_router(subjects)
    # /subjects/{subject_id}/images
    api.include_router(subject_images)
    # /subjects/{subject_id}/train, /products/{product_id}/train
    api.include_router(trainings)
    # /uploads
    api.include_router(uploads)
    # /search
    api.include_router(search)
    # /shot-types
    api.include_router(shot_types)
    # /background-presets
    api.include_router(background_presets)
    # /resolution-presets
    api.include_router(resolution_presets)
    # /styles
    api.include_router(styles)
    # /guidelines
    api.include_router(guidelines)
    # /shootings
    api.include_router(shootings)
    # /looks
    api.include_router(looks)
    # /shots
    api.include_router(shots)
    # /shots/{shot_id}/comments
    api.include_router(comments)
    # /predictions
    api.include_router(predictions)
    # /generations, /shots/{shot_id}/generate, /shootings/{shooting_id}/generate
    api.include_router(generations)
    # /exports, /shootings/{shooting_id}/export
    api.include_router(exports)
    # /subscriptions
    api.include_router(subscriptions)
    # /generation-models
    api.include_router(generation_models)
    return put_together(api)
