"""Under which words a name is filed."""

from nameparser import HumanName


def sort_name(name: str) -> str:
    """ "Ursula K. Le Guin" → "Le Guin, Ursula K."; a single name stays as it is.

    A guess by Western rules; whoever knows better sends `sort_name`.
    """
    parsed = HumanName(name)
    given = " ".join(part for part in (parsed.first, parsed.middle) if part)
    if not parsed.last or not given:
        return name
    return f"{parsed.last}, {given}" + (f", {parsed.suffix}" if parsed.suffix else "")
