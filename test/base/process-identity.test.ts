import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import test from 'ava'
import { bootId, processStat } from '../../src/base/index.ts'

test('a process keeps its start time, whatever it calls itself', async (t) => {
  const before = processStat(process.pid)
  t.regex(before.startTicks, /^\d+$/)
  t.is(before.state, 'R')
  const odd = spawn('/bin/sh', ['-c', 'printf "a) Z 1" > /proc/$$/comm; echo; read _'])
  await once(odd.stdout, 'data')
  t.is(readFileSync(`/proc/${odd.pid}/comm`, 'utf8'), 'a) Z 1\n')
  const stat = processStat(odd.pid ?? 0)
  t.not(stat.state, 'Z')
  t.true(Number(stat.startTicks) >= Number(before.startTicks))
  odd.stdin.end()
  await once(odd, 'close')
  t.throws(() => processStat(odd.pid ?? 0), { code: 'ENOENT' })
  t.is(processStat(process.pid).startTicks, before.startTicks)
})

test('the boot has one id', (t) => {
  t.regex(bootId(), /^[0-9a-f-]{36}$/)
  t.is(bootId(), bootId())
})
