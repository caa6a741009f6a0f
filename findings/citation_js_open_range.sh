#!/usr/bin/env bash
# Citation.js 0.8.2 (core and its plugins bibtex, ris and csl), a work that goes on to appear: BibLaTeX
# gives its date as a range with an open end, `date = {1997/}` or, as EDTF does, `{1997/..}`. Expected:
# the range or at least its first year, as of `{1997/1999}`. Seen: there is no date at all. Written
# as BibLaTeX, BibTeX or RIS the entry has none, and in APA style it is cited as "n.d.", no error
# anywhere. The year was read: `issued` holds it, with null for the end, and each of the writers leaves
# out the whole date for that. A series that goes on loses its years by a way through Citation.js.
#
# Needs node with npm. Exits with 1 when this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @citation-js/core@0.8.2 @citation-js/plugin-bibtex@0.8.2 \
    @citation-js/plugin-ris@0.8.2 @citation-js/plugin-csl@0.8.2
cat > range.mjs <<'JAVASCRIPT'
import { Cite } from '@citation-js/core'
import '@citation-js/plugin-bibtex'
import '@citation-js/plugin-ris'
import '@citation-js/plugin-csl'

function asExpected(what, found, expected) {
  console.log(`${what}: ${found}`)
  if (found === expected) return
  console.error(`No longer: ${expected}`)
  process.exit(1)
}

function dates(date, issued, biblatex, bibtex, ris, apa) {
  const entry = `@mvbook{k, author = {Doe, Jane}, title = {Annals}, date = {${date}}}`
  const cite = new Cite(entry)
  const first = (format, pattern) => cite.format(format).match(pattern)?.[1]
  asExpected(date, JSON.stringify(cite.data[0].issued['date-parts']), issued)
  asExpected('  BibLaTeX', first('biblatex', /date = {(.*)}/), biblatex)
  asExpected('  BibTeX', first('bibtex', /year = {(.*)}/), bibtex)
  asExpected('  RIS', first('ris', /PY {2}- (.*)/), ris)
  asExpected('  APA', cite.format('bibliography', { template: 'apa' }).match(/\((.*)\)/)[1], apa)
}

dates('1997/1999', '[[1997],[1999]]', '1997/1999', '1997', '1997', '1997–1999')
for (const open of ['1997/', '1997/..']) {
  dates(open, '[[1997],null]', undefined, undefined, undefined, 'n.d.')
}
JAVASCRIPT
node range.mjs
echo "As described: with an open end the beginning is lost, too."
