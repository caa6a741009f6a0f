// What a user of the catalogue does, with the C# models that openapi-generator makes. mono's compiler
// is too old for the client around them, so here they go by an HTTP client of .NET's own.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Text;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;
using Org.OpenAPITools.Model;

public static class Scenario
{
    static readonly string Url = Given("CATALOGUE_URL");
    static readonly string[] Isbns = { Given("ISBN_1"), Given("ISBN_2") };
    // In names that nobody else uses.
    static readonly string Mark = Given("MARK");
    // As the client has them.
    static readonly JsonSerializerSettings Settings = new JsonSerializerSettings
    {
        ConstructorHandling = ConstructorHandling.AllowNonPublicDefaultConstructor,
    };
    static string token;

    class Answer
    {
        public int Status;
        public WebHeaderCollection Headers;
        public string Text;

        public T As<T>(int status = 200)
        {
            if (Status != status) throw new Exception(Status + " " + Text);
            return JsonConvert.DeserializeObject<T>(Text, Settings);
        }

        public string Faults(int status)
        {
            var problem = As<Problem>(status);
            Same(problem.Status, status);
            var faults = problem.Errors ?? new List<Fault>();
            return string.Join(", ", faults.Select(each => each.Pointer + " " + each.Code));
        }
    }

    static string Given(string name)
    {
        var value = Environment.GetEnvironmentVariable(name);
        return value ?? throw new Exception(name + " is not set");
    }

    static void Same(object actual, object expected)
    {
        var texts = new[] { actual, expected }.Select(JsonConvert.SerializeObject).ToArray();
        if (texts[0] != texts[1]) throw new Exception(texts[0] + " is not " + texts[1]);
    }

    static string Serialize(object body) => JsonConvert.SerializeObject(body, Settings);

    static Answer Send(string method, string path, object body = null, string match = null)
    {
        var request = (HttpWebRequest)WebRequest.Create(Url + path);
        request.Method = method;
        if (token != null) request.Headers["Authorization"] = "Bearer " + token;
        if (match != null) request.Headers[method == "GET" ? "If-None-Match" : "If-Match"] = match;
        if (body != null)
        {
            request.ContentType = "application/json";
            var bytes = Encoding.UTF8.GetBytes(Serialize(body));
            using (var stream = request.GetRequestStream()) stream.Write(bytes, 0, bytes.Length);
        }
        HttpWebResponse response;
        try
        {
            response = (HttpWebResponse)request.GetResponse();
        }
        catch (WebException refusal) when (refusal.Response != null)
        {
            response = (HttpWebResponse)refusal.Response;
        }
        using (response)
        using (var reader = new StreamReader(response.GetResponseStream()))
        {
            var status = (int)response.StatusCode;
            return new Answer { Status = status, Headers = response.Headers, Text = reader.ReadToEnd() };
        }
    }

    static TokenObtainPair LogIn(string username)
    {
        token = null;
        var who = new TokenObtainPairRequest(username: username, password: "demo-" + username);
        return Send("POST", "/api/token/", who).As<TokenObtainPair>();
    }

    public static void Main()
    {
        // Log in, and refresh.
        var refresh = new TokenRefreshRequest(LogIn("librarian").Refresh);
        var pair = Send("POST", "/api/token/refresh/", refresh).As<TokenRefresh>();
        token = pair.Access;

        // An author with a profile and books.
        var author = Send("POST", "/api/authors/?expand=books", new AuthorRequest(
            name: "Ada " + Mark,
            birthYear: 1950,
            profile: new AuthorProfileItemRequest(biography: "Writes.", website: "https://example.org/"),
            books: new List<BookOfAuthorItemRequest> {
                new BookOfAuthorItemRequest(title: "First " + Mark),
                new BookOfAuthorItemRequest(title: "Second " + Mark),
            }
        )).As<Author>(201);
        Same(author.Profile.Biography, "Writes.");
        Same(author.Books.Select(each => each.Id).OrderBy(id => id), author.BookIds);

        // A nested book: a new series, subjects by key, an existing and a new author, two editions.
        var subjects = Send("GET", "/api/subjects/?page_size=2").As<PaginatedSubjectList>();
        var subjectIds = subjects.Results.Select(each => each.Id).OrderBy(id => id).ToList();
        var created = Send("POST", "/api/books/", new BookRequest(
            title: "Nested " + Mark,
            description: "Kept.",
            firstPublishedYear: -50,
            series: new SeriesItemRequest(name: "Series " + Mark),
            seriesPosition: "1",
            subjectIds: subjectIds,
            authors: new List<AuthorItemRequest> {
                new AuthorItemRequest(id: author.Id),
                new AuthorItemRequest(name: "Bob " + Mark),
            },
            editions: new List<EditionItemRequest> {
                new EditionItemRequest(isbn13: Isbns[0], format: EditionFormat.Hardcover, pages: 300),
                new EditionItemRequest(
                    isbn13: Isbns[1], format: EditionFormat.Ebook, publishedOn: "2020-02"),
            }
        ));
        var book = created.As<Book>(201);
        var path = "/api/books/" + book.Id + "/";
        Same(created.Headers["Location"], Url + path);
        Same(book.Series.Name, "Series " + Mark);
        Same(book.Authors.Select(each => each.Name), new[] { "Ada " + Mark, "Bob " + Mark });
        Same(book.Editions.Select(each => each.Isbn13), Isbns);
        Same(book.Editions[1].PublishedOn, "2020-02");

        // All pages, by cursor, to the end.
        var seen = new HashSet<long>();
        var query = "/api/books/?page_size=100&count=true&ordering=-id";
        PaginatedBookList page;
        var next = query;
        do
        {
            page = Send("GET", next).As<PaginatedBookList>();
            seen.UnionWith(page.Results.Select(each => each.Id));
            next = query + "&cursor=" + Uri.EscapeDataString(page.NextCursor ?? "");
        } while (page.NextCursor != null);
        Same(seen.Count > 200, true);
        Same(seen.Count, page.Count);

        // What is not set is not sent; null is, if it was set.
        var rename = new PatchedBookRequest(title: "Renamed " + Mark);
        Same(Serialize(rename), "{\"title\":\"Renamed " + Mark + "\"}");
        var empty = new PatchedBookRequest { Series = null, FirstPublishedYear = null };
        Same(Serialize(empty), "{\"first_published_year\":null,\"series\":null}");

        // One property changes, the others stay; null empties one.
        var before = JObject.Parse(created.Text);
        var after = JObject.Parse(Send("PATCH", path, rename).Text);
        Same(after["title"], "Renamed " + Mark);
        // `sort_title` is made from the title.
        foreach (var name in new[] { "title", "sort_title", "version", "updated_at" })
        {
            before.Remove(name);
            after.Remove(name);
        }
        Same(after, before);
        var emptied = Send("PATCH", path, empty).As<Book>();
        Same(emptied.SeriesId, null);
        Same(emptied.FirstPublishedYear, null);
        Same(emptied.Editions, book.Editions);

        // What has not changed is not sent again, and what somebody else has changed not overwritten.
        var tag = Send("GET", path).Headers["ETag"];
        Same(Send("GET", path, match: tag).Status, 304);
        var first = new PatchedBookRequest(description: "By the first.");
        Same(Send("PATCH", path, first, tag).As<Book>().Description, "By the first.");
        var late = new PatchedBookRequest(description: "By another.");
        Same(Send("PATCH", path, late, tag).Faults(412), "");

        // Every refusal is a Problem.
        var nameless = new List<AuthorItemRequest> { new AuthorItemRequest(name: "") };
        var invalid = new BookRequest(title: "", authors: nameless);
        Same(Send("POST", "/api/books/", invalid).Faults(400), "/title blank, /authors/0/name blank");
        var edition = new List<EditionItemRequest> { new EditionItemRequest(isbn13: Isbns[0]) };
        var taken = new BookRequest(title: "Taken", editions: edition);
        Same(Send("POST", "/api/books/", taken).Faults(409), "/editions/0/isbn13 unique");
        var no = new BookRequest(title: "No");
        token = LogIn("member").Access;
        Same(Send("POST", "/api/books/", no).Faults(403), "");
        token = null;
        Same(Send("POST", "/api/books/", no).Faults(401), "");

        // Gone.
        token = pair.Access;
        Same(Send("DELETE", path).Status, 204);
        Same(Send("GET", path).Faults(404), "");
        Send("POST", "/api/token/blacklist/", new TokenBlacklistRequest(pair.Refresh));
        Runtime.End();
    }
}
