"""`manage.py preview_migrate`: what the next `migrate` will change of stored texts."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from project.api.rewriting import RewriteTexts


class Command(BaseCommand):
    help = "Say what the next `migrate` will change of stored texts, and change nothing."

    def handle(self, **options: Any) -> None:
        executor = MigrationExecutor(connection)
        applied = list(executor.loader.applied_migrations)
        known = [node for node in applied if node in executor.loader.graph.nodes]
        apps = executor.loader.project_state(known).apps
        found = False
        for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes()):
            if migration.app_label not in {app for app, _ in known}:
                # Its tables are not there yet.
                continue
            for operation in migration.operations:
                if isinstance(operation, RewriteTexts):
                    for rewrite in operation.rewrites(apps, connection.alias):
                        found = True
                        self.stdout.write(str(rewrite))
        if not found:
            self.stdout.write("Nothing: `migrate` leaves all stored texts as they are.")
