from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("checks", "0005_ignoring")]
    operations = [
        migrations.AddField(
            model_name="service",
            name="policy",
            field=models.JSONField(
                blank=True, default=dict, editable=False, verbose_name="policy"
            ),
        ),
    ]
