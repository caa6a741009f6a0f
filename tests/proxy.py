"""A proxy of TCP: `python -m tests.proxy PORT TARGET…` leads to a target that is there.

It begins with another one each time. What is on the way when a target goes is lost.
"""

import asyncio
import sys
from contextlib import suppress
from itertools import count

NUMBERS = count()


async def connected(targets):
    """A connection to the next target that takes one; None where there is none."""
    start = next(NUMBERS)
    for number in range(len(targets)):
        with suppress(OSError):
            port = targets[(start + number) % len(targets)]
            return await asyncio.open_connection("127.0.0.1", port)
    return None


async def copy(reader, writer):
    with suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    writer.close()


async def serve(port, targets):
    async def lead(reader, writer):
        there = await connected(targets)
        if there is None:
            writer.close()
            return
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))

    server = await asyncio.start_server(lead, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    first, *others = map(int, sys.argv[1:])
    asyncio.run(serve(first, others))
