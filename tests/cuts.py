"""A network between the application and PostgreSQL that is cut at a chosen moment."""

import socket
from contextlib import suppress
from threading import Event, Thread
from urllib.parse import urlsplit

# What begins the statement, and the answer to it, in PostgreSQL's protocol
# (https://www.postgresql.org/docs/current/protocol-message-formats.html).
BEFORE_COMMIT = ("asked", b"COMMIT\0")
AFTER_COMMIT = ("answered", b"COMMIT\0")
BEFORE_BEGIN = ("asked", b"BEGIN")
BEFORE_ANYTHING = ("asked", b"")


class Network:
    """`with Network(url) as network:` leads from `network.url` to the PostgreSQL at `url`.

    `cut_at(BEFORE_COMMIT)` ends, once, the connection on which that is said next: it does not
    arrive, and both sides see the other one gone. Of several moments, one after the other, the last
    one counts.
    """

    def __init__(self, url):
        parts = urlsplit(url)
        self.target = (parts.hostname, parts.port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        netloc = parts.netloc.rpartition(":")[0] + f":{self.listener.getsockname()[1]}"
        # Nothing can be read in what is encrypted.
        self.url = parts._replace(netloc=netloc, query="sslmode=disable").geturl()
        self.moments = ()
        self.has_been_cut = Event()

    def cut_at(self, *moments):
        self.has_been_cut.clear()
        self.moments = moments

    def __enter__(self):
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                inside, _ = self.listener.accept()
            except OSError:
                return
            outside = socket.create_connection(self.target)
            for how, source, sink in (("asked", inside, outside), ("answered", outside, inside)):
                Thread(target=self._pass_on, args=(how, source, sink), daemon=True).start()

    def _pass_on(self, how, source, sink):
        with suppress(OSError):
            while data := source.recv(65536):
                if self._is_end(how, data):
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _is_end(self, how, data):
        if not self.moments or self.moments[0][0] != how or self.moments[0][1] not in data:
            return False
        _, *self.moments = self.moments
        if not self.moments:
            self.has_been_cut.set()
        return not self.moments
