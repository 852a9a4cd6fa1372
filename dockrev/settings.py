"""Settings. The README lists every variable; `environment.py` reads those that need care."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, cast
from urllib.parse import urlsplit

from dockrev import __version__
from dockrev.environment import (
    BadEnvironment,
    choice,
    data_directory,
    database,
    docker_certs,
    encryption_keys,
    env,
    flag,
    http_address,
    secret_key,
    time_zone,
    trusted_proxies,
    webhook_secret,
)

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = __version__
COMMIT = env.str("DOCKREV_COMMIT", default="")

# Beside the code in a checkout; an installed Dockrev keeps out of the packages' folder.
_in_checkout = (BASE_DIR / "manage.py").is_file()
DATA_DIR = data_directory(BASE_DIR if _in_checkout else Path.cwd())
SECRET_KEY = secret_key(DATA_DIR)
ENCRYPTION_KEYS = encryption_keys(DATA_DIR)
DEBUG = False

HTTP_HOST, HTTP_PORT = http_address()
DOCKER_HOST = env.str("DOCKREV_DOCKER_HOST", default="")
COMPOSE_DIRS = [Path(p) for p in env.str("DOCKREV_COMPOSE_DIRS", default="").split(":") if p]
DOCKER_CONFIG = env.str("DOCKREV_DOCKER_CONFIG", default="")
HELPER_IMAGE = env.str("DOCKREV_HELPER_IMAGE", default="") or "busybox"
DOCKER_CERTS = docker_certs()
INSECURE_REGISTRIES = env.list("DOCKREV_INSECURE_REGISTRIES", default=[])
PUBLIC_TARGETS_ONLY = flag("DOCKREV_PUBLIC_TARGETS_ONLY")
TRUSTED_PROXIES = trusted_proxies()
# The one header that the proxy always overwrites. No groups header is believed unless it is named.
FORWARDED_USER_HEADER = env.str("DOCKREV_FORWARDED_USER_HEADER", default="") or "Remote-User"
FORWARDED_GROUPS_HEADER = env.str("DOCKREV_FORWARDED_GROUPS_HEADER", default="")
ADMIN_USERNAME = env.str("DOCKREV_ADMIN_USERNAME", default="") or "admin"
WEBHOOK_SECRET = webhook_secret()
ADMIN_PASSWORD = env.str("DOCKREV_ADMIN_PASSWORD", default="")
# By whose keys tokens of Google's Pub/Sub are checked.
GOOGLE_KEYS_URL = env.str("DOCKREV_GOOGLE_KEYS_URL", default="") or (
    "https://www.googleapis.com/oauth2/v3/certs"
)

# --- where it is reached ----------------------------------------------------------------------
PUBLIC_URL = env.str("DOCKREV_PUBLIC_URL", default="").rstrip("/")
_public = urlsplit(PUBLIC_URL)
if PUBLIC_URL and (_public.scheme not in {"http", "https"} or not _public.hostname):
    raise BadEnvironment("DOCKREV_PUBLIC_URL must be an absolute http or https URL.")
if TRUSTED_PROXIES and not PUBLIC_URL:
    # Else any name is served, also one that a page elsewhere points at us: it could then send the
    # proxy's headers from the browser of somebody in the proxy's network.
    raise BadEnvironment(
        "DOCKREV_TRUSTED_PROXIES needs DOCKREV_PUBLIC_URL, the address that the proxy serves."
    )
_https = _public.scheme == "https"
ALLOWED_HOSTS = [_public.hostname, "localhost", "127.0.0.1", "[::1]"] if PUBLIC_URL else ["*"]
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"] if PUBLIC_URL else []
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if _https and TRUSTED_PROXIES else None
)
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "dockrev.errors.csrf_failure"
# A redirect answers a registry's POST with a GET; the proxy that ends TLS redirects people.
SECURE_SSL_REDIRECT = False
# Nor are the other names of this domain ours to bind to https.
SILENCED_SYSTEM_CHECKS = ["security.W008", "security.W005", "security.W021"]
APPEND_SLASH = False

# --- apps -------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "dockrev.back_room.BackRoomConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_q",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "dockrev",
    "notifications",
    "checks",
    "integrations",
]
MIDDLEWARE = [
    "integrations.middleware.Webhooks",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "dockrev.middleware.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dockrev.identity.ForwardedIdentity",
    "dockrev.middleware.LoginRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "dockrev.urls"
WSGI_APPLICATION = "integrations.wsgi.application"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "dockrev.permissions.AdminsMayAll",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dockrev.pages.frame",
            ]
        },
    }
]
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}
# A webhook's body is read by its receiver, with a limit of its own.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- database ---------------------------------------------------------------------------------
# `web` waits briefly and then answers 503; a worker can afford to wait.
PROCESS = env.str("DOCKREV_PROCESS", default="command")
SQLITE_PATIENCE = {"web": 2, "worker": 20, "command": 20}  # seconds
DATABASES: dict[str, dict[str, Any]] = {"default": database(DATA_DIR)}
_database = DATABASES["default"]
_database["CONN_MAX_AGE"] = None
if _database["ENGINE"].endswith("sqlite3"):
    _database["ENGINE"] = "dockrev.backends.sqlite3"
    _database["OPTIONS"] = {
        "timeout": SQLITE_PATIENCE.get(PROCESS, 20),
        "transaction_mode": "IMMEDIATE",
        # The log grows to 16 MB before it is brought into the file: a page that many commits
        # change, of an index above all, is then written once for four times as many of them.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
        "PRAGMA wal_autocheckpoint=4000;",
    }
    # REST framework imports the PostgreSQL driver wherever it finds it: 45 ms and 9 MB for nothing.
    sys.modules.setdefault("psycopg", cast(ModuleType, None))
else:
    _database["CONN_HEALTH_CHECKS"] = True
    _database.setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)

# --- work -------------------------------------------------------------------------------------
LEASE = timedelta(minutes=2)  # longer than `timeout` of the quick cluster
LEASE_RENEW_EVERY = timedelta(seconds=30)
LONG_CLUSTER_IDLE = timedelta(minutes=10)  # then it is stopped
Q_CLUSTER = {
    "name": "dockrev",  # signs the messages: the same in every cluster
    "cluster_name": "quick",
    "orm": "default",
    "workers": 2,
    "bulk": 1,  # a worker takes what it can do now
    "poll": 0.1,
    "timeout": 60,
    "retry": 600,  # > timeout: seconds since a worker took the message
    "ack_failures": True,  # one attempt a message: retries are ours
    "save_limit": -1,  # Job is the record
    "catch_up": False,
    "scheduler": False,
    "ALT_CLUSTERS": {"long": {"workers": 2, "timeout": 4 * 3600, "retry": 5 * 3600}},
}

# --- API --------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "dockrev.identity.BearerAuthentication",
        "dockrev.identity.ForwardedAuthentication",
        "dockrev.identity.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["dockrev.permissions.ByRole"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "dockrev.parsers.AlwaysJson",
    "DEFAULT_PARSER_CLASSES": ["dockrev.parsers.ObjectParser"],
    "DEFAULT_SCHEMA_CLASS": "dockrev.api.schema.Schema",
    "EXCEPTION_HANDLER": "dockrev.errors.handle",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Dockrev",
    "DESCRIPTION": "The HTTP contract of Dockrev.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "ServiceStatus": "checks.models.Service.Status",
        "StackStatus": "checks.models.Stack.Status",
        "JobStatus": "checks.models.Job.Status",
        "NotificationStatus": "notifications.models.Notification.Status",
        "Scope": "checks.models.Job.Scope",
        "CandidateStep": "checks.models.Candidate.Step",
        "TryOutcome": ["ok", "failed", "skipped"],
        "CandidateKind": ["digest", "version"],
        "TargetKind": ["repo", "owner"],
        "ReceiverKind": "integrations.receivers.choices",
        "ChannelKind": "notifications.channels.choices",
    },
}

# --- words, time, files -----------------------------------------------------------------------
LANGUAGE_CODE = "en"
# Each in its own words, for whoever cannot read the one that is shown.
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LANGUAGE_COOKIE_NAME = "dockrev_language"
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = time_zone()
STATIC_URL = "/static/"
STATIC_ROOT = env.str("DOCKREV_STATIC_ROOT", default="") or (
    (BASE_DIR if _in_checkout else DATA_DIR) / "staticfiles"
)
# In a wheel they are in the `dockrev` app: see setup.py.
STATICFILES_DIRS = [folder for folder in [BASE_DIR / "static"] if folder.is_dir()]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LOG_LEVELS = ("INFO", "DEBUG", "WARNING", "ERROR")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "dockrev.logs.TextFormatter"},
        "json": {"()": "dockrev.logs.JsonFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": choice("DOCKREV_LOG_FORMAT", ("text", "json")),
        }
    },
    "root": {"handlers": ["stderr"], "level": choice("DOCKREV_LOG_LEVEL", LOG_LEVELS)},
    # Unhandled errors are logged once, by dockrev.errors, without the path: it may hold a token.
    "loggers": {"django-q": {"level": "WARNING"}, "django.request": {"level": "CRITICAL"}},
}
