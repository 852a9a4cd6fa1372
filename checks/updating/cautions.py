"""What people should know before they let an update happen."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from checks.models import Candidate
from checks.updating.choosing import Wanted
from checks.updating.demands import Demands
from checks.updating.images import Found
from checks.updating.runs import Runs

DATABASES = frozenset(
    {
        "postgres",
        "postgresql",
        "postgis",
        "timescaledb",
        "pgvector",
        "mysql",
        "mariadb",
        "percona",
        "mongo",
        "mongodb",
        "influxdb",
        "clickhouse-server",
        "elasticsearch",
        "opensearch",
        "couchdb",
        "cassandra",
        "neo4j",
        "etcd",
    }
)
"""Images whose data a newer version may change so that the older one cannot read it."""


def of_the_image(wanted: Wanted, *, is_saved: bool) -> Iterator[str]:
    """`is_saved` where the update backs up its data."""
    candidate = wanted.candidate
    if candidate.arch == Candidate.Arch.MISMATCH:
        text = _("It is not built for %(platform)s, and may not start.")
        yield text % {"platform": candidate.platform or wanted.service.runs_on or "?"}
    elif candidate.arch == Candidate.Arch.UNKNOWN:
        yield _("It is not known which platforms it is built for.")
    if candidate.step == Candidate.Step.MAJOR:
        yield _("A major step: its release notes may ask for work by hand.")
    elif candidate.step == Candidate.Step.OTHER:
        yield _("How large this step is cannot be told from the tags.")
    name = wanted.service.repository.rpartition("/")[2]
    if name in DATABASES and candidate.step != Candidate.Step.REBUILT:
        if is_saved:
            yield _("A database: the older version may not read its data afterwards.")
        else:
            yield _(
                "A database: the older version may not read its data afterwards. Back it up first."
            )


def of_what_runs(runs: Runs, demands: Demands, *, is_built: bool) -> Iterator[str]:
    if not runs.is_running:
        yield _("It is stopped; the update starts it.")
    elif runs.health == "unhealthy":
        yield _("It is unhealthy now, before any update.")
    elif not runs.health and not demands.has_probes:
        yield _("It has no healthcheck: that it stays up is all that can be seen.")
    if not demands.rolls_back:
        yield _("Its policy says not to roll back: where the update fails, it stays so.")
    if runs.replicas > 1:
        text = ngettext(
            "Its %(number)d container is made anew.",
            "All its %(number)d containers are made anew.",
            runs.replicas,
        )
        yield text % {"number": runs.replicas}
    if is_built:
        yield _("It can be built here, too; the registry's image takes the place of that.")


def of_others(
    candidate: Candidate, found: Found, running: Container[str], same: Sequence[str]
) -> Iterator[str]:
    """`same` are services that run the same image and are not updated."""
    for name in found.variables:
        places = sorted({edit.path for edit in found.edits if edit.names == name})
        text = _("The variable %(name)s is changed, in %(path)s.")
        yield text % {"name": name, "path": ", ".join(places)}
    for name, image in found.also.items():
        if name in running:
            text = _("%(name)s gets %(image)s by the same change, and is made anew with it.")
        else:
            text = _("%(name)s gets %(image)s by the same change, once it is started.")
        yield text % {"name": name, "image": image}
    for place in found.uses:
        yield _("The same variable is also used at %(place)s.") % {"place": place}
    if same and candidate.step == Candidate.Step.REBUILT:
        text = _("The same tag is used by %(names)s, which gets the new image when next made.")
        yield text % {"names": ", ".join(same)}
    elif same:
        text = _("The same image is used by %(names)s, which keeps its version.")
        yield text % {"names": ", ".join(same)}
