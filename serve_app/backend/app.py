"""The Backend API as one ASGI application, mounted by the gateway."""

from __future__ import annotations

from fastapi import FastAPI

from configs.settings import Settings
from serve_app.backend.api_keys.endpoints import router as api_keys
from serve_app.backend.brands.endpoints import router as brands
from serve_app.backend.generation_models.endpoints import router as generation_models
from serve_app.backend.invitations.endpoints import router as invitations
from serve_app.backend.login.endpoints import router as login
from serve_app.backend.members.endpoints import router as members
from serve_app.backend.organizations.endpoints import router as organizations
from serve_app.backend.users.endpoints import router as users
from serve_app.core.api import create_api


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
    # /generation-models
    api.include_router(generation_models)
    return api
