"""Does a form of the admin overwrite nobody who was faster, and can it be saved after all?"""

import re

import pytest
from django.contrib.admin.models import LogEntry

from authors.models import Author, AuthorProfile
from books.models import Book, Contribution, Edition, Publisher, Series, Subject
from tests.catalogue import book, credits_of, isbn, send
from tests.test_admin import browser, changelist, errors, filled_in, page, row, saved

pytestmark = pytest.mark.django_db
AGAIN = "Nothing is saved. Save again to overwrite what is stored."


@pytest.fixture
def desk(db):
    return browser("librarian")


@pytest.fixture
def omens(db):
    made = book(
        contributors=[Author.objects.create(name="Terry"), Author.objects.create(name="Neil")],
        isbns=[isbn(1), isbn(2)],
        series=Series.objects.create(name="Angels"),
    )
    made.subjects.add(Subject.objects.create(name="Apocalypse"))
    return made


def without_moment(texts):
    moment = r"\d{4}-\d\d-\d\d at \d\d:\d\d:\d\d UTC"
    return [re.sub(moment, "WHEN", text) for text in texts]


def test_page_carries_the_version_that_it_shows(desk, omens):
    Book.objects.update(version=7)
    content = desk.get(page(omens)).content.decode()
    assert '<input type="hidden" name="based_on_version" value="7"' in content
    assert "based_on_version" not in desk.get("/admin/books/book/add/").content.decode()


@pytest.mark.parametrize("model", [Author, Series, Publisher, Subject])
def test_page_of_each_root_is_refused_when_somebody_was_faster(model, desk, librarian):
    made = model.objects.create(name="Old")
    form = filled_in(desk.get(page(made)))
    kind = model._meta.verbose_name_plural
    send(librarian, "patch", f"/{kind}/{made.pk}/", {"name": "Theirs"})
    found = errors(desk.post(page(made), form | {"name": "Mine"}))
    assert without_moment(found.pop("__all__"))[:3] == [
        "Since you opened this page librarian has changed it, on WHEN.",
        AGAIN,
        "Name: you have “Mine”, stored is “Theirs”.",
    ]
    assert found == {}
    assert model.objects.get().name == "Theirs"


def test_refused_page_says_who_when_and_what_differs_and_can_be_saved_again(desk, librarian, omens):
    form = filled_in(desk.get(page(omens)))
    path = f"/books/{omens.pk}/"
    mine, theirs = Subject.objects.get(), Subject.objects.create(name="Humour")
    send(
        librarian,
        "patch",
        path,
        {
            "title": "Theirs",
            "first_published_year": 1990,
            "subject_ids": [theirs.pk],
            "series": None,
        },
    )
    answer = desk.post(page(omens), form | {"title": "Mine"})
    assert without_moment(errors(answer)["__all__"]) == [
        "Since you opened this page librarian has changed it, on WHEN.",
        AGAIN,
        "Title: you have “Mine”, stored is “Theirs”.",
        "Sort title: you have “Good Omens”, stored is “Theirs”.",
        "First published year: you have nothing, stored is “1990”.",
        "Series: you have “Angels”, stored is nothing.",
        "Subjects: you have “Apocalypse”, stored is “Humour”.",
    ]
    assert Book.objects.get().title == "Theirs"
    assert saved(desk.post(page(omens), filled_in(answer)))
    made = Book.objects.get()
    assert (made.title, made.first_published_year, made.version) == ("Mine", None, 3)
    assert [*made.subjects.all()] == [mine]


def test_form_whose_row_somebody_has_deleted_can_be_saved_again(desk, librarian, omens):
    first, second = omens.editions.order_by("pk")
    form = filled_in(desk.get(page(omens))) | row("editions", 1, pages=300)
    send(librarian, "delete", f"/books/{omens.pk}/editions/{first.pk}/", status=204)
    answer = desk.post(page(omens), form)
    assert errors(answer)["editions"] == [
        f"Edition {first.pk} is gone.",
        f"Edition “{second}”: Pages: you have “300”, stored is nothing.",
    ]
    assert saved(desk.post(page(omens), filled_in(answer)))
    [left] = omens.editions.all()
    assert (left.pk, left.pages) == (second.pk, 300)


def test_new_row_of_somebody_else_stays_beside_ones_own(desk, librarian, omens):
    new = row("editions", 2, id="", book=omens.pk, isbn13=isbn(4), format="ebook", language="")
    form = filled_in(desk.get(page(omens))) | new | {"editions-TOTAL_FORMS": 3}
    send(librarian, "post", f"/books/{omens.pk}/editions/", {"isbn13": isbn(3)}, 201)
    author = Author.objects.create(name="Third")
    send(librarian, "post", f"/books/{omens.pk}/contributions/", {"author_id": author.pk}, 201)
    answer = desk.post(page(omens), form)
    theirs = Edition.objects.get(isbn13=isbn(3))
    assert errors(answer)["editions"] == [f"Edition “{theirs}” is new."]
    assert errors(answer)["contributions"] == [
        f"Contribution “{Contribution.objects.get(author=author)}” is new."
    ]
    assert saved(desk.post(page(omens), filled_in(answer)))
    assert {each.isbn13 for each in omens.editions.all()} == {isbn(n) for n in (1, 2, 3, 4)}
    assert len(credits_of(omens)) == 3


def test_ones_own_profile_is_an_edit_of_that_which_somebody_else_has_made(desk, librarian):
    made = Author.objects.create(name="Neil")
    form = filled_in(desk.get(page(made)))
    theirs = {"biography": "Theirs", "website": "https://example.org"}
    send(librarian, "patch", f"/authors/{made.pk}/", {"profile": theirs})
    answer = desk.post(page(made), form | row("profile", 0, biography="Mine"))
    profile = AuthorProfile.objects.get()
    assert errors(answer)["profile"] == [
        f"Author profile “{profile}” is new.",
        f"Author profile “{profile}”: Biography: you have “Mine”, stored is “Theirs”.",
    ]
    assert saved(desk.post(page(made), filled_in(answer)))
    after = AuthorProfile.objects.get()
    assert (after.pk, after.biography, after.website) == (profile.pk, "Mine", theirs["website"])


def test_profile_of_somebody_else_stays_where_one_has_none(desk, librarian):
    made = Author.objects.create(name="Neil")
    form = filled_in(desk.get(page(made)))
    send(librarian, "patch", f"/authors/{made.pk}/", {"profile": {"biography": "Theirs"}})
    answer = desk.post(page(made), form | {"name": "Mine"})
    assert saved(desk.post(page(made), filled_in(answer)))
    assert Author.objects.get().name == "Mine"
    assert AuthorProfile.objects.get().biography == "Theirs"


def hidden_inputs(content):
    """What a browser sends of a page that only asks for confirmation."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', content)
    return {
        name: [value for each, value in found if each == name]
        for name, _ in found
        if name != "csrfmiddlewaretoken"
    }


def test_deletion_of_what_somebody_has_changed_meanwhile_is_refused_once(desk, librarian, omens):
    url = page(omens).replace("change", "delete")
    form = hidden_inputs(desk.get(url).content.decode())
    send(librarian, "patch", f"/books/{omens.pk}/", {"title": "Theirs"})
    refused = desk.post(url, form, follow=True)
    assert refused.redirect_chain == [(url, 302)]
    assert without_moment(str(each) for each in refused.context["messages"]) == [
        "Since you opened this page librarian has changed it, on WHEN. Look again."
    ]
    assert Book.objects.get().title == "Theirs"
    assert desk.post(url, hidden_inputs(refused.content.decode())).status_code == 302
    assert not Book.objects.exists()


def test_so_is_that_of_several_all_or_none(desk, librarian, omens):
    other = book(title="Other")
    url = changelist(Book)
    chosen = {"action": "delete_selected", "_selected_action": [omens.pk, other.pk]}
    form = hidden_inputs(desk.post(url, chosen).content.decode())
    send(librarian, "patch", f"/books/{omens.pk}/", {"title": "Theirs"})
    refused = desk.post(url, form, follow=True)
    assert without_moment(str(each) for each in refused.context["messages"]) == [
        "“Theirs”: Since you opened this page librarian has changed it, on WHEN. Look again."
    ]
    assert Book.objects.count() == 2
    assert not LogEntry.objects.exists()
    desk.post(url, hidden_inputs(desk.post(url, chosen).content.decode()))
    assert not Book.objects.exists()


def test_hand_with_sql_is_nobody(desk, omens):
    form = filled_in(desk.get(page(omens)))
    Book.objects.update(title="By hand", version=2)
    found = errors(desk.post(page(omens), form))
    assert without_moment(found["__all__"]) == [
        "Since you opened this page it was changed, on WHEN.",
        AGAIN,
        "Title: you have “Good Omens”, stored is “By hand”.",
    ]


@pytest.mark.parametrize("value", ["x", "0", "9" * 5000, "-1"])
def test_version_that_is_none_is_refused(value, desk, omens):
    form = filled_in(desk.get(page(omens)))
    answer = desk.post(page(omens), form | {"based_on_version": value, "title": "Mine"})
    assert "based_on_version" in errors(answer)
    assert Book.objects.get().title == "Good Omens"


def test_of_the_admin_and_the_api_at_once_one_wins(desk, librarian, at_once, omens):
    form = filled_in(desk.get(page(omens)))

    def edit(number):
        if number % 2:
            headers = {"If-Match": '"1"'}
            answer = librarian.patch(
                f"/api/books/{omens.pk}/", {"title": f"{number}"}, format="json", headers=headers
            )
            return {200: "won", 412: "lost"}[answer.status_code]
        answer = desk.post(page(omens), form | {"title": f"{number}"})
        return {302: "won", 200: "lost"}[answer.status_code]

    answers = at_once(edit, 8)
    assert sorted(answers) == 7 * ["lost"] + ["won"]
    made = Book.objects.get()
    assert (made.version, made.title) == (2, f"{answers.index('won')}")
