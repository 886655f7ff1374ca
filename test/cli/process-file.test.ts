import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { processStat } from '../../src/base/index.ts'
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

test('a process that was killed a moment ago is waited for, and is none', async (t) => {
  await using temporary = await temporaryDirectory()
  await writeProcessFile(temporary.path, 'node')
  const path = join(temporary.path, 'node.pid')
  const record = JSON.parse(await readFile(path, 'utf8'))
  for (let round = 0; round < 5; round++) {
    // Some memory, so that its end takes a while. A child of the shell, not of ours: whoever waits for a child reaps
    // it, and Node would wait for the end of this one for ever.
    const shell = spawn('sh', [
      '-c',
      `"$0" -e 'Buffer.alloc(5e7, 1); console.log(process.pid); setInterval(() => {}, 1e6)' & wait`,
      process.execPath,
    ])
    const [told] = (await once(shell.stdout, 'data')) as [Buffer]
    const pid = Number(told.toString())
    const { startTicks } = processStat(pid)
    await writeFile(path, JSON.stringify({ ...record, pid, startTicks }))
    t.is((await findProcess(temporary.path, 'node'))?.pid, pid)
    process.kill(pid, 'SIGKILL')
    t.is(await findProcess(temporary.path, 'node'), undefined)
  }
})
