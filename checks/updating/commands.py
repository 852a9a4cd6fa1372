"""What Compose is called with: the one place that both a plan's page and a job have it from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from checks.updating.plan import Change, Plan, Project


def of_plan(plan: Plan, major: int) -> Iterator[list[str]]:
    """All calls of a plan, in their order, without the program's own name."""
    project = project_named(plan.project)
    for change in plan.changes:
        yield [*project, *pull(pulled(change))]
        for services, anew in ups(change):
            yield [*project, *up(services, replicas(change), major, anew=anew)]


def project_named(project: Project) -> list[str]:
    """How the project is named: as its labels say, each in one argument with its option, so that
    no name can be taken for an option."""
    folder = [f"--project-directory={project.working_dir}"] if project.working_dir else []
    return [
        f"--project-name={project.name}",
        *folder,
        *(f"--file={path}" for path in project.config_files),
        *(f"--env-file={path}" for path in project.environment_files),
        *(f"--profile={name}" for name in project.profiles),
        "--ansi=never",
    ]


def pulled(change: Change) -> tuple[str, ...]:
    return (change.service_name, *change.pulls)


def pull(services: Sequence[str]) -> list[str]:
    return ["pull", "--", *services]


def ups(change: Change) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The service, then those that are made anew with it, and whether in any case."""
    yield (change.service_name,), False
    if change.with_it:
        yield change.with_it, True


def up(
    services: Sequence[str],
    scale: Mapping[str, int],
    major: int,
    *,
    anew: bool = False,
    starts: bool = True,
) -> list[str]:
    """Start what the files say now, of these services alone, as many of each as there were: also
    where that was one, for the files may say more.

    What was planned is here by then, so nothing is built or pulled. With `anew`, containers are
    replaced in any case; without `starts` they are made, and no more.
    """
    options = ["--detach" if starts else "--no-start", "--no-deps", "--no-build"]
    if major > 1:
        options.append("--pull=never")
    if anew:
        options.append("--force-recreate")
    counts = ((name, scale.get(name, 0)) for name in services)
    options += [f"--scale={name}={count}" for name, count in counts if count]
    return ["up", *options, "--", *services]


def start(service: str, count: int, major: int) -> list[str]:
    """Start the containers that a service has, and nothing beside: `compose start` of version 2
    starts what it depends on, too, tasks that are done among it."""
    options = ["--detach", "--no-deps", "--no-recreate", "--no-build"]
    if major > 1:
        options.append("--pull=never")
    options.append(f"--scale={service}={count}")
    return ["up", *options, "--", service]


def replicas(change: Change) -> dict[str, int]:
    """How many containers each service has that a change makes anew, as its plan knows it."""
    names = (change.service_name, *change.with_it)
    return dict(zip(names, change.replicas, strict=False))
