"""The product's settings with kinds of job for these tests, and with times that tests can wait."""

from __future__ import annotations

from datetime import timedelta

from dockrev.settings import *  # noqa: F403 - they are these, and what follows
from dockrev.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.processes.jobs.apps.JobsConfig"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LEASE = timedelta(seconds=5)
LEASE_RENEW_EVERY = timedelta(seconds=1)
LONG_CLUSTER_IDLE = timedelta(seconds=2)
