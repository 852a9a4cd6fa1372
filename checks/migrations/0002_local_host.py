"""The host that is there from the first start: this machine, with or without an engine."""

from typing import Any

from django.db import migrations

from dockrev.ids import new_id


def make_local_host(apps: Any, schema_editor: Any) -> None:
    host = apps.get_model("checks", "Host")
    host.objects.get_or_create(name="local", defaults={"id": new_id("hst")})


class Migration(migrations.Migration):
    dependencies = [("checks", "0001_initial")]
    operations = [migrations.RunPython(make_local_host, migrations.RunPython.noop)]
