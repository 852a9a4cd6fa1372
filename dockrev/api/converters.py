"""Ids in paths: what is not shaped like one is an unknown route and reaches no query."""

from __future__ import annotations

from django.urls.converters import StringConverter


class Id(StringConverter):
    regex = "[a-z]{3}_[0-9a-z]{26}"
