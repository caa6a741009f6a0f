<?php
// What a user of the catalogue does, with the PHP client that openapi-generator makes.
declare(strict_types=1);

use GuzzleHttp\Client;
use OpenAPI\Client\Api\AuthorsApi;
use OpenAPI\Client\Api\BooksApi;
use OpenAPI\Client\Api\SubjectsApi;
use OpenAPI\Client\Api\TokensApi;
use OpenAPI\Client\ApiException;
use OpenAPI\Client\Configuration;
use OpenAPI\Client\Model\AuthorExpandable;
use OpenAPI\Client\Model\AuthorItemRequest;
use OpenAPI\Client\Model\AuthorProfileItemRequest;
use OpenAPI\Client\Model\AuthorRequest;
use OpenAPI\Client\Model\BookOfAuthorItemRequest;
use OpenAPI\Client\Model\BookOrdering;
use OpenAPI\Client\Model\BookRequest;
use OpenAPI\Client\Model\ContributionRole;
use OpenAPI\Client\Model\EditionFormat;
use OpenAPI\Client\Model\EditionItemRequest;
use OpenAPI\Client\Model\PatchedBookRequest;
use OpenAPI\Client\Model\Problem;
use OpenAPI\Client\Model\SeriesItemRequest;
use OpenAPI\Client\Model\TokenBlacklistRequest;
use OpenAPI\Client\Model\TokenObtainPair;
use OpenAPI\Client\Model\TokenObtainPairRequest;
use OpenAPI\Client\Model\TokenRefreshRequest;

require 'vendor/autoload.php';

$url = given('CATALOGUE_URL');
$isbns = [given('ISBN_1'), given('ISBN_2')];
// In names that nobody else uses.
$mark = given('MARK');

function given(string $name): string
{
    $value = getenv($name);
    return $value !== false ? $value : throw new Exception("$name is not set");
}

function same(mixed $actual, mixed $expected): void
{
    if ($actual !== $expected) {
        throw new Exception(json_encode($actual) . ' is not ' . json_encode($expected));
    }
}

function with_token(?string $token = null): Configuration
{
    global $url;
    return (new Configuration())->setHost($url)->setAccessToken($token ?? '');
}

function books(Configuration $configuration): BooksApi
{
    return new BooksApi(new Client(), $configuration);
}

function log_in(TokensApi $tokens, string $username): TokenObtainPair
{
    $who = new TokenObtainPairRequest(['username' => $username, 'password' => "demo-$username"]);
    return $tokens->obtainTokens($who);
}

function refusal(int $status, callable $call): ApiException
{
    try {
        $call();
    } catch (ApiException $error) {
        same($error->getCode(), $status);
        return $error;
    }
    throw new Exception('It was not refused');
}

function faults(int $status, callable $call): array
{
    $problem = refusal($status, $call)->getResponseObject();
    same($problem::class, Problem::class);
    same($problem->getStatus(), $status);
    $pair = fn($fault) => [$fault->getPointer(), $fault->getCode()];
    return array_map($pair, $problem->getErrors() ?? []);
}

function ids(array $objects): array
{
    $ids = array_map(fn($object) => $object->getId(), $objects);
    sort($ids);
    return $ids;
}

// Log in, and refresh.
$anonymous = with_token();
$tokens = new TokensApi(new Client(), $anonymous);
$refresh = new TokenRefreshRequest(['refresh' => log_in($tokens, 'librarian')->getRefresh()]);
$pair = $tokens->refreshTokens($refresh);
$librarian = with_token($pair->getAccess());
$books = books($librarian);
$authors = new AuthorsApi(new Client(), $librarian);

// An author with a profile and books.
$author = $authors->createAuthor(
    new AuthorRequest([
        'name' => "Ada $mark",
        'birth_year' => 1950,
        'profile' => new AuthorProfileItemRequest([
            'biography' => 'Writes.',
            'website' => 'https://example.org/',
        ]),
        'books' => [
            new BookOfAuthorItemRequest(['title' => "First $mark"]),
            new BookOfAuthorItemRequest(['title' => "Second $mark"]),
        ],
    ]),
    expand: [AuthorExpandable::BOOKS],
);
same($author->getProfile()->getBiography(), 'Writes.');
same(ids($author->getBooks()), $author->getBookIds());

// A nested book: a new series, subjects by key, an existing and a new author, two editions.
$subjects = new SubjectsApi(new Client(), $anonymous);
$subject_ids = ids($subjects->listSubjects(page_size: 2)->getResults());
[$book, $status, $headers] = $books->createBookWithHttpInfo(
    new BookRequest([
        'title' => "Nested $mark",
        'description' => 'Kept.',
        'first_published_year' => -50,
        'series' => new SeriesItemRequest(['name' => "Series $mark"]),
        'series_position' => '1',
        'subject_ids' => $subject_ids,
        'authors' => [
            new AuthorItemRequest(['id' => $author->getId()]),
            new AuthorItemRequest(['name' => "Bob $mark"]),
        ],
        'editions' => [
            new EditionItemRequest([
                'isbn13' => $isbns[0],
                'format' => EditionFormat::HARDCOVER,
                'pages' => 300,
            ]),
            new EditionItemRequest([
                'isbn13' => $isbns[1],
                'format' => EditionFormat::EBOOK,
                'published_on' => '2020-02',
            ]),
        ],
    ]),
);
$id = $book->getId();
same($status, 201);
same($headers['location'] ?? $headers['Location'], ["$url/api/books/$id/"]);
same($book->getSeries()->getName(), "Series $mark");
same(array_map(fn($each) => $each->getName(), $book->getAuthors()), ["Ada $mark", "Bob $mark"]);
same(array_map(fn($edition) => $edition->getIsbn13(), $book->getEditions()), $isbns);
same($book->getEditions()[1]->getPublishedOn(), '2020-02');

// All pages, by cursor, to the end.
$seen = [];
$cursor = null;
do {
    $page = books($anonymous)->listBooks(
        cursor: $cursor,
        page_size: 100,
        count: true,
        ordering: BookOrdering::BY_ID_DESCENDING,
    );
    array_push($seen, ...ids($page->getResults()));
    $cursor = $page->getNextCursor();
} while ($cursor !== null);
same(count(array_unique($seen)), $page->getCount());
same(count($seen) > 200, true);

// Filter, and expand.
$ancient = $books->listBooks(
    author: ["{$author->getId()}"],
    role: [ContributionRole::AUTHOR, ContributionRole::EDITOR],
    first_published_year_max: -1,
);
same(ids($ancient->getResults()), [$id]);
$expanded = $authors->getAuthor($author->getId(), expand: [AuthorExpandable::BOOKS]);
same(count($expanded->getBooks()), 3);

// One property changes, the others stay; null empties one.
$renamed = $books->partialUpdateBook($id, new PatchedBookRequest(['title' => "Renamed $mark"]));
[$before, $after] = array_map(
    fn($document) => array_map('json_encode', (array) $document->jsonSerialize()),
    [$book, $renamed],
);
// `sort_title` is made from the title; `updated_at` stands here in seconds.
$changed = array_keys(array_diff_assoc($before, $after));
same(array_values(array_diff($changed, ['updated_at'])), ['title', 'sort_title', 'version']);
$empty = new PatchedBookRequest(['series' => null, 'first_published_year' => null]);
$emptied = $books->partialUpdateBook($id, $empty);
same([$emptied->getSeriesId(), $emptied->getFirstPublishedYear()], [null, null]);
same(count($emptied->getEditions()), 2);

// What has not changed is not sent again, and what somebody else has changed not overwritten.
[, , $headers] = $books->getBookWithHttpInfo($id);
[$tag] = $headers['etag'] ?? $headers['ETag'];
refusal(304, fn() => $books->getBook($id, if_none_match: $tag));
$first = new PatchedBookRequest(['description' => 'By the first.']);
$described = $books->partialUpdateBook($id, $first, if_match: $tag);
same($described->getDescription(), 'By the first.');
$late = new PatchedBookRequest(['description' => 'By another.']);
same(faults(412, fn() => $books->partialUpdateBook($id, $late, if_match: $tag)), []);

// Every refusal is a Problem.
// The client itself refuses what the contract rules out, so this is what only the server knows.
$invalid = new BookRequest([
    'title' => 'No',
    'language' => 'xx-nowhere',
    'authors' => [new AuthorItemRequest()],
]);
same(
    faults(400, fn() => $books->createBook($invalid)),
    [['/language', 'language'], ['/authors/0/name', 'required']],
);
$taken = new BookRequest([
    'title' => 'Taken',
    'editions' => [new EditionItemRequest(['isbn13' => $isbns[0]])],
]);
same(faults(409, fn() => $books->createBook($taken)), [['/editions/0/isbn13', 'unique']]);
$no = new BookRequest(['title' => 'No']);
same(faults(401, fn() => books($anonymous)->createBook($no)), []);
$member = with_token(log_in($tokens, 'member')->getAccess());
same(faults(403, fn() => books($member)->createBook($no)), []);

// Gone.
[, $status] = $books->deleteBookWithHttpInfo($id);
same($status, 204);
same(faults(404, fn() => $books->getBook($id)), []);
$tokens->logOut(new TokenBlacklistRequest(['refresh' => $pair->getRefresh()]));
