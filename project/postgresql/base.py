"""Django's PostgreSQL, which need not be asked before each request whether it is still there.

https://docs.djangoproject.com/en/stable/ref/databases/#subclassing-the-built-in-database-backends
"""

from selectors import EVENT_READ, DefaultSelector

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """Send a statement to find out only where the server has said something.

        One that ends a connection says so and closes its side, so there is something to read. It
        may be something else, as that a setting has changed: then the statement succeeds.
        """
        connection = self.connection
        if connection is None or connection.closed or _has_something(connection.fileno()):
            return super().is_usable()
        return True


def _has_something(socket: int) -> bool:
    with DefaultSelector() as selector:
        selector.register(socket, EVENT_READ)
        return bool(selector.select(timeout=0))
