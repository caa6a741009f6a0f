#!/usr/bin/env python
import gc
import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    # What is imported stays: to look for garbage in it takes a fifth of the start.
    gc.set_threshold(100_000)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings.dev")
    execute_from_command_line(sys.argv)
