"""`dockrev token create`: an API token, printed once and stored only as a hash."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dockrev.models import ApiToken
from dockrev.permissions import Role, role_of

MAX_DAYS = 3650
MAX_LABEL = 100


class Command(BaseCommand):
    help = str(
        gettext_lazy("Make an API token and print it, and nothing else, on standard output.")
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        create = actions.add_parser("create", help=_("Make a token for a user."))
        create.add_argument("--user", required=True, metavar="NAME", help=_("Whose role it has."))
        create.add_argument("--name", default="", metavar="LABEL", help=_("What it is for."))
        create.add_argument(
            "--expires", type=int, metavar="DAYS", help=_("When it ends; never, unless given.")
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user_model().objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(_("There is no user %(name)s.") % {"name": options["user"]})
        days = options["expires"]
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise CommandError(_("--expires takes 1 to %(most)d days.") % {"most": MAX_DAYS})
        label = options["name"].strip() or _("made on the command line")
        if len(label) > MAX_LABEL:
            raise CommandError(_("--name takes %(most)d characters.") % {"most": MAX_LABEL})
        until = timezone.now() + timedelta(days=days) if days else None
        _row, token = ApiToken.issue(user, name=label, expires_at=until)
        self.stdout.write(token)
        if role_of(user) is Role.NONE:
            self.stderr.write(_("This user has no role yet, so the token may do nothing."))
