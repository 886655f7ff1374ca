import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { findProcess, removeProcessFile, writeProcessFile } from '../../src/cli/process-file.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

test('finds a process that runs, and nobody after its file is removed', async (t) => {
  await using temporary = await temporaryDirectory()
  const folder = temporary.path
  t.is(await findProcess(folder, 'server'), undefined)
  await writeProcessFile(folder, 'server')
  t.is((await findProcess(folder, 'server'))?.pid, process.pid)
  await removeProcessFile(folder, 'server')
  t.is(await findProcess(folder, 'server'), undefined)
})

test('a pid that was given to somebody else, another boot, or rubbish is no process of ours', async (t) => {
  await using temporary = await temporaryDirectory()
  const folder = temporary.path
  await writeProcessFile(folder, 'node')
  const path = join(folder, 'node.pid')
  const record = JSON.parse(await readFile(path, 'utf8'))
  await writeFile(path, JSON.stringify({ ...record, startTicks: '1' }))
  t.is(await findProcess(folder, 'node'), undefined)
  await writeFile(path, JSON.stringify({ ...record, bootId: 'another' }))
  t.is(await findProcess(folder, 'node'), undefined)
  await writeFile(path, '{"pid":')
  t.is(await findProcess(folder, 'node'), undefined)
  const gone = spawn('true')
  await new Promise((resolve) => gone.once('exit', resolve))
  await writeFile(path, JSON.stringify({ ...record, pid: gone.pid }))
  t.is(await findProcess(folder, 'node'), undefined)
})
