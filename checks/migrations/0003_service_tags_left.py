from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("checks", "0002_local_host")]
    operations = [
        migrations.AddField(
            model_name="service",
            name="tags_left",
            field=models.JSONField(
                blank=True, default=dict, editable=False, verbose_name="tags left"
            ),
        ),
    ]
