"""What apps do, for what watches the server."""

from django.dispatch import Signal

# Somebody has tried to log in, by any way there is: `succeeded`.
login_tried = Signal()
