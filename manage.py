#!/usr/bin/env python
"""Django's entry point; `dockrev` is the same with the everyday commands."""

from dockrev.cli import manage

if __name__ == "__main__":
    manage()
