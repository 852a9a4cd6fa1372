"""The container that makes Dockrev's container anew: of the image that runs now, with the folders,
networks and rights of Dockrev's own, and none of its labels."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from checks.discovery.labels import OF_NO_SERVICE
from checks.updating.engines import Engine
from checks.updating.failing import UpdateFailed

LABEL = "io.dockrev.self-update"  # its value is the job
ALIAS = "dockrev-update"  # its name in networks, for those who list who may call them

# Of Dockrev's container, what the helper needs to do what that could.
_CONFIG = ("User", "Env", "WorkingDir")
_HOST = (
    "NetworkMode",
    "CapAdd",
    "CapDrop",
    "SecurityOpt",
    "GroupAdd",
    "Privileged",
    "ReadonlyRootfs",
    "Tmpfs",
    "UsernsMode",
    "ExtraHosts",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "Runtime",
)
_UNNAMED = ("", "default", "bridge", "host", "none")  # networks without names for containers

Answer = dict[str, Any]


def name_of(job_id: str) -> str:
    return f"dockrev-update-{job_id}"


def start(engine: Engine, own: Answer, job_id: str) -> None:
    """`own` is what the engine says of Dockrev's container. Raises UpdateFailed."""
    refuse_two(engine, job_id)
    helper = engine.create(name_of(job_id), _described(own, job_id))
    try:
        for network in sorted(_networks(own) - {own["HostConfig"]["NetworkMode"]}):
            engine.join(helper, network, ALIAS)
        engine.start(helper)
    except UpdateFailed:
        engine.remove_container(helper)
        raise


def refuse_two(engine: Engine, job_id: str) -> None:
    """Raises UpdateFailed where another helper is at work; those that ended are removed.

    The label alone makes none: any image may bring it along. Nobody but us gives the name.
    """
    for container_id in engine.labelled(LABEL):
        seen = engine.look_inside(container_id)
        job = seen["Config"]["Labels"][LABEL] if seen else job_id
        name = str(seen.get("Name") or "").lstrip("/")
        if job != job_id and name == name_of(job):
            if is_at_work(seen):
                text = _("Another update of Dockrev is under way, in the container %(name)s.")
                raise UpdateFailed(text % {"name": name})
            engine.remove_container(container_id)


def is_at_work(seen: Answer) -> bool:
    """Whether a helper that the engine told of has not ended, or not begun."""
    return bool(seen) and seen["State"]["Status"] not in ("exited", "dead", "removing")


def _described(own: Answer, job_id: str) -> Answer:
    mode = str(own["HostConfig"]["NetworkMode"])
    kept = {name: own["Config"][name] for name in _CONFIG if own["Config"].get(name)}
    rights = {name: own["HostConfig"][name] for name in _HOST if own["HostConfig"].get(name)}
    has_names = mode not in _UNNAMED and not mode.startswith("container:")
    endpoints = {mode: {"Aliases": [ALIAS]}} if has_names else {}
    return {
        **kept,
        "Image": own["Image"],
        "Cmd": ["self-update", job_id],
        "Labels": {LABEL: job_id, **OF_NO_SERVICE},
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            **rights,
            "VolumesFrom": [own["Id"]],
            "RestartPolicy": {"Name": "no"},
        },
        "NetworkingConfig": {"EndpointsConfig": endpoints},
    }


def _networks(own: Answer) -> set[str]:
    return set(own["NetworkSettings"]["Networks"]) - set(_UNNAMED)
