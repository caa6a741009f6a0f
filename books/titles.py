"""Under which words a title is filed."""

ARTICLES = ("the", "a", "an")


def sort_title(title: str) -> str:
    """ "The Hobbit" → "Hobbit, The": an English article goes behind.

    Other languages' articles are words in English ("Die Hard"), so they stay.
    """
    article, _, rest = title.partition(" ")
    rest = rest.strip()
    return f"{rest}, {article}" if rest and article.lower() in ARTICLES else title
