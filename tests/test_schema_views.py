"""Does the contract describe whatever view somebody adds, and never fail for one?"""

import json
import logging
from copy import deepcopy
from io import StringIO
from types import ModuleType

import pytest
import yaml
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.urls import path
from drf_spectacular.utils import extend_schema
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator
from rest_framework import generics, serializers, viewsets
from rest_framework.decorators import action, api_view, permission_classes
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from books.models import Subject
from books.serializers import SubjectSerializer
from books.views import SubjectViewSet
from project import urls
from project.api.viewsets import ResourceViewSet
from schema import views
from tests.contract import CONTRACT


class PlainSerializer(serializers.ModelSerializer):
    shout = serializers.SerializerMethodField()

    class Meta:
        model = Subject
        fields = ["id", "name", "shout"]

    def get_shout(self, subject) -> str:
        return subject.name.upper()


class WordsSerializer(serializers.Serializer):
    """Properties that are called as words of JSON Schema."""

    default = serializers.BooleanField()
    nullable = serializers.BooleanField(default=False)
    enum = serializers.CharField(allow_null=True)
    properties = serializers.IntegerField(default=1)
    pattern = serializers.CharField()


class WordsView(generics.CreateAPIView):
    serializer_class = WordsSerializer


class PlainViewSet(viewsets.ModelViewSet):
    """Subjects as REST framework's tutorial would show them."""

    queryset = Subject.objects.all()
    serializer_class = PlainSerializer


class UndescribedViewSet(PlainViewSet):
    pass


class ActionsViewSet(SubjectViewSet):
    @action(detail=False)
    def mine(self, request, **kwargs):
        """Gives the subjects of the books that one has read."""

    @action(detail=True, methods=["post"], permission_classes=[IsAuthenticated])
    def follow(self, request, **kwargs):
        pass

    @extend_schema(request=None, responses={204: None})
    @follow.mapping.delete
    def unfollow(self, request, **kwargs):
        """Follows it no more."""

    @extend_schema(responses={202: None})
    @action(detail=True, methods=["get", "put"], url_path="cover/small", name="Small cover")
    def cover(self, request, **kwargs):
        pass


class RootViewSet(ResourceViewSet):
    """Another root. Its tag is in no setting."""

    queryset = Subject.objects.all()
    serializer_class = SubjectSerializer


class UnpagedViewSet(SubjectViewSet):
    """Subjects, searched and not paged."""

    pagination_class = None


class WithoutQuerysetViewSet(viewsets.ReadOnlyModelViewSet):
    serializer_class = PlainSerializer
    ordering_fields = ["name"]

    def get_queryset(self):
        return Subject.objects.filter(name=self.request.user.username)


class BareViewSet(viewsets.ViewSet):
    def list(self, request):
        return Response([])

    def retrieve(self, request, pk):
        return Response({})

    def destroy(self, request, pk):
        return Response(status=204)


class NumbersView(APIView):
    """How many there are of everything."""

    def get(self, request):
        return Response({})

    def put(self, request):
        return Response({})


class OneNumberView(APIView):
    permission_classes = [AllowAny]

    def post(self, request, slug, part):
        """Counts it anew."""

    def delete(self, request, slug, part):
        pass


class OwnerOnly(BasePermission):
    def has_object_permission(self, request, view, obj):
        return obj.user == request.user


class OfTheParent(BasePermission):
    """A rule that can't be judged without a request."""

    def has_permission(self, request, view):
        return view.kwargs["parent"] == request.query_params["parent"]


class GenericView(generics.RetrieveDestroyAPIView):
    queryset = Subject.objects.all()
    serializer_class = PlainSerializer
    permission_classes = [OwnerOnly]


class GenericListView(generics.ListCreateAPIView):
    queryset = Subject.objects.all()
    serializer_class = PlainSerializer
    permission_classes = [OfTheParent]


@api_view(["GET"])
@permission_classes([AllowAny])
def health_of_all(request):
    """Says how everything is."""


@api_view(["POST"])
def recount(request):
    pass


class BrokenSerializer(serializers.Serializer):
    def get_fields(self):
        return {self.context["request"].user.profile.language: serializers.CharField()}


class BrokenView(generics.ListAPIView):
    queryset = Subject.objects.all()
    serializer_class = BrokenSerializer


class ForgetfulViewSet(ResourceViewSet):
    """A resource whose class forgets to say of what."""


class BranchSerializer(serializers.Serializer):
    text = serializers.CharField()
    code = serializers.CharField(min_length=3, max_length=5)
    number = serializers.IntegerField(min_value=3)
    share = serializers.FloatField(min_value=0.5)
    price = serializers.DecimalField(max_digits=5, decimal_places=2)
    flag = serializers.BooleanField()
    choice = serializers.ChoiceField(["one", "two"])
    day = serializers.DateField()
    moment = serializers.DateTimeField()
    uid = serializers.UUIDField()
    url = serializers.URLField()
    email = serializers.EmailField()
    texts = serializers.ListField(child=serializers.CharField())
    numbers = serializers.DictField(child=serializers.IntegerField())
    anything = serializers.JSONField()
    subject = PlainSerializer(allow_null=True)
    subjects = PlainSerializer(many=True)
    absent = serializers.CharField(required=False)

    def get_fields(self):
        fields = super().get_fields()
        return (
            {**fields, "branches": BranchSerializer(many=True)} if self.parent is None else fields
        )


class TreeView(generics.RetrieveAPIView):
    queryset = Subject.objects.all()

    @extend_schema(responses=BranchSerializer)
    def get(self, request, *args, **kwargs):
        pass


router = SimpleRouter(use_regex_path=False)
router.register("plain", PlainViewSet, "plain")
router.register("undescribed-things", UndescribedViewSet, "undescribed-thing")
router.register("actions", ActionsViewSet, "action")
router.register("awards", RootViewSet, "award")
router.register("unpaged", UnpagedViewSet, "unpaged")
router.register("mine", WithoutQuerysetViewSet, "my-subject")
router.register("bare_things", BareViewSet, "bare_thing")

VIEWS = [
    *router.urls,
    path("numbers/", NumbersView.as_view()),
    path("numbers/<slug:slug>/<int:part>/", OneNumberView.as_view()),
    path("generic/<int:pk>/", GenericView.as_view()),
    path("generic/", GenericListView.as_view()),
    path("health-of-all/", health_of_all),
    path("recount/", recount),
    path("unrouted/", PlainViewSet.as_view({"get": "list"})),
]
forgetful = SimpleRouter(use_regex_path=False)
forgetful.register("forgetful", ForgetfulViewSet, "forgetful")
BROKEN = [path("broken/", BrokenView.as_view())]


def with_views(patterns):
    """A module as `project.urls`, with these below /api/ as well."""
    module = ModuleType("urls_with_views")
    module.urlpatterns = [path("api/", urls.include(patterns)), *urls.urlpatterns]
    module.handler404 = urls.handler404
    return module


@pytest.fixture(scope="module")
def committed():
    return yaml.safe_load(CONTRACT.read_text("utf-8"))


def forget():
    """Have the documents that are kept made anew."""
    views.contract.cache_clear()
    views.contract_in_openapi_3_0.cache_clear()


@pytest.fixture
def serve(settings):
    """`serve(patterns)` has the server serve these views too."""

    def serve(patterns):
        settings.ROOT_URLCONF = with_views(patterns)
        forget()

    yield serve
    forget()


def contract_of(client):
    response = client.get("/api/schema/?format=json")
    assert response.status_code == 200
    return json.loads(response.content)


def described(contract):
    return {
        (method.upper(), path.removeprefix("/api")): operation
        for path, methods in contract["paths"].items()
        for method, operation in methods.items()
    }


LIST = "Lists subjects, a page at a time."
GET = "Gives the subject with this id."
UPDATE = (
    "Updates the subject: the required properties must be there, and any other that is left out "
    "keeps its value."
)
PATCH = "Changes the properties of the subject that are in the body; the others keep their values."
EXPORT = (
    "Who is logged in gets all of it, not a page, as `text/csv` or `application/x-ndjson`, by "
    "`Accept` or by `format`. Where as many exports are under way as there may be at once, the "
    "answer is 503 `busy`."
)
READ = "Requires no login."
WRITE = "Requires the role librarian or admin."
ADMIN = "Requires the role admin."
REQUEST = "Whether it is allowed depends on the request."
OBJECT = f"{READ} Whether it is allowed depends on the object, too."
NUMBERS = "How many there are of everything."
# Of each operation its name, its summary, and the paragraphs of its description
OPERATIONS = {
    ("GET", "/plain/"): ("listPlain", "List subjects", PlainViewSet.__doc__, READ),
    ("POST", "/plain/"): ("createPlain", "Create a subject", "Creates a subject.", WRITE),
    ("GET", "/plain/{id}/"): ("getPlain", "Get a subject", GET, READ),
    ("PUT", "/plain/{id}/"): ("updatePlain", "Update a subject", UPDATE, WRITE),
    ("PATCH", "/plain/{id}/"): (
        *("partialUpdatePlain", "Update some properties of a subject", PATCH, WRITE),
    ),
    ("DELETE", "/plain/{id}/"): ("deletePlain", "Delete a subject", "Deletes the subject.", ADMIN),
    ("GET", "/undescribed-things/"): ("listUndescribedThings", "List subjects", LIST, READ),
    ("GET", "/undescribed-things/{id}/"): ("getUndescribedThing", "Get a subject", GET, READ),
    ("GET", "/actions/mine/"): ("mineActions", "Mine", ActionsViewSet.mine.__doc__, READ),
    ("POST", "/actions/{id}/follow/"): ("followAction", "Follow", "Follow.", "Requires a login."),
    ("DELETE", "/actions/{id}/follow/"): (
        *("unfollowAction", "Unfollow", "Follows it no more.", "Requires a login."),
    ),
    ("GET", "/actions/{id}/cover/small/"): (
        *("getCoverAction", "Get small cover", "Get small cover.", READ),
    ),
    ("PUT", "/actions/{id}/cover/small/"): (
        *("updateCoverAction", "Update small cover", "Update small cover.", WRITE),
    ),
    ("GET", "/awards/"): ("listAwards", "List subjects", RootViewSet.__doc__, EXPORT, READ),
    ("POST", "/awards/"): ("createAward", "Create a subject", "Creates a subject.", WRITE),
    ("GET", "/unpaged/"): ("listUnpaged", "List subjects", UnpagedViewSet.__doc__, EXPORT, READ),
    ("GET", "/mine/"): ("listMine", "List subjects", LIST, READ),
    ("GET", "/mine/{id}/"): ("getMySubject", "Get a subject", GET, READ),
    ("GET", "/bare_things/"): (
        *("listBareThings", "List bare things", "Lists bare things, a page at a time.", READ),
    ),
    ("DELETE", "/bare_things/{id}/"): (
        *("deleteBareThing", "Delete a bare thing", "Deletes the bare thing.", ADMIN),
    ),
    ("GET", "/numbers/"): ("getNumbers", "Get numbers", NUMBERS, READ),
    ("PUT", "/numbers/"): ("updateNumbers", "Update numbers", NUMBERS, ADMIN),
    ("POST", "/numbers/{slug}/{part}/"): (
        *("postNumbersBySlugPart", "Post one number", "Counts it anew.", READ),
    ),
    ("DELETE", "/numbers/{slug}/{part}/"): (
        *("deleteNumbersBySlugPart", "Delete one number", "Delete one number.", READ),
    ),
    ("GET", "/generic/{id}/"): ("getGenericById", "Get a subject", GET, OBJECT),
    ("DELETE", "/generic/{id}/"): (
        *("deleteGenericById", "Delete a subject", "Deletes the subject.", OBJECT),
    ),
    ("GET", "/generic/"): ("listGeneric", "List subjects", LIST, REQUEST),
    ("POST", "/generic/"): ("createGeneric", "Create a subject", "Creates a subject.", REQUEST),
    ("GET", "/health-of-all/"): (
        *("getHealthOfAll", "Health of all", "Says how everything is.", READ),
    ),
    ("POST", "/recount/"): ("postRecount", "Recount", "Recount.", ADMIN),
    ("GET", "/unrouted/"): ("listUnrouted", "List subjects", PlainViewSet.__doc__, READ),
}


def test_views_of_every_kind_are_described_in_their_own_words(anonymous, serve):
    serve(VIEWS)
    contract = contract_of(anonymous)
    validate_schema(contract)
    operations = described(contract)
    assert {
        place: (each["operationId"], each["summary"], *each["description"].split("\n\n"))
        for place, each in operations.items()
        if place in OPERATIONS
    } == OPERATIONS
    names = [each["operationId"] for each in operations.values()]
    assert len(set(names)) == len(names)
    assert all(each["summary"] and each["description"] for each in operations.values())


def test_a_view_more_changes_nothing_else_of_the_contract(anonymous, serve, committed):
    serve(VIEWS)
    contract = contract_of(anonymous)
    known = {path: contract["paths"].get(path) for path in committed["paths"]}
    assert known == committed["paths"]
    components = contract["components"]["schemas"]
    assert {name: components.get(name) for name in committed["components"]["schemas"]} == (
        committed["components"]["schemas"]
    )


def test_a_tag_that_no_setting_has_comes_last_and_is_described(anonymous, serve, committed):
    serve(VIEWS)
    contract = contract_of(anonymous)
    tags = contract["tags"]
    assert tags[: len(committed["tags"])] == committed["tags"]
    added = {tag["name"]: tag["description"] for tag in tags[len(committed["tags"]) :]}
    assert added["awards"] == RootViewSet.__doc__
    assert added.keys() == {path.split("/")[1] for _, path in OPERATIONS}
    assert list(contract["paths"])[: len(committed["paths"])] == list(committed["paths"])


def test_what_is_not_answered_with_a_url_promises_none(anonymous, serve):
    serve(VIEWS)
    operations = described(contract_of(anonymous))
    assert "Location" in operations["POST", "/awards/"]["responses"]["201"]["headers"]
    assert "Location" not in operations["POST", "/plain/"]["responses"]["201"]["headers"]


def test_an_answer_that_nobody_has_recorded_has_an_example_of_its_schema(anonymous, serve):
    serve([*VIEWS, path("trees/<int:pk>/", TreeView.as_view())])
    contract = contract_of(anonymous)
    names = set()
    for operation in described(contract).values():
        for response in operation["responses"].values():
            content = response.get("content", {}).get("application/json", {"examples": {}})
            for example in content["examples"].values():
                name = example["$ref"].rpartition("/")[2]
                names.add(name)
                value = contract["components"]["examples"][name]["value"]
                validator = Draft202012Validator({**contract, **content["schema"]})
                assert list(validator.iter_errors(value)) == [], name
    assert {"Branch", "Plain", "PaginatedPlainList", "Book"} <= names
    tree = contract["components"]["examples"]["Branch"]["value"]
    assert tree["choice"] == "one"
    assert tree["subject"] is None
    assert tree["branches"] == []
    assert len(tree["subjects"]) == 1
    assert "absent" not in tree


def test_refusals_follow_the_permissions(anonymous, serve):
    serve(VIEWS)
    operations = described(contract_of(anonymous))
    assert "403" in operations["GET", "/generic/"]["responses"]
    assert "403" in operations["GET", "/generic/{id}/"]["responses"]
    assert "403" not in operations["GET", "/plain/{id}/"]["responses"]
    assert operations["GET", "/generic/"]["security"] == [{"jwtAuth": []}]
    assert operations["DELETE", "/generic/{id}/"]["security"] == []


@pytest.mark.django_db  # the end of a response looks after the connections
@pytest.mark.parametrize("page", ["/api/schema/", "/api/docs/", "/api/redoc/"])
def test_the_pages_answer_whatever_views_there_are(anonymous, serve, page):
    serve([*VIEWS, *BROKEN])
    assert anonymous.get(page).status_code == 200


def test_a_view_that_cannot_be_described_costs_no_other_its_place(
    anonymous, serve, committed, caplog
):
    serve(BROKEN)
    contract = contract_of(anonymous)
    assert contract == committed
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in warnings] == [
        "GET /api/broken/ is left out of the contract."
    ]


def test_the_contract_is_not_written_while_a_view_cannot_be_described(serve, capsys):
    serve(BROKEN)
    with pytest.raises(CommandError, match="due to warnings"):
        call_command("spectacular", "--fail-on-warn", stdout=StringIO())
    said = capsys.readouterr().err
    assert "BrokenView" in said
    assert "GET /api/broken/ is left out of the contract: AttributeError" in said


@pytest.mark.django_db
def test_a_resource_that_does_not_say_what_it_is_made_of_is_named_at_start_up(anonymous, serve):
    serve(forgetful.urls)
    queryset, serializer = [error for error in run_checks() if error.id == "api.E003"]
    assert (queryset.obj, queryset.msg) == (ForgetfulViewSet, "It has no `queryset`.")
    assert queryset.hint == (
        "Write `queryset = Model.objects.all()`, from which permissions, the search and the "
        "contract take the model, and narrow it down in `get_queryset`."
    )
    assert (serializer.obj, serializer.msg) == (ForgetfulViewSet, "It has no `serializer_class`.")
    validate_schema(contract_of(anonymous))


@pytest.mark.django_db
def test_what_has_no_url_need_not_say_it():
    assert [error for error in run_checks() if error.id == "api.E003"] == []


def test_properties_may_be_called_as_words_of_json_schema(serve, anonymous):
    serve([path("words/", WordsView.as_view())])
    schemas = contract_of(anonymous)["components"]["schemas"]
    names = list(WordsSerializer().fields)
    assert list(schemas["Words"]["properties"]) == names
    request = schemas["WordsRequest"]
    assert list(request["properties"]) == names
    assert request["required"] == ["default", "enum", "pattern"]
    assert request["properties"]["enum"] == {"type": ["string", "null"], "minLength": 1}
    assert not any("default" in each for each in request["properties"].values())


SUBJECT = {"$ref": "#/components/schemas/Subject"}
STRING, INTEGER = {"type": "string"}, {"type": "integer"}
# Schemas as somebody writes them by hand, with a value that each admits
NULLABLE = [
    ({"type": "string"}, "x"),
    ({"type": ["string", "integer"]}, 1),
    ({"type": ["string", "null"]}, "x"),
    ({"type": "string", "enum": ["x", "y"]}, "x"),
    ({"enum": ["x", 1]}, 1),
    ({"enum": ["x", None]}, "x"),
    ({"oneOf": [STRING, INTEGER]}, 1),
    ({"oneOf": [STRING, {"type": "null"}]}, "x"),
    ({"anyOf": [STRING, INTEGER]}, 1),
    ({"anyOf": [STRING, {"type": "null"}]}, "x"),
    ({"allOf": [STRING]}, "x"),
    ({"allOf": [{"type": "string"}, {"minLength": 2}]}, "xx"),
    (SUBJECT, None),
    ({"not": {"type": ["integer", "null"]}}, "x"),
    ({"properties": {"x": STRING}}, {"x": "y"}),
    ({"description": "Whatever there is."}, "x"),
]
# What has nothing to do with null, and what says null alone
OTHERS = [
    {"type": "null"},
    {"type": ["null"]},
    {"type": ["null"], "enum": [None]},
    {"type": "null", "enum": [None]},
    {"type": ["string", "integer", "null"]},
    {"type": "string", "example": {"nullable": True}},
    {"oneOf": [{"type": "null"}]},
    {"$ref": "#/components/schemas/Absent"},
    {"type": "array", "items": True},
    {"properties": {"x": True}, "nullable": True},
]


def view_answering(schema):
    class HandWrittenView(APIView):
        @extend_schema(request={"application/json": schema}, responses={200: schema})
        def post(self, request):
            pass

    return HandWrittenView.as_view()


def schemas_answered(client, serve, schemas):
    """What the contract makes of these: in OpenAPI 3.1 and in 3.0 a list each."""
    serve([path(f"hand-written/{n}/", view_answering(each)) for n, each in enumerate(schemas)])
    for version in ("3.1", "3.0"):
        response = client.get(f"/api/schema/?format=json&version={version}")
        assert response.status_code == 200
        contract = json.loads(response.content)
        yield (
            contract,
            [
                contract["paths"][f"/api/hand-written/{n}/"]["post"]["responses"]["200"]["content"][
                    "application/json"
                ]["schema"]
                for n in range(len(schemas))
            ],
        )


def test_a_schema_written_by_hand_may_be_null_whatever_it_is_made_of(anonymous, serve):
    written = [deepcopy(schema) | {"nullable": True} for schema, _ in NULLABLE]
    (contract, schemas), (contract_in_3_0, schemas_in_3_0) = schemas_answered(
        anonymous, serve, written
    )
    for (schema, value), published, in_3_0 in zip(NULLABLE, schemas, schemas_in_3_0, strict=True):
        validator = Draft202012Validator({**contract, **published})
        assert "nullable" not in str(published), schema
        assert validator.is_valid(None), schema
        assert validator.is_valid(value), schema
        assert not isinstance(in_3_0.get("type"), list), schema
    validate_schema(contract)
    validate_schema(contract_in_3_0)


def test_no_schema_written_by_hand_takes_the_contract_down(anonymous, serve):
    (_, schemas), _ = schemas_answered(anonymous, serve, OTHERS)
    assert {"type": "string", "example": {"nullable": True}} in schemas
