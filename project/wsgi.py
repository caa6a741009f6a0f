"""The WSGI application. Production settings unless the environment names others."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings.prod")

application = get_wsgi_application()

# Django imports the views with the first request: one of them that is broken should stop the start
# instead, and the first request should wait for nothing.
import_module(settings.ROOT_URLCONF)
