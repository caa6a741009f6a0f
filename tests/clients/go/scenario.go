// What a user of the catalogue does, with the Go client that openapi-generator makes.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"

	. "example.org/app/catalogue"
)

var (
	url    = given("CATALOGUE_URL")
	isbns  = []string{given("ISBN_1"), given("ISBN_2")}
	mark   = given("MARK") // In names that nobody else uses.
	client = NewAPIClient(configuration())

	anonymous = context.Background()
)

func given(name string) string {
	value, found := os.LookupEnv(name)
	if !found {
		panic(name + " is not set")
	}
	return value
}

func configuration() *Configuration {
	configuration := NewConfiguration()
	configuration.Servers = ServerConfigurations{{URL: url}}
	return configuration
}

func same(actual, expected any) {
	if !reflect.DeepEqual(actual, expected) {
		panic(fmt.Sprintf("%#v is not %#v", actual, expected))
	}
}

func must[T any](answer T, _ *http.Response, err error) T {
	if err != nil {
		panic(err)
	}
	return answer
}

func withToken(token string) context.Context {
	return context.WithValue(anonymous, ContextAccessToken, token)
}

func logIn(username string) *TokenObtainPair {
	body := NewTokenObtainPairRequest("demo-" + username)
	body.SetUsername(username)
	return must(client.TokensAPI.ObtainTokens(anonymous).TokenObtainPairRequest(*body).Execute())
}

func faults[T any](status int, _ T, response *http.Response, err error) []string {
	var refusal *GenericOpenAPIError
	if !errors.As(err, &refusal) {
		panic(fmt.Sprintf("It was not refused: %v", err))
	}
	problem := refusal.Model().(Problem)
	same([]int{int(problem.Status), response.StatusCode}, []int{status, status})
	found := []string{}
	for _, fault := range problem.Errors {
		found = append(found, fault.GetPointer()+" "+fault.Code)
	}
	return found
}

func create(who context.Context, book *BookRequest) ApiCreateBookRequest {
	return client.BooksAPI.CreateBook(who).BookRequest(*book)
}

func main() {
	// Log in, and refresh.
	refresh := NewTokenRefreshRequest(logIn("librarian").Refresh)
	pair := must(client.TokensAPI.RefreshTokens(anonymous).TokenRefreshRequest(*refresh).Execute())
	librarian := withToken(pair.Access)

	// An author with a profile and books.
	profile := NewAuthorProfileItemRequest()
	profile.SetBiography("Writes.")
	profile.SetWebsite("https://example.org/")
	ada := NewAuthorRequest("Ada " + mark)
	ada.SetBirthYear(1950)
	ada.SetProfile(*profile)
	first, second := NewBookOfAuthorItemRequest(), NewBookOfAuthorItemRequest()
	first.SetTitle("First " + mark)
	second.SetTitle("Second " + mark)
	ada.SetBooks([]BookOfAuthorItemRequest{*first, *second})
	books := []AuthorExpandable{AUTHOREXPANDABLE_BOOKS}
	author := must(client.AuthorsAPI.CreateAuthor(librarian).AuthorRequest(*ada).Expand(books).Execute())
	same(author.Profile.Get().Biography, "Writes.")
	ids := []int64{author.Books[0].Id, author.Books[1].Id}
	slices.Sort(ids)
	same(ids, author.BookIds)

	// A nested book: a new series, subjects by key, an existing and a new author, two editions.
	subjectIds := []int64{}
	for _, subject := range must(client.SubjectsAPI.ListSubjects(anonymous).PageSize(2).Execute()).Results {
		subjectIds = append(subjectIds, subject.Id)
	}
	slices.Sort(subjectIds)
	nested := NewBookRequest("Nested " + mark)
	nested.SetDescription("Kept.")
	nested.SetFirstPublishedYear(-50)
	series := NewSeriesItemRequest()
	series.SetName("Series " + mark)
	nested.SetSeries(*series)
	nested.SetSeriesPosition("1")
	nested.SetSubjectIds(subjectIds)
	known, unknown := NewAuthorItemRequest(), NewAuthorItemRequest()
	known.SetId(author.Id)
	unknown.SetName("Bob " + mark)
	nested.SetAuthors([]AuthorItemRequest{*known, *unknown})
	hardcover, ebook := NewEditionItemRequest(), NewEditionItemRequest()
	hardcover.SetIsbn13(isbns[0])
	hardcover.SetFormat(EDITIONFORMAT_HARDCOVER)
	hardcover.SetPages(300)
	ebook.SetIsbn13(isbns[1])
	ebook.SetFormat(EDITIONFORMAT_EBOOK)
	ebook.SetPublishedOn("2020-02")
	nested.SetEditions([]EditionItemRequest{*hardcover, *ebook})
	book, response, err := create(librarian, nested).Execute()
	same(err, nil)
	same(response.StatusCode, 201)
	same(response.Header.Get("Location"), fmt.Sprintf("%s/api/books/%d/", url, book.Id))
	same(book.Series.Get().Name, "Series "+mark)
	same([]string{book.Authors[0].Name, book.Authors[1].Name}, []string{"Ada " + mark, "Bob " + mark})
	same([]string{book.Editions[0].GetIsbn13(), book.Editions[1].GetIsbn13()}, isbns)
	same(book.Editions[1].GetPublishedOn(), "2020-02")

	// All pages, by cursor, to the end.
	seen := map[int64]bool{}
	pages := client.BooksAPI.ListBooks(anonymous).PageSize(100).Count(true)
	pages = pages.Ordering(BOOKORDERING_BY_ID_DESCENDING)
	for {
		page := must(pages.Execute())
		for _, each := range page.Results {
			seen[each.Id] = true
		}
		cursor := page.NextCursor.Get()
		if cursor == nil {
			same(int64(len(seen)), page.GetCount())
			break
		}
		pages = pages.Cursor(*cursor)
	}
	same(len(seen) > 200, true)

	// Filter, and expand.
	ancient := client.BooksAPI.ListBooks(librarian).Author([]string{fmt.Sprint(author.Id)})
	ancient = ancient.Role([]ContributionRole{CONTRIBUTIONROLE_AUTHOR, CONTRIBUTIONROLE_EDITOR})
	ancient = ancient.FirstPublishedYearMax(-1)
	found := must(ancient.Execute()).Results
	same([]int64{found[0].Id, int64(len(found))}, []int64{book.Id, 1})
	expanded := must(client.AuthorsAPI.GetAuthor(librarian, author.Id).Expand(books).Execute())
	same(len(expanded.Books), 3)

	// One property changes, the others stay; null empties one.
	patch := client.BooksAPI.PartialUpdateBook(librarian, book.Id)
	rename := NewPatchedBookRequest()
	rename.SetTitle("Renamed " + mark)
	renamed := *must(patch.PatchedBookRequest(*rename).Execute())
	same(renamed.Title, "Renamed "+mark)
	// `sort_title` is made from the title.
	renamed.Title, renamed.SortTitle = book.Title, book.SortTitle
	renamed.Version, renamed.UpdatedAt = book.Version, book.UpdatedAt
	same(renamed, *book)
	empty := NewPatchedBookRequest()
	empty.SetSeriesNil()
	empty.SetFirstPublishedYearNil()
	emptied := must(patch.PatchedBookRequest(*empty).Execute())
	same(emptied.SeriesId.Get() == nil && emptied.FirstPublishedYear.Get() == nil, true)
	same(emptied.Editions, book.Editions)

	// What has not changed is not sent again, and what somebody else has changed not overwritten.
	get := client.BooksAPI.GetBook(anonymous, book.Id)
	_, response, err = get.Execute()
	same(err, nil)
	tag := response.Header.Get("ETag")
	_, response, _ = get.IfNoneMatch(tag).Execute()
	same(response.StatusCode, 304)
	described, late := NewPatchedBookRequest(), NewPatchedBookRequest()
	described.SetDescription("By the first.")
	late.SetDescription("By another.")
	answer := must(patch.IfMatch(tag).PatchedBookRequest(*described).Execute())
	same(answer.Description, "By the first.")
	none := []string{}
	_, response, err = patch.IfMatch(tag).PatchedBookRequest(*late).Execute()
	same(faults(412, book, response, err), none)

	// Every refusal is a Problem.
	invalid := NewBookRequest("")
	nameless := NewAuthorItemRequest()
	nameless.SetName("")
	invalid.SetAuthors([]AuthorItemRequest{*nameless})
	_, response, err = create(librarian, invalid).Execute()
	same(faults(400, book, response, err), []string{"/title blank", "/authors/0/name blank"})
	taken := NewBookRequest("Taken")
	taken.SetEditions([]EditionItemRequest{*hardcover})
	_, response, err = create(librarian, taken).Execute()
	same(faults(409, book, response, err), []string{"/editions/0/isbn13 unique"})
	no := NewBookRequest("No")
	_, response, err = create(anonymous, no).Execute()
	same(faults(401, book, response, err), none)
	_, response, err = create(withToken(logIn("member").Access), no).Execute()
	same(faults(403, book, response, err), none)

	// Gone.
	response, err = client.BooksAPI.DeleteBook(librarian, book.Id).Execute()
	same([]any{response.StatusCode, err}, []any{204, nil})
	_, response, err = get.Execute()
	same(faults(404, book, response, err), none)
	out := NewTokenBlacklistRequest(pair.Refresh)
	must(client.TokensAPI.LogOut(anonymous).TokenBlacklistRequest(*out).Execute())
}
