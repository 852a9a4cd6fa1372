from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("checks", "0008_tag_lists")]
    operations = [
        migrations.AddField(
            model_name="candidate",
            name="platform",
            field=models.CharField(blank=True, max_length=60, verbose_name="compared for"),
        ),
        migrations.AddField(
            model_name="service",
            name="labels",
            field=models.JSONField(
                blank=True, default=dict, editable=False, verbose_name="labels"
            ),
        ),
        migrations.AddField(
            model_name="stack",
            name="policy",
            field=models.JSONField(
                blank=True, default=dict, editable=False, verbose_name="policy"
            ),
        ),
    ]
