import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("checks", "0004_registry_limits")]
    operations = [
        migrations.AddField(
            model_name="candidate",
            name="ignored_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="hidden",
                to="checks.ignorerule",
                verbose_name="ignored by",
            ),
        ),
        migrations.AddField(
            model_name="ignorerule",
            name="created_by",
            field=models.CharField(
                blank=True, editable=False, max_length=150, verbose_name="made by"
            ),
        ),
    ]
