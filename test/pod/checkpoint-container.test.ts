import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { asKeelsonError, KeelsonError } from '../../src/base/index.ts'
import { settle } from '../support/fake-clock.ts'
import { Bench, call } from '../support/pod-bench.ts'

/** A bench whose host has a criu. */
async function withCriu(): Promise<Bench> {
  const bench = await Bench.open()
  mkdirSync(join(bench.path, 'bin'))
  writeFileSync(join(bench.path, 'bin/criu'), '', { mode: 0o755 })
  return bench
}

const dump = async ({ imagePath }: { imagePath: string }) => {
  mkdirSync(imagePath)
  writeFileSync(join(imagePath, 'pstree.img'), 'tree')
}

async function paused(container: { status: string }): Promise<void> {
  while (container.status !== 'paused') await settle()
}

/** What lies where archives are written. */
const left = (bench: Bench) =>
  readdirSync(bench.path).filter((name) => !['bin', 'ledger', 'run'].includes(name))

test('an archive is written under the freezer and by rename; over what is there', async (t) => {
  await using bench = await withCriu()
  const { id } = await bench.running()
  const container = bench.host.runtime.container(id)
  const location = join(bench.path, 'a.tar')
  writeFileSync(location, 'old', { mode: 0o644 })
  container.dump = async (options) => {
    t.is(container.status, 'paused')
    await dump(options)
  }
  await bench.runtime.checkpointContainer({ containerId: id, location, timeout: 0n }, call)
  t.is(container.status, 'running')
  t.is(statSync(location).mode & 0o777, 0o600)
  t.true(statSync(location).size > 1024)
  t.deepEqual(
    left(bench).filter((name) => name.startsWith('.')),
    [],
  )
})

test('what fails leaves the container running and nothing behind', async (t) => {
  await using bench = await withCriu()
  const { id } = await bench.running()
  const container = bench.host.runtime.container(id)
  container.dump = async (options) => {
    await dump(options)
    throw new KeelsonError('INTERNAL', 'criu: no')
  }
  const before = left(bench)
  const request = { containerId: id, location: join(bench.path, 'a.tar'), timeout: 0n }
  await t.throwsAsync(bench.runtime.checkpointContainer(request, call), { message: 'criu: no' })
  t.is(container.status, 'running')
  t.deepEqual(left(bench), before)
})

test('after its time a checkpoint ends, and so it does when its caller gives up', async (t) => {
  await using bench = await withCriu()
  const { id } = await bench.running()
  const container = bench.host.runtime.container(id)
  container.dump = ({ signal }) =>
    new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
  const request = { containerId: id, location: join(bench.path, 'a.tar'), timeout: 7n }
  const late = bench.runtime.checkpointContainer(request, call).catch(asKeelsonError)
  await paused(container)
  await bench.clock.advance(7000)
  t.like(await late, { code: 'DEADLINE_EXCEEDED', message: 'the checkpoint was not written within 7 s' })
  t.is(container.status, 'running')
  const caller = new AbortController()
  const given = bench.runtime
    .checkpointContainer({ ...request, timeout: 0n }, { signal: caller.signal })
    .catch((error: unknown) => error)
  await paused(container)
  caller.abort(new Error('gone'))
  t.like(await given, { message: 'gone' })
  t.is(container.status, 'running')
})

test('refused before anything is stopped', async (t) => {
  await using bench = await Bench.open()
  const podId = await bench.pod()
  const created = await bench.container(podId)
  const refused = async (more: object) => {
    const request = { containerId: created, location: join(bench.path, 'a.tar'), timeout: 0n, ...more }
    return asKeelsonError(await t.throwsAsync(bench.runtime.checkpointContainer(request, call)))
  }
  t.is((await refused({ containerId: 'none' })).code, 'NOT_FOUND')
  t.is((await refused({})).code, 'FAILED_PRECONDITION')
  for (const location of [
    'a.tar',
    '',
    '/',
    join(bench.path, 'no/a.tar'),
    bench.path,
    `${bench.path}/`,
    '/a\0b',
  ])
    t.is((await refused({ location })).code, 'INVALID_ARGUMENT', location)
  t.is((await refused({ timeout: -1n })).code, 'INVALID_ARGUMENT')
  await bench.runtime.startContainer({ containerId: created }, call)
  const absent = await refused({})
  t.is(absent.code, 'UNIMPLEMENTED')
  t.regex(absent.message, /program criu, which is not installed \(looked in /)
  const terminal = await bench.container(podId, { metadata: { name: 'terminal' }, tty: true })
  await bench.runtime.startContainer({ containerId: terminal }, call)
  t.regex((await refused({ containerId: terminal })).message, /a terminal cannot be checkpointed/)
  t.is(bench.host.runtime.container(created).status, 'running')
})

test('a server that died in the middle: the next one lets the container go on and clears up', async (t) => {
  await using bench = await withCriu()
  const { id } = await bench.running()
  const container = bench.host.runtime.container(id)
  container.dump = () => new Promise(() => {})
  const request = { containerId: id, location: join(bench.path, 'a.tar'), timeout: 0n }
  void bench.runtime.checkpointContainer(request, call)
  await paused(container)
  t.is(left(bench).length, 1)
  await bench.restart()
  t.is(container.status, 'running')
  t.deepEqual(left(bench), [])
})
