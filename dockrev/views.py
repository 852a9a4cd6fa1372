"""Pages of the instance and of the person: sign-in, password, settings, colours."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from dockrev import languages
from dockrev.pages import THEME_COOKIE, THEMES, PageRequest
from dockrev.permissions import Role, requires, role_of
from dockrev.sections import ordered
from dockrev.throttle import sign_in_failed, sign_in_succeeded, sign_in_wait

YEAR = 365 * 24 * 3600


class SignInForm(AuthenticationForm):
    """Django's own, slowed down for who guesses: `wait` is seconds until the next try."""

    wait = 0

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": gettext_lazy("This user name and password do not belong together."),
        "inactive": gettext_lazy("This account is switched off."),
    }

    def clean(self) -> dict[str, Any]:
        request, name = self.request, self.cleaned_data.get("username", "")
        if request is None:
            return super().clean()
        self.wait = sign_in_wait(request, name)
        if self.wait:
            minutes = -(-self.wait // 60)
            raise forms.ValidationError(
                ngettext(
                    "Too many attempts. Try again in %(minutes)d minute.",
                    "Too many attempts. Try again in %(minutes)d minutes.",
                    minutes,
                )
                % {"minutes": minutes}
            )
        try:
            cleaned = super().clean()
        except forms.ValidationError:
            sign_in_failed(request, name)
            raise
        sign_in_succeeded(request, name)
        return cleaned


@method_decorator(login_not_required, name="dispatch")
class SignIn(auth_views.LoginView):
    template_name = "dockrev/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.headers.get("HX-Request"):
            # A part of a page asked, its session is over: the whole page has to come here.
            return HttpResponseClientRefresh()
        return super().dispatch(request, *args, **kwargs)

    def form_invalid(self, form: Any) -> HttpResponse:
        response = super().form_invalid(form)
        if form.wait:
            response.status_code = 429
            response.headers["Retry-After"] = str(form.wait)
        return response


class ChangePassword(auth_views.PasswordChangeView):
    template_name = "dockrev/password.html"
    success_url = reverse_lazy("settings")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("Your password is changed."))
        return super().form_valid(form)


@require_safe
@requires(Role.VIEWER)
def show_settings(request: PageRequest) -> HttpResponse:
    sections = [(section, section.load(request)) for section in ordered()]
    context = {
        "sections": sections,
        "themes": THEMES,
        "languages": settings.LANGUAGES,
        "language": request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, ""),
        "role": role_of(request.user).name.lower(),
        "time_zone": settings.TIME_ZONE,
    }
    return render(request, "dockrev/settings.html", context)


@require_POST
@requires(Role.VIEWER)
def choose_language(request: PageRequest) -> HttpResponse:
    """Keep a language in this browser, or, without one, go by what the browser asks for."""
    response = redirect(reverse("settings") + "#appearance")
    language = request.POST.get("language", "")
    if language in languages.CODES:
        _keep(response, settings.LANGUAGE_COOKIE_NAME, language)
    elif not language:
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME, samesite="Lax")
    return response


@require_POST
@requires(Role.VIEWER)
def choose_theme(request: PageRequest) -> HttpResponse:
    response = redirect("settings")
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        _keep(response, THEME_COOKIE, theme)
    return response


def _keep(response: HttpResponse, cookie: str, value: str) -> None:
    response.set_cookie(
        cookie,
        value,
        max_age=YEAR,
        samesite="Lax",
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
    )
