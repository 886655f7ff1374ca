import { readFileSync } from 'node:fs'
import test from 'ava'
import { barriers, kindLetters, noFd, operationTable, slotCount } from '../../../src/oci/plan/operations.ts'

const header = readFileSync(new URL('../../../native/init/plan.h', import.meta.url), 'utf8')
const messages = readFileSync(new URL('../../../native/init/message.h', import.meta.url), 'utf8')

test('both sides have the same operations, codes and argument kinds', (t) => {
  const native = [...header.matchAll(/X\((\d+), (\w+), "(\w*)"\)/g)].map(([, code, name, kinds]) => ({
    code: Number(code),
    name,
    kinds,
  }))
  const ours = Object.entries(operationTable).map(([name, { code, args }]) => ({
    code,
    name,
    kinds: Object.values<keyof typeof kindLetters>(args)
      .map((kind) => kindLetters[kind])
      .join(''),
  }))
  t.true(native.length > 50)
  t.deepEqual(
    ours.sort((a, b) => a.code - b.code),
    native.sort((a, b) => a.code - b.code),
  )
})

test('both sides have the same barriers and limits', (t) => {
  const native = [...header.matchAll(/X\((\d+), (\w+)\)\s/g)].map(([, code, name]) => [name, Number(code)])
  t.deepEqual(Object.fromEntries(native), barriers)
  t.is(Number(/#define PLAN_SLOTS (\d+)u/.exec(header)?.[1]), slotCount)
  t.is(Number(/#define PLAN_NO_SLOT (0x\w+)u/.exec(header)?.[1]), noFd)
})

test('both sides have the same frame types', async (t) => {
  const { frameType } = await import('../../../src/oci/frames.ts')
  const native = new Map(
    [...messages.matchAll(/FRAME_(\w+) = (\d+),/g)].map(([, name, code]) => [name, Number(code)]),
  )
  for (const [name, code] of Object.entries(frameType))
    t.is(native.get(name.replace(/[A-Z]/g, '_$&').toUpperCase()), code, name)
})
