#!/usr/bin/env bash
# edtf 4.11.1 (EDTF.js), the parts of a year that level 2 of EDTF names: 29 to 32 are spring, summer,
# autumn and winter of the southern hemisphere, 37 to 39 the three parts of four months each.
# Expected: the southern seasons follow each other as the northern ones (25 to 28) do, with summer
# about the new year, and the parts of four months share no day. Seen: the southern seasons run
# backwards, from spring in October to December down to winter in January to March. The summer of
# 2019 ("2019-30") is July to September: it covers a day in July and none in January, and begins
# before the spring whose `next()` it is. The first four months have five ("2019-37" ends with May),
# and so have the second. An issue "Summer 2019" from Sydney is filed under its winter, and what goes
# by `min` and `max` finds May and September twice.
#
# Needs node with npm. Exits with 1 when this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund edtf@4.11.1 nearley@2.20.1
cat > seasons.mjs <<'JAVASCRIPT'
import edtf from 'edtf'

const month = time => new Date(time).toISOString().slice(0, 7)

function asExpected(what, found, expected) {
  console.log(`${what}: ${found}`)
  if (found === expected) return
  console.error(`No longer: ${expected}`)
  process.exit(1)
}

function months(text, expected) {
  const { min, max } = edtf(text)
  asExpected(text, `${month(min)} to ${month(max)}`, expected)
}

// Spring to winter of the north, then of the south.
months('2019-25', '2019-01 to 2019-03')
months('2019-26', '2019-04 to 2019-06')
months('2019-27', '2019-07 to 2019-09')
months('2019-28', '2019-10 to 2019-12')
months('2019-29', '2019-10 to 2019-12')
months('2019-30', '2019-07 to 2019-09')
months('2019-31', '2019-04 to 2019-06')
months('2019-32', '2019-01 to 2019-03')

const spring = edtf('2019-29')
const summer = edtf('2019-30')
asExpected('behind the southern spring', spring.next().edtf, '2019-30')
asExpected('it begins later', summer.min > spring.min, false)
asExpected('it covers a day in January', summer.covers(edtf('2019-01-15')), false)
asExpected('it covers a day in July', summer.covers(edtf('2019-07-15')), true)

months('2019-37', '2019-01 to 2019-05')
months('2019-38', '2019-05 to 2019-09')
months('2019-39', '2019-09 to 2019-12')
JAVASCRIPT
node seasons.mjs
echo "As described: southern seasons run backwards, and parts of four months overlap."
