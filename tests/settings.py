"""Settings of the test suite: a data directory of its own, fast passwords, no manifest."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("DOCKREV_DATA_DIR", tempfile.mkdtemp(prefix="dockrev-tests-"))

from dockrev.settings import *  # noqa: F403 - they are these, and what follows
from dockrev.settings import DATA_DIR, DATABASES, STORAGES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: locks and WAL behave as they do in the product.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(DATA_DIR) / "test.sqlite3")}

# Collected by nobody: the files are served from where they are.
STATIC_ROOT = DATA_DIR / "staticfiles"
STATIC_ROOT.mkdir(exist_ok=True)
