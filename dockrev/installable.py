"""What makes Dockrev an app on a phone or a desktop: its manifest."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.templatetags.static import static
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

# `--bg` of the stylesheet. A manifest knows one colour; the pages name both.
COLOUR = "#f7f8fa"
_ICONS = (("icon-192", 192, "any"), ("icon-512", 512, "any"), ("icon-maskable", 512, "maskable"))


@login_not_required
@require_safe
def manifest(request: HttpRequest) -> JsonResponse:
    """Browsers ask for it without a session."""
    facts = {
        "id": "/",
        "name": "Dockrev",
        "short_name": "Dockrev",
        "description": _("Which of your Compose services have a newer image."),
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "theme_color": COLOUR,
        "background_color": COLOUR,
        "icons": [
            {
                "src": static(f"dockrev/{name}.png"),
                "sizes": f"{size}x{size}",
                "type": "image/png",
                "purpose": purpose,
            }
            for name, size, purpose in _ICONS
        ],
    }
    return JsonResponse(facts, content_type="application/manifest+json")
