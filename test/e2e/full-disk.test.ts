/**
 * A disk that is full, below the images and records or below the running state, at each step of a pod's life: what cannot
 * be done is RESOURCE_EXHAUSTED in one sentence and leaves nothing, what runs goes on, and life goes on with the space.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { ContainerState } from '../../cri/types.ts'
import { type CriEndpoint, call, endpointTest, launcher } from '../support/cri-endpoint.ts'
import { eventually } from '../support/eventually.ts'

const mounts = `mkdir data run
mount -t tmpfs -o size=40m none data
mount -t tmpfs -o size=12m none run`

type Disk = 'data' | 'run'

/** To the last byte: the file system has pages only. */
function fill(endpoint: CriEndpoint, disk: Disk): void {
  const file = openSync(filler(endpoint, disk), 'w')
  try {
    for (const size of [2 ** 20, 4096]) {
      const block = Buffer.alloc(size, 'x')
      while (writesAll(file, block));
    }
  } finally {
    closeSync(file)
  }
}

function writesAll(file: number, block: Buffer): boolean {
  try {
    return writeSync(file, block) === block.length
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false
    throw error
  }
}

const filler = (endpoint: CriEndpoint, disk: Disk) => endpoint.seen(join(endpoint.directory, disk, 'filler'))

/** What a step answers: nothing is told of one that succeeds. */
async function refusal(step: Promise<unknown>): Promise<{ code: string; details: string } | undefined> {
  return step.then(
    () => undefined,
    (error) => ({ code: error.code, details: error.message }),
  )
}

/** Names of what belongs to pods. */
async function leftovers(endpoint: CriEndpoint): Promise<string[]> {
  const { dataDirectory, runDirectory } = endpoint
  const folders = [
    join(dataDirectory, 'node/images/image/snapshots'),
    join(dataDirectory, 'node/images/image/ingest'),
    join(runDirectory, 'pods'),
    join(runDirectory, 'containers'),
  ]
  const names = await Promise.all(folders.map((folder) => readdir(endpoint.seen(folder)).catch(() => [])))
  return names.flat().filter((name) => /^[0-9a-f]{64}/.test(name) || /snapshot|layer/.test(name))
}

async function walk(t: ExecutionContext, endpoint: CriEndpoint, disk: Disk): Promise<void> {
  const logDirectory = join(endpoint.dataDirectory, 'logs')
  await mkdir(endpoint.seen(logDirectory), { recursive: true })
  const pod = await endpoint.pod(`full-${disk}`, { logDirectory })
  const talks = 'while true; do echo line; sleep 0.05; done'
  const running = await endpoint.run(pod, 'running', { logPath: 'running.log', command: ['sh', '-c', talks] })
  const created = await endpoint.create(pod, 'created')
  const before = await leftovers(endpoint)
  fill(endpoint, disk)

  const cmd = ['sh', '-c', 'echo said; echo more > /tmp/file']
  const path = join(endpoint.dataDirectory, 'saved.tar')
  const steps: Record<string, () => Promise<unknown>> = {
    runPodSandbox: () => endpoint.pod('other'),
    createContainer: () => endpoint.create(pod, 'other'),
    execSync: () => endpoint.runtime.execSync({ containerId: running, cmd, timeout: 5n }, call),
    startContainer: () => endpoint.runtime.startContainer({ containerId: created }, call),
  }
  for (const [name, step] of Object.entries(steps)) {
    const refused = await refusal(step())
    t.log(disk, name, refused?.details ?? 'done')
    if (!refused) continue
    t.is(refused.code, 'RESOURCE_EXHAUSTED', `${name}: ${refused.details}`)
    t.notRegex(refused.details, /\n/)
    t.regex(refused.details, /space|full|large|ENOSPC/i, name)
  }
  if (disk === 'data') {
    await sleep(1000) // by now the store was told of those that were done, and refused
    const late = await refusal(endpoint.pod('third'))
    t.is(late?.code, 'RESOURCE_EXHAUSTED', 'once the store has refused, nothing more is acknowledged')
    const place = ['--data-dir', endpoint.dataDirectory]
    const saved = await endpoint.inside(launcher, 'image', 'save', 'busybox:test', '-o', path, ...place)
    t.not(saved.code, 0, 'save')
    t.regex(saved.stderr, /space/, 'save')
  }
  t.is((await endpoint.status(running)).state, ContainerState.CONTAINER_RUNNING, 'what runs goes on')

  await rm(filler(endpoint, disk))
  const lines = async () => (await readFile(endpoint.seen(join(logDirectory, 'running.log')), 'utf8')).length
  const atFirst = await lines()
  await eventually('the log goes on', async () => (await lines()) > atFirst)
  const others = await endpoint.runtime.listPodSandbox({ filter: undefined }, call)
  for (const { id, metadata } of others.items)
    if (metadata?.name !== `full-${disk}`) await endpoint.removePod(id)
  const { containers } = await endpoint.runtime.listContainers({ filter: undefined }, call)
  for (const { id, metadata } of containers)
    if (metadata?.name === 'other') await endpoint.runtime.removeContainer({ containerId: id }, call)
  const known = new Set([pod, running, created])
  await eventually('nothing is left of what failed', async () =>
    (await leftovers(endpoint)).every(
      (name) => [...known].some((id) => name.startsWith(id)) || before.includes(name),
    ),
  )
  const later = await endpoint.pod('later')
  const container = await endpoint.run(later, 'later', { command: ['true'] })
  t.is((await endpoint.exited(container)).exitCode, 0)
  await endpoint.removePod(later)
  await endpoint.removePod(pod)
  t.deepEqual(await leftovers(endpoint), [])
}

endpointTest(
  'a full disk of images and records, then a full disk of running state',
  async (t, endpoint) => {
    for (const disk of ['data', 'run'] as const) await walk(t, endpoint, disk)
  },
  { mounts },
)

endpointTest(
  'a log directory that is reached by a link is followed, a log that is a link is not',
  async (t, endpoint) => {
    const [real, link] = [join(endpoint.directory, 'real'), join(endpoint.directory, 'link')]
    await mkdir(real)
    await symlink(real, link)
    await writeFile(join(endpoint.directory, 'victim'), 'untouched')
    await symlink(join(endpoint.directory, 'victim'), join(real, 'trap.log'))
    const pod = await endpoint.pod('web', { logDirectory: link })
    const command = ['echo', 'said']
    const good = await endpoint.run(pod, 'good', { logPath: 'good/0.log', command })
    t.is((await endpoint.exited(good)).exitCode, 0)
    t.regex(await readFile(join(real, 'good/0.log'), 'utf8'), / stdout F said$/m)
    const bad = await endpoint.create(pod, 'bad', { logPath: 'trap.log', command })
    await t.throwsAsync(endpoint.runtime.startContainer({ containerId: bad }, call), { message: /trap\.log/ })
    t.is(await readFile(join(endpoint.directory, 'victim'), 'utf8'), 'untouched')
    await endpoint.removePod(pod)
  },
)
