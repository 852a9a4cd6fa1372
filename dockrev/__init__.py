"""Dockrev: a calm, self-hosted manager of Docker Compose updates."""

__version__ = "0.1.0"
