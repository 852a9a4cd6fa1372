from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0005_hub_callbacks'),
    ]

    operations = [
        migrations.AddField(
            model_name='delivery',
            name='is_test',
            field=models.BooleanField(default=False, editable=False, verbose_name='a test'),
        ),
        migrations.AddField(
            model_name='receiver',
            name='refused_since',
            field=models.PositiveBigIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='receiver',
            name='silent_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
