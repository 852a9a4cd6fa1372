"""Rows that tests need, made as the product makes them."""

from __future__ import annotations

from checks.models import Host, Service, Stack
from checks.registry.reference import parse
from integrations.models import HookAccount, HookTarget, Receiver
from tests import github


def service(
    image: str = "ghcr.io/acme/api:1.2.0",
    *,
    name: str = "api",
    stack: str = "shop",
    running: tuple[str, ...] = (),
) -> Service:
    host, _ = Host.objects.get_or_create(name="local")
    row, _ = Stack.objects.get_or_create(host=host, name=stack, source=Stack.Source.ENGINE)
    reference = parse(image)
    return Service.objects.create(
        stack=row,
        name=name,
        image_ref=image,
        registry=reference.registry,
        repository=reference.repository,
        tag=reference.tag,
        pinned_digest=reference.digest,
        platform="linux/amd64",
        state=Service.State.RUNNING,
        replicas=1,
        running_digests=list(running),
    )


def github_receiver(*, enabled: bool = True, secret: str = github.SECRET) -> Receiver:
    """The receiver that is there from the first start, set up."""
    row, _ = Receiver.objects.get_or_create(
        kind="github-packages", defaults={"name": "GitHub Packages"}
    )
    row.enabled, row.secret = enabled, secret
    row.save(update_fields=["enabled", "secret"])
    return row


def tracked(full_name: str = "acme/api", *, selected: bool = True) -> HookTarget:
    receiver = Receiver.objects.filter(kind="github-packages").earliest("created_at")
    account, _ = HookAccount.objects.get_or_create(
        provider="github", receiver=receiver, defaults={"name": "GitHub"}
    )
    return HookTarget.objects.create(account=account, full_name=full_name, selected=selected)
