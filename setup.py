"""Put what lives beside the packages (templates, static files, translations) into the wheel.

In a checkout Django finds them at the top; an installed Dockrev finds them in the `dockrev` app.
Everything else about the build is in pyproject.toml.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BESIDE = ("templates", "static", "locale")


class WithPages(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for folder in filter(Path.is_dir, map(Path, BESIDE)):
            shutil.copytree(folder, Path(self.build_lib, "dockrev", folder), dirs_exist_ok=True)


setup(cmdclass={"build_py": WithPages})
