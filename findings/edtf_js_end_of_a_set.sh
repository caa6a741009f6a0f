#!/usr/bin/env bash
# edtf 4.11.1 (EDTF.js), several dates of which the last ones are given as a range, as of a work in
# volumes: "{1667,1668..1670}". Expected: its `max` is the end of 1670. Seen: it is the end of 1668,
# where the range begins, and of "{1667..1670}" the end of 1667, so `covers` says no to 1669, although
# going through the same object gives all four years. So it is for "one of these" in square brackets,
# too: "[1667..1670]" ends with 1667, while the interval "1667/1670" ends with 1670. Whoever keeps
# `min` and `max` to search by loses all but the first year of such a range.
#
# Needs node with npm. Exits with 1 when this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund edtf@4.11.1 nearley@2.20.1
cat > set.mjs <<'JAVASCRIPT'
import edtf from 'edtf'

function asExpected(what, found, expected) {
  console.log(`${what}: ${found}`)
  if (found === expected) return
  console.error(`No longer: ${expected}`)
  process.exit(1)
}

const end = text => new Date(edtf(text).max).toISOString().slice(0, 10)

asExpected('1667/1670', end('1667/1670'), '1670-12-31')
asExpected('{1667,1670}', end('{1667,1670}'), '1670-12-31')
asExpected('{1667,1668..1670}', end('{1667,1668..1670}'), '1668-12-31')
asExpected('{1667..1670}', end('{1667..1670}'), '1667-12-31')
asExpected('[1667..1670]', end('[1667..1670]'), '1667-12-31')

const volumes = edtf('{1667,1668..1670}')
asExpected('its years', [...volumes].map(year => year.edtf).join(), '1667,1668,1669,1670')
asExpected('it covers 1669', volumes.covers(edtf('1669')), false)
JAVASCRIPT
node set.mjs
echo "As described: a set ends where its last range begins."
