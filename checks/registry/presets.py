"""What to enter as user and password, at registries that many people use."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = str | Promise


@dataclass(frozen=True)
class Preset:
    """`hosts` are names, or endings of names that begin with a dot; none: wherever it is kept."""

    name: Words
    hosts: tuple[str, ...]
    user: Words
    password: Words
    note: Words = ""

    def is_for(self, host: str) -> bool:
        return any(
            host.endswith(each) if each.startswith(".") else host == each for each in self.hosts
        )


PRESETS = (
    Preset(
        _("GitHub (GHCR)"),
        ("ghcr.io", "lscr.io"),
        _("your GitHub user name"),
        _("a personal access token (classic) with read:packages"),
        _("Public images need neither."),
    ),
    Preset(
        _("Docker Hub"),
        ("docker.io",),
        _("your Docker ID"),
        _("a personal access token with read-only access"),
        _("Public images need neither, but who signs in may ask more often."),
    ),
    Preset(
        _("Quay"),
        ("quay.io",),
        _("a robot account: organisation+robot"),
        _("the robot's token"),
        _("Give the robot Read on the repositories."),
    ),
    Preset(
        _("GitLab"),
        ("registry.gitlab.com",),
        _("the user name of a deploy token"),
        _("the deploy token, with read_registry"),
        _("Your own user name with a personal access token with read_registry does as well."),
    ),
    Preset(
        _("Harbor"),
        (),
        _("a robot account: robot$name"),
        _("the robot's secret"),
        _("Give the robot Pull Repository, and List Tag."),
    ),
    Preset(
        _("Google Artifact Registry, GCR"),
        ("gcr.io", ".gcr.io", ".pkg.dev"),
        "_json_key",
        _("the whole content of the service account's key file"),
        _("The account needs the role Artifact Registry Reader."),
    ),
    Preset(
        _("Azure Container Registry"),
        (".azurecr.io",),
        _("the name of a repository-scoped token, or a service principal's application id"),
        _("its password"),
        _("A service principal needs the role AcrPull."),
    ),
    Preset(
        _("Amazon ECR"),
        (".amazonaws.com",),
        _("empty"),
        _("empty"),
        _(
            "Its passwords end after twelve hours. Put docker-credential-ecr-login on the path, "
            'name it in Docker\'s config.json ("credHelpers": {"<host>": "ecr-login"}), and give '
            "Dockrev AWS credentials."
        ),
    ),
    Preset(
        _("One of your own"),
        (),
        _("a user of its htpasswd file, or of its token server"),
        _("that user's password"),
        _("If a CA of your own signed its certificate, paste that CA's below."),
    ),
)
