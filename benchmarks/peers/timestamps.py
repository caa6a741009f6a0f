from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# As the project writes a moment, for peers whose models are pydantic's.
Moment = Annotated[datetime, PlainSerializer(_written, return_type=str)]
