"""One visit to an engine while a person waits: what answers there, and what it lets us do.

Importing this loads the Docker SDK.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from docker.errors import DockerException
from requests import RequestException

from checks.discovery.engine import Client, connect, is_read_only
from checks.discovery.labels import Label, origin_of, what_is_missing
from checks.discovery.places import Place
from checks.discovery.unreachable import explain
from checks.discovery.ways import reaching
from checks.host_trying import CHANGE, FILES, REACH, READ
from checks.registry.visit import FAILED, OK, SKIPPED, Step

PATIENCE = 8  # seconds for each call: a sign-in by ssh takes some


def knock(place: Place) -> list[Step]:
    """What was found, step by step."""
    steps: list[Step] = []
    with reaching(place):
        try:
            client = connect(place, timeout=PATIENCE)
        except (DockerException, RequestException, OSError, ValueError) as error:
            return [Step(REACH, FAILED, explain(error, place))]
        try:
            steps.extend(_steps(client, place))
        except (DockerException, RequestException, OSError) as error:
            steps.append(Step(READ if steps else REACH, FAILED, explain(error, place)))
        finally:
            client.close()
    return steps


def _steps(client: Client, place: Place) -> Iterator[Step]:
    """Raises what the SDK does."""
    said = client.api.version()
    text = _("Docker Engine %(version)s for %(os)s/%(arch)s answers.")
    values = {"version": said.get("Version"), "os": said.get("Os"), "arch": said.get("Arch")}
    yield Step(REACH, OK, text % values)
    listed = client.api.containers(all=True, filters={"label": [str(Label.PROJECT)]})
    client.api.images(quiet=True)
    text = ngettext(
        "%(count)d container of Compose projects can be read.",
        "%(count)d containers of Compose projects can be read.",
        len(listed),
    )
    yield Step(READ, OK, text % {"count": len(listed)})
    yield _change(is_read_only(client))
    yield _files(place, [each.get("Labels") or {} for each in listed])


def _change(refused: bool | None) -> Step:
    if refused is None:
        return Step(CHANGE, SKIPPED, _("Whether anything may be changed is not clear yet."))
    if refused:
        text = _(
            "Only reading is allowed: services are found and checked, and not updated. If they "
            "are to be, let the socket proxy pass POST on containers, images and networks."
        )
        return Step(CHANGE, SKIPPED, text)
    return Step(CHANGE, OK, _("Containers may be changed."))


def _files(place: Place, labels: list[dict[str, str]]) -> Step:
    if not place.has_files:
        text = _(
            "Its compose files are taken to be on that machine alone: services are found and "
            "checked, and not updated."
        )
        return Step(FILES, SKIPPED, text)
    named = {each[Label.PROJECT]: origin_of(each) for each in labels}
    missing = [text for origin in named.values() if (text := what_is_missing(origin, mode=""))]
    if missing:
        text = _("Of %(count)d projects %(missing)d cannot be updated. %(why)s")
        values = {"count": len(named), "missing": len(missing), "why": missing[0]}
        return Step(FILES, SKIPPED, text % values)
    return Step(FILES, OK, _("The compose files that its containers name are here."))
