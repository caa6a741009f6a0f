from collections import defaultdict

import auth_api.models
import auth_api.usernames
import django.core.validators
from django.db import migrations, models


def fold(apps, schema_editor):
    """Fill in the keys. Where two accounts have the same, which one is renamed is not ours to say."""
    users = apps.get_model('auth_api', 'User').objects.using(schema_editor.connection.alias)
    by_key = defaultdict(list)
    for user in users.order_by('pk').iterator():
        user.username_key = auth_api.usernames.folded(user.username)
        by_key[user.username_key].append(user)
    if same := [[user.username for user in each] for each in by_key.values() if len(each) > 1]:
        names = '; '.join(', '.join(each) for each in same[:20])
        raise ValueError(f'Usernames differ in case alone. Rename all but one of each: {names}')
    users.bulk_update([user for [user] in by_key.values()], ['username_key'], batch_size=500)


class Migration(migrations.Migration):

    dependencies = [
        ('auth_api', '0004_login_attempt'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='username_key',
            field=models.CharField(default='', editable=False, max_length=450),
            preserve_default=False,
        ),
        migrations.RunPython(fold, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            model_name='user',
            name='username_key',
            field=auth_api.models.FoldedUsernameField(editable=False, max_length=450, unique=True),
        ),
        migrations.AlterField(
            model_name='user',
            name='username',
            field=models.CharField(error_messages={'unique': 'Another user has this username.'}, help_text='Letters of one script, digits and . + - _ only.', max_length=150, unique=True, validators=[django.core.validators.RegexValidator('^[\\w.+-]+\\Z', 'A username has letters, digits and . + - _ only.'), auth_api.usernames.validate_username]),
        ),
    ]
