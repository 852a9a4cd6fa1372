"""The person who sets everything up, made by the first start."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction

from dockrev.permissions import Role

_PASSWORD_BYTES = 12


@transaction.atomic
def make() -> tuple[str, str] | None:
    """Make the first admin, where nobody is there yet.

    Returns name and password, the latter empty if it was chosen in the environment and need not
    be shown; None if there are people already.
    """
    if User.objects.exists():
        return None
    chosen: str = settings.ADMIN_PASSWORD
    password = chosen or secrets.token_urlsafe(_PASSWORD_BYTES)
    user = User.objects.create_superuser(settings.ADMIN_USERNAME, password=password)
    user.groups.add(Group.objects.get_or_create(name=Role.ADMIN.name.lower())[0])
    return user.username, "" if chosen else password
