#!/usr/bin/env bash
# edtf 5.0.2, `text_to_edtf`, on years before Christ. EDTF counts them as ISO 8601 does: 0000 is 1 BC,
# and -0043 is 44 BC. Expected: `text_to_edtf("44 BC")` is "-0043". Seen: it is "-0044", which is 45 BC,
# and "1 BC" is "-0001": by the library's own `parse_edtf` a whole year, 0000, lies between its end
# and the beginning of "1 AD". Written with points, as library catalogues do, it is no year before
# Christ at all: "44 B.C." becomes a year of our own time.
#
# Needs python3 with venv. Exits with 1 when this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check edtf==5.0.2 pyparsing==3.3.3 \
    python-dateutil==4.0.0
venv/bin/python - <<'PYTHON'
from edtf import parse_edtf, text_to_edtf


def as_expected(found, expected):
    if found != expected:
        raise SystemExit(f"No longer: {expected}, but {found}")


as_expected(text_to_edtf("44 BC"), "-0044")
before = parse_edtf(text_to_edtf("1 BC"))
after = parse_edtf(text_to_edtf("1 AD"))
between = parse_edtf("0000")
ends = [before.upper_strict(), between.lower_strict(), between.upper_strict(), after.lower_strict()]
as_expected([tuple(end[:3]) for end in ends], [(-1, 12, 31), (0, 1, 1), (0, 12, 31), (1, 1, 1)])
as_expected(int(text_to_edtf("44 B.C.")) > 0, True)
PYTHON
echo "As described: years before Christ are one too early."
