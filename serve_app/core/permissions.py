"""Who may do what: the one table. An operation that is not in it may be done by nobody."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from db.models import Role


class Least(IntEnum):
    """The least that a caller must be, in the organization that the request acts in."""

    PUBLIC = 0
    # Any active account, for what concerns that account alone.
    ACCOUNT = 1
    VIEWER = 2
    EDITOR = 3
    ADMIN = 4
    OWNER = 5
    SUPERUSER = 6


RANKS: Final[Mapping[Role, Least]] = {
    Role.VIEWER: Least.VIEWER,
    Role.EDITOR: Least.EDITOR,
    Role.ADMIN: Least.ADMIN,
    Role.OWNER: Least.OWNER,
}

# Operation id → least.
PERMISSIONS: Final[Mapping[str, Least]] = {
    # Of the Backend: the login,
    "login_access_token": Least.PUBLIC,
    "login_refresh_token": Least.PUBLIC,
    "login_test_token": Least.ACCOUNT,
    "logout": Least.ACCOUNT,
    "recover_password": Least.PUBLIC,
    "reset_password": Least.PUBLIC,
    # users,
    "list_users": Least.ADMIN,
    "create_user": Least.SUPERUSER,
    "get_me": Least.ACCOUNT,
    "update_me": Least.ACCOUNT,
    "change_my_password": Least.ACCOUNT,
    "get_user": Least.ADMIN,
    "update_user": Least.SUPERUSER,
    "delete_user": Least.SUPERUSER,
    # organizations and who belongs to them,
    "list_organizations": Least.ACCOUNT,
    "create_organization": Least.SUPERUSER,
    "get_organization": Least.VIEWER,
    "update_organization": Least.ADMIN,
    "delete_organization": Least.SUPERUSER,
    "list_members": Least.VIEWER,
    "update_member": Least.ADMIN,
    "remove_member": Least.ADMIN,
    "list_invitations": Least.ADMIN,
    "create_invitation": Least.ADMIN,
    "withdraw_invitation": Least.ADMIN,
    "accept_invitation": Least.PUBLIC,
    # API keys,
    "list_api_keys": Least.ADMIN,
    "create_api_key": Least.ADMIN,
    "revoke_api_key": Least.ADMIN,
    # brands,
    "list_brands": Least.VIEWER,
    "create_brand": Least.EDITOR,
    "get_brand": Least.VIEWER,
    "update_brand": Least.EDITOR,
    "delete_brand": Least.EDITOR,
    # generations,
    "list_generations": Least.VIEWER,
    "get_generation": Least.VIEWER,
    "cancel_generation": Least.EDITOR,
    "reproduce_generation": Least.EDITOR,
    "generate_shot": Least.EDITOR,
    "generate_shooting": Least.EDITOR,
    # and generation models.
    "list_generation_models": Least.PUBLIC,
    "get_generation_model": Least.PUBLIC,
    # Of the Compute API the tasks,
    "create_task": Least.EDITOR,
    "create_generation": Least.EDITOR,
    "list_tasks": Least.VIEWER,
    "get_generation_task": Least.VIEWER,
    "get_task": Least.VIEWER,
    "cancel_task": Least.EDITOR,
    # and the storage.
    "upload_image": Least.EDITOR,
    # By its signature too, which needs no caller.
    "get_image": Least.VIEWER,
}
