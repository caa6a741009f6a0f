"""Do the examples of the contract work when their button is pressed?"""

import pytest
import yaml

from tests.clients.conftest import ids_for
from tests.clients.generators import CONTRACT

EXAMPLES = [
    pytest.param(method, path, example["value"], id=f"{operation['operationId']}-{name}")
    for path, methods in yaml.safe_load(CONTRACT.read_text("utf-8"))["paths"].items()
    for method, operation in methods.items()
    for content in operation.get("requestBody", {}).get("content", {}).values()
    for name, example in content.get("examples", {}).items()
]


@pytest.fixture(scope="module")
def admin(catalogue):
    who = {"username": "admin", "password": "demo-admin"}
    tokens = catalogue.client.post("/api/token/", json=who).json()
    return {"Authorization": f"Bearer {tokens['access']}"}


@pytest.mark.parametrize(("method", "path", "body"), EXAMPLES)
def test_works(catalogue, admin, method, path, body):
    ids = ids_for(path, catalogue.client)
    if "sid" in ids:
        sessions = catalogue.client.get("/api/sessions/", headers=admin).json()["results"]
        ids["sid"] = sessions[0]["id"]
    url = path.format(**ids)
    response = catalogue.client.request(method, url, json=body, headers=admin)
    assert response.status_code in (200, 201), response.text
