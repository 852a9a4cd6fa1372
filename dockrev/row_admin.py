"""What the admin's pages of rows have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import JSONField, Model
from django.http import HttpRequest

from dockrev.forms import JsonField, RowForm


class RowAdmin(admin.ModelAdmin):
    """Lists without counting twice, and saving only the columns that the form shows."""

    show_full_result_count = False
    list_per_page = 50
    formfield_overrides: ClassVar = {JSONField: {"form_class": JsonField}}

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        if isinstance(form, RowForm):
            form.write()
        elif change:
            obj.save(update_fields=[name for name in form.fields if _is_column(obj, name)])
        else:
            super().save_model(request, obj, form, change)


class RecordAdmin(RowAdmin):
    """Rows that are a record of what happened: to be read, never edited."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _is_column(row: Model, name: str) -> bool:
    return any(field.name == name for field in row._meta.concrete_fields)
