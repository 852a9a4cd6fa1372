"""Who may call us. To add a registry, write its file and name it here."""

from __future__ import annotations

from integrations.receivers.acr import AzureContainerRegistry
from integrations.receivers.aliyun import AlibabaContainerRegistry
from integrations.receivers.base import Caller, Receiver
from integrations.receivers.distribution import Distribution
from integrations.receivers.docker_hub import DockerHub
from integrations.receivers.ecr import ElasticContainerRegistry
from integrations.receivers.gar import GoogleArtifactRegistry
from integrations.receivers.gitea import Gitea
from integrations.receivers.github import GitHubPackages
from integrations.receivers.harbor import Harbor
from integrations.receivers.jfrog import JFrog
from integrations.receivers.msr import MirantisSecureRegistry
from integrations.receivers.nexus import Nexus
from integrations.receivers.oci import Oci
from integrations.receivers.quay import Quay
from integrations.receivers.trigger import Trigger

RECEIVERS: dict[str, Receiver] = {
    r.kind: r
    for r in (
        GitHubPackages(),
        DockerHub(),
        Harbor(),
        MirantisSecureRegistry(),
        Distribution(),
        Gitea(),
        Quay(),
        AzureContainerRegistry(),
        ElasticContainerRegistry(),
        GoogleArtifactRegistry(),
        JFrog(),
        Nexus(),
        AlibabaContainerRegistry(),
        Oci(),
    )
}
# With the one whose calls name no images, but ask for work.
CALLERS: dict[str, Caller] = {**RECEIVERS, Trigger.kind: Trigger()}


def choices() -> list[tuple[str, str]]:
    return [(caller.kind, caller.label) for caller in CALLERS.values()]
