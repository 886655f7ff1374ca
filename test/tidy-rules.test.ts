/** Each rule of tidy.test.ts is shown to catch what it is for: a rule that matches nothing looks just like a tidy tree. */
import test from 'ava'
import {
  brokenArrows,
  folderCycles,
  folderOf,
  type Import,
  includesNapi,
  reachedFrom,
  specifiersOf,
  touchesProcess,
  withoutComments,
} from './support/source-shape.ts'

/** Every form an import can have; `yes-N` must be found, `no-N` must not. */
const everyForm = `
import 'yes-1'
import a from 'yes-2'
import * as b from "yes-3"
import { c } from 'yes-4'
import {
  d,
  type E,
} from 'yes-5'
import type { F } from 'yes-6'
import g, { h } from 'yes-7'
import json from './yes-8.json' with { type: 'json' }
export * from 'yes-9'
export * as i from 'yes-10'
export { j } from 'yes-11'
export type { K } from 'yes-12'
export type * from 'yes-13'
const l = await import('yes-14')
const m = () => import(
  'yes-15'
)
type N = import('yes-16').N
const o = createRequire(import.meta.url)('no-1')
const p = require('yes-17'); import q from 'yes-18'
import{r}from'yes-19'
import t, * as u from 'yes-20'
// import s from 'no-2'
/* import s from 'no-3' */
/** as in: import { s } from 'no-4' */
export const v = 'no-5'
export function w() { return 'no-6' }
const x = important('no-7')
const y = 'https://example.org/' + "// not a comment"; import z from 'yes-21'
`

test('every form of import is seen, and nothing else', (t) => {
  const wanted = [...everyForm.matchAll(/yes-\d+(?:\.json)?/g)].map(([name]) => name)
  t.is(wanted.length, 21)
  t.deepEqual(
    specifiersOf(everyForm)
      .map((specifier) => specifier.replace('./', ''))
      .sort(),
    wanted.sort(),
  )
})

test('comments go, strings stay', (t) => {
  t.is(withoutComments("a // b\n'http://c' /* d\n */ e"), "a \n'http://c'  e")
})

const table = {
  'src/base': { folders: [], packages: [] },
  'src/low': { folders: ['src/base'], packages: ['lmdb'] },
  'src/low/inner': { folders: ['src/base'], packages: [] },
  'src/high': { folders: ['src/low', 'cri/types.ts'], packages: [] },
}
const arrow = (from: string, specifier: string, target?: string): Import => ({ from, specifier, target })

test('an arrow against the table is caught, one along it is not', (t) => {
  const along = [
    arrow('src/high/a.ts', '../low/b.ts', 'src/low/b.ts'),
    arrow('src/high/a.ts', '../low/inner/b.ts', 'src/low/inner/b.ts'),
    arrow('src/high/a.ts', '../../cri/types.ts', 'cri/types.ts'),
    arrow('src/high/a.ts', './b.ts', 'src/high/b.ts'),
    arrow('src/low/a.ts', 'lmdb', undefined),
    arrow('src/low/a.ts', 'lmdb/sub', undefined),
    arrow('src/base/a.ts', 'node:fs', undefined),
  ]
  const against = [
    arrow('src/base/a.ts', '../low/b.ts', 'src/low/b.ts'),
    arrow('src/low/inner/a.ts', '../b.ts', 'src/low/b.ts'),
    arrow('src/high/a.ts', '../../cri/server.ts', 'cri/server.ts'),
    arrow('src/high/a.ts', 'lmdb', undefined),
    arrow('src/low/a.ts', 'lmdb-store', undefined),
    arrow('src/lower/a.ts', 'node:fs', undefined),
  ]
  t.deepEqual(brokenArrows([...along, ...against], table), against)
  t.is(folderOf('src/low/inner/x.ts', table), 'src/low/inner')
  t.is(folderOf('src/lower/x.ts', table), undefined)
})

test('a circle of folders is caught, however long', (t) => {
  const line = [
    arrow('src/high/a.ts', '', 'src/low/b.ts'),
    arrow('src/low/b.ts', '', 'src/base/c.ts'),
    arrow('src/high/a.ts', '', 'src/base/c.ts'),
  ]
  t.deepEqual(folderCycles(line, table), [])
  t.deepEqual(folderCycles([...line, arrow('src/base/d.ts', '', 'src/high/e.ts')], table), [
    'src/high → src/low → src/base → src/high',
  ])
})

test('what a program reaches is followed through files to packages', (t) => {
  const reached = reachedFrom('a.ts', [
    arrow('a.ts', './b.ts', 'b.ts'),
    arrow('b.ts', './c.ts', 'c.ts'),
    arrow('c.ts', 'lmdb', undefined),
    arrow('d.ts', 'yaml', undefined),
  ])
  t.deepEqual([...reached], ['a.ts', 'b.ts', 'c.ts', 'lmdb'])
})

test('environment, console and timers are seen in code only', (t) => {
  for (const text of [
    'process.env.HOME',
    'const { A } = process.env',
    'console.log(1)',
    'setTimeout(f, 1)',
    'const later = setInterval',
    'AbortSignal.timeout(5)',
    "import { setTimeout as sleep } from 'node:timers/promises'",
  ])
    t.true(touchesProcess(text), text)
  for (const text of ['// process.env', '/* setTimeout( */', 'processEnv', 'request.setTimeoutMs'])
    t.false(touchesProcess(text), text)
})

test('napi.h is seen in each spelling', (t) => {
  for (const text of ['#include <napi.h>', '  # include "node_api.h"', 'int a;\n#include <js_native_api.h>'])
    t.true(includesNapi(text), text)
  for (const text of ['// #include <napi.h>', '#include "snapi.h"', '"#include <napi.h>"'])
    t.false(includesNapi(text), text)
})
