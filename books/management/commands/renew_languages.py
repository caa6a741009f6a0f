"""`make languages`: the registry of language subtags, as books/languages.py reads it."""

import json
from pathlib import Path
from textwrap import wrap

from django.core.management.base import BaseCommand, CommandParser

from books.languages import REGISTRY

TYPES = ("language", "extlang", "script", "region", "variant", "grandfathered", "redundant")


class Command(BaseCommand):
    help = "Renew the registry of language subtags from npm's package language-subtag-registry."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path, help="The package's data/json.")

    def handle(self, *, directory: Path, **options: object) -> None:
        records = json.loads((directory / "registry.json").read_text("utf-8"))
        date = json.loads((directory / "meta.json").read_text("utf-8"))["File-Date"]
        subtags: dict[str, list[str]] = {type_: [] for type_ in TYPES}
        preferred: dict[str, dict[str, str]] = {type_: {} for type_ in TYPES}
        for record in records:
            name = record.get("Subtag") or record["Tag"]
            subtags[record["Type"]].append(name)
            if "Preferred-Value" in record:
                preferred[record["Type"]][name] = record["Preferred-Value"]
        registry = {
            "date": date,
            "subtags": {
                type_: wrap(" ".join(sorted(names)), 95, break_on_hyphens=False)
                for type_, names in subtags.items()
            },
            # An extended language is preferred as a language of the same name.
            "preferred": {type_: names for type_, names in preferred.items() if type_ != "extlang"},
        }
        text = json.dumps(registry, indent=1, ensure_ascii=False, sort_keys=True)
        REGISTRY.write_text(text + "\n", "utf-8")
        self.stdout.write(f"The registry is that of {date}.")
