"""`manage.py preview_migrate`: what the next `migrate` will change of stored texts."""

from django.core.checks import Tags
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState

from project.api.rewriting import RewriteTexts
from project.api.search.entries import entry_models, root_of
from project.api.search.tables import find_outdated, may_write_texts


class Command(BaseCommand):
    help = "Say what the next `migrate` will change of stored texts, and change nothing."

    def handle(self, **options: object) -> None:
        # Of a database that cannot be migrated nothing can be said.
        self.check(tags=[Tags.database], databases=[connection.alias])
        executor = MigrationExecutor(connection)
        loader = executor.loader
        applied = {loader.graph.nodes.get(key) for key in loader.applied_migrations}
        plan = executor.migration_plan(loader.graph.leaf_nodes(), clean_start=True)
        # The models as their tables are now.
        state = ProjectState(real_apps=loader.unmigrated_apps)
        for migration, _ in plan:
            if migration in applied:
                migration.mutate_state(state, preserve=False)
        apps = state.apps
        apps_with_tables = {migration.app_label for migration in applied if migration}
        found = writes = False
        for migration, _ in plan:
            if migration in applied or migration.app_label not in apps_with_tables:
                continue
            writes |= may_write_texts(migration)
            for operation in migration.operations:
                if isinstance(operation, RewriteTexts):
                    for rewrite in operation.rewrites(apps, connection.alias):
                        found = True
                        self.stdout.write(str(rewrite))
        if not found:
            self.stdout.write("Nothing: `migrate` leaves all stored texts as they are.")
        if entries := entry_models() if writes else find_outdated(connection):
            names = ", ".join(str(root_of(model)._meta.verbose_name_plural) for model in entries)
            self.stdout.write(f"search entries of {names}: made anew")
