"""What Schemathesis can't know from the contract: how to stay logged in, how a list is written in
a URL, and that a key is of one request."""

import os
import uuid

import httpx
import schemathesis
from schemathesis import GenerationMode

URL = os.environ["CATALOGUE_URL"]


@schemathesis.auth(refresh_interval=60)
class Session:
    """By refreshing, since the failed logins that are tried here lock out the others."""

    def __init__(self):
        self.refresh = os.environ["REFRESH_TOKEN"]

    def get(self, case, context):
        answer = httpx.post(f"{URL}/api/token/refresh/", json={"refresh": self.refresh}).json()
        self.refresh = answer["refresh"]
        return answer["access"]

    def set(self, case, data, context):
        # It would end the session of all others.
        if case.operation.label != "POST /api/token/blacklist/all/":
            case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Make a key anew for each request.

    Where the request is to be refused, it may be for `fields` or `omit`, but not where an invalid
    value (a text for a list) is written as a valid one is.
    """
    if "Idempotency-Key" in (case.headers or {}):
        [key] = [item for item in case.operation.headers if item.name == "Idempotency-Key"]
        if key.is_valid(str(case.headers["Idempotency-Key"])):
            case.headers["Idempotency-Key"] = str(uuid.uuid4())
    is_valid = case.meta is None or case.meta.generation.mode == GenerationMode.POSITIVE
    if is_valid or not isinstance(case.query, dict):
        return
    partial = {item.name: item for item in case.operation.query if item.name in ("fields", "omit")}
    case.query = {
        name: value
        for name, value in case.query.items()
        if name not in partial
        or not (isinstance(value, str) and partial[name].is_valid(str(value).split(",")))
    }
