"""`python -m benchmarks.fill BOOKS [ROLE]`: migrate, load the catalogue, print an access token."""

import sys

import django
from django.core.management import call_command
from django.db import connection


def main(books: int, role: str = "member") -> None:
    django.setup()
    from auth_api.models import User
    from auth_api.tokens import RefreshToken
    from benchmarks.catalogue import Catalogue

    call_command("migrate", verbosity=0)
    Catalogue(books).load()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # As the server does by itself within minutes, which would be those of the benchmark.
            cursor.execute("VACUUM")
    user = User.objects.create_user(username="reader", email="reader@example.org", role=role)
    print(RefreshToken.for_user(user).access_token)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
