"""The short way in for registries."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

from integrations import paths

ROUTES = "integrations.webhook_urls"


class Webhooks:
    """Takes calls that prove themselves past everything that serves people: sessions, CSRF,
    languages, sign-in. They need none of it, so none of it can refuse one or slow it down.

    Most deliveries do not even come as far: see `integrations/wsgi.py`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        kind, _token = paths.read(request.path_info)
        if not kind:
            return self.get_response(request)
        try:
            found = resolve(request.path_info, ROUTES)
        except Resolver404:
            return self.get_response(request)
        response: HttpResponse = found.func(request, *found.args, **found.kwargs)
        return response.render() if hasattr(response, "render") else response
