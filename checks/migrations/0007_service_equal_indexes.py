from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("checks", "0006_service_policy")]
    operations = [
        migrations.AddField(
            model_name="service",
            name="equal_indexes",
            field=models.JSONField(blank=True, default=dict, editable=False),
        ),
    ]
