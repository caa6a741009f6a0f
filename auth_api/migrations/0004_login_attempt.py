from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('auth_api', '0003_sessions_ended'),
    ]

    operations = [
        migrations.RenameModel(old_name='Attempts', new_name='LoginAttempt'),
        migrations.AlterModelOptions(name='loginattempt', options={}),
    ]
