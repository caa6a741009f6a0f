from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

import project.api.models.made


class AddIndexOfSubjects(Operation):
    """A subject's books by an index alone: the table between them has no model here."""

    index = models.Index(fields=['subject', 'book'], name='book_by_subject')

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        schema_editor.add_index(_links(to_state.apps), self.index)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        schema_editor.remove_index(_links(from_state.apps), self.index)

    def describe(self) -> str:
        return f'Create index {self.index.name}'


def _links(apps: Apps) -> type[models.Model]:
    return apps.get_model('books', 'Book').subjects.through


class Migration(migrations.Migration):

    dependencies = [
        ('authors', '0006_other_names'),
        ('books', '0015_identifiers'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='book',
            index=models.Index(project.api.models.made.Start('title'), models.F('sort_title'), models.F('id'), name='book_by_whole_title'),
        ),
        AddIndexOfSubjects(),
    ]
