"""What a process loads, it keeps in memory: the server does without what only workers need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.processes.instance import ROOT

SERVER = """
import sys
import django
django.setup()
from django.urls import get_resolver
from dockrev.wsgi import application
assert get_resolver().url_patterns
print(*(name for name in ("docker", "django_q.cluster") if name in sys.modules))
"""


def test_the_server_does_not_load_what_only_workers_need(tmp_path: Path) -> None:
    environment = {"DJANGO_SETTINGS_MODULE": "dockrev.settings", "DOCKREV_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", SERVER],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split(), done.returncode) == ([], 0), done.stderr
