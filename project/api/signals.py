"""What happens in an app and somebody who watches the server wants to know."""

from django.dispatch import Signal

# Somebody has tried to log in, by any way there is: `succeeded`.
login_tried = Signal()
