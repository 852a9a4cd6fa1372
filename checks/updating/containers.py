"""A container as the engine describes it, and which one this process runs in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checks.discovery.engine import RUNNING

LONGEST_LINE = 1000
SHORT = 12  # characters of an id, as people and Compose use it
NANO = 1_000_000_000
MOUNTS = Path("/proc/self/mountinfo")
GROUPS = Path("/proc/self/cgroup")

_OWN_ID = re.compile(r"/containers/([0-9a-f]{64})/(?:hostname|hosts|resolv\.conf)\s")
_OWN_GROUP = re.compile(r"/docker[/-]([0-9a-f]{64})(?:\.scope)?$", re.MULTILINE)

Answer = dict[str, Any]  # JSON of the engine's API


@dataclass(frozen=True)
class Healthcheck:
    """Seconds, as the engine keeps to them."""

    interval: float
    timeout: float
    retries: int
    start_period: float


@dataclass(frozen=True)
class Published:
    """A TCP port of a container, and where its host has it; `address` is empty for everywhere."""

    port: int
    address: str
    host_port: int


@dataclass(frozen=True)
class Container:
    """One container as the engine has it now. `health` is empty where it has no healthcheck."""

    id: str
    name: str
    image_id: str
    status: str
    exit_code: int
    restarts: int
    started_at: str
    restart_policy: str
    health: str = ""
    healthcheck: Healthcheck | None = None
    health_log: tuple[str, ...] = ()
    addresses: frozenset[str] = frozenset()  # of its own, in the networks of its engine
    gateways: frozenset[str] = frozenset()  # its host's, in these networks
    network_mode: str = ""
    published: tuple[Published, ...] = ()

    @property
    def is_serving(self) -> bool:
        """Whether it was not stopped, however it fares."""
        return self.status in RUNNING

    @property
    def is_done(self) -> bool:
        """Whether it did its one task and is not to be started again."""
        ends = self.restart_policy in ("", "no", "on-failure")
        return self.status == "exited" and self.exit_code == 0 and ends


def read_container(seen: Answer) -> Container:
    """From what the engine says of it when it is inspected."""
    state, policy = seen["State"], seen.get("HostConfig", {}).get("RestartPolicy") or {}
    health = state.get("Health") or {}
    network = seen.get("NetworkSettings") or {}
    networks = network.get("Networks") or {}
    checked = health.get("Status") not in (None, "", "none")
    return Container(
        id=seen["Id"],
        name=str(seen.get("Name") or "").lstrip("/"),
        image_id=seen["Image"],
        status=str(state.get("Status") or ""),
        exit_code=int(state.get("ExitCode") or 0),
        restarts=int(seen.get("RestartCount") or 0),
        started_at=str(state.get("StartedAt") or ""),
        restart_policy=str(policy.get("Name") or ""),
        health=str(health["Status"]) if checked else "",
        healthcheck=_healthcheck(seen["Config"].get("Healthcheck") or {}) if checked else None,
        health_log=tuple(_said(each) for each in (health.get("Log") or ())[-5:]),
        addresses=_addresses(networks, "IPAddress", "GlobalIPv6Address"),
        gateways=_addresses(networks, "Gateway", "IPv6Gateway"),
        network_mode=str((seen.get("HostConfig") or {}).get("NetworkMode") or ""),
        published=tuple(_published(network.get("Ports") or {})),
    )


def _addresses(networks: Mapping[str, Answer], *kinds: str) -> frozenset[str]:
    of_each = (each.get(kind) for each in networks.values() for kind in kinds)
    return frozenset(str(each) for each in of_each if each)


def _published(ports: Mapping[str, list[Answer] | None]) -> Iterator[Published]:
    for name, places in ports.items():
        port, _slash, kind = name.partition("/")
        for place in places or () if kind == "tcp" else ():
            address = str(place.get("HostIp") or "")
            everywhere = address in ("0.0.0.0", "::")  # noqa: S104 - it is read, not bound to
            yield Published(int(port), "" if everywhere else address, int(place["HostPort"]))


def _healthcheck(said: Answer) -> Healthcheck:
    """Zero stands for the engine's own default."""
    return Healthcheck(
        interval=(said.get("Interval") or 30 * NANO) / NANO,
        timeout=(said.get("Timeout") or 30 * NANO) / NANO,
        retries=said.get("Retries") or 3,
        start_period=(said.get("StartPeriod") or 0) / NANO,
    )


def _said(probe: Answer) -> str:
    text = " ".join(plain(line) for line in str(probe.get("Output") or "").splitlines())
    return f"{probe.get('ExitCode')}: {text[:LONGEST_LINE]}".strip()


def half_made(containers: Sequence[Container]) -> list[Container]:
    """What a Compose that was killed left of these: made to take the place of another of them,
    which is still there. Compose v2 calls it by that one's short id until the other is gone, and
    then it is the only one that has its data."""
    ids = {each.id[:SHORT] for each in containers}
    return [
        each
        for each in containers
        if each.status == "created" and each.name[:SHORT] in ids - {each.id[:SHORT]}
    ]


def own_container() -> str:
    """The id of the container that this process runs in; empty outside of one.

    Its files for names are mounted from a folder that is called so; with the older kind of control
    groups, so is its group.
    """
    for path, pattern in ((MOUNTS, _OWN_ID), (GROUPS, _OWN_GROUP)):
        with suppress(OSError):
            if found := pattern.search(path.read_text(errors="replace")):
                return found.group(1)
    return ""


_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
# Also those of eight bits, and what turns the direction of the text or ends a line.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def plain(line: str) -> str:
    """Without colours, cursor movements and other things that are no text."""
    return _CONTROL.sub("", _ESCAPE.sub("", line)).rstrip()
