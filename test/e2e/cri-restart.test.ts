/** `keelson cri` goes and comes back while pods run: killed, after a reboot, after somebody took things away. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { ContainerEventType, ContainerState, ListContainersRequest, NamespaceMode } from '../../cri/types.ts'
import { removePinNamespace } from '../../src/kernel/index.ts'
import { CriEndpoint, call, endpointTest } from '../support/cri-endpoint.ts'
import { eventually } from '../support/eventually.ts'
import { serialRootTest } from '../support/root.ts'

/** Pods whose processes see each other: a holder keeps their PID namespace. */
const shared = { linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.POD } } } }
const podCount = process.env['KEELSON_TEST_FULL'] === '1' ? 100 : 20
/** Writes lines with numbers as fast as a log should bear, all the while. */
const numbered = 'i=0; while :; do i=$((i+1)); echo "$i"; [ $((i % 50)) = 0 ] && sleep 0.02; done'

endpointTest(
  `kill -9 with ${podCount} pods: back at once, nothing of them touched or lost`,
  async (t, endpoint) => {
    const logs = join(endpoint.directory, 'logs')
    const names = Array.from({ length: podCount }, (_, i) => `p${i}`)
    const talker = await endpoint.pod('talker', { logDirectory: logs })
    const talks = await endpoint.run(talker, 'talks', {
      command: ['sh', '-c', numbered],
      logPath: 'talks.log',
    })
    const ids = new Map<string, string>()
    for (const name of names) {
      const podId = await endpoint.pod(name)
      ids.set(name, await endpoint.run(podId, 'main', { command: ['sh', '-c', commandOf(name)] }))
    }
    const pids = new Map(
      await Promise.all([...ids].map(async ([name, id]) => [name, await endpoint.hostPid(id)] as const)),
    )
    await endpoint.crash()
    for (const name of names.filter(isShort)) process.kill(pids.get(name) ?? 0, 'SIGUSR1') // these end while nobody is there
    await sleep(300)
    const backMs = await endpoint.start()
    t.log(`back with ${podCount + 1} pods after ${backMs.toFixed(0)} ms`)
    for (const [name, id] of ids) {
      if (isShort(name)) {
        t.is((await endpoint.exited(id)).exitCode, 7, name)
        continue
      }
      t.is((await endpoint.status(id)).state, ContainerState.CONTAINER_RUNNING, name)
      t.true((await endpoint.hostPid(id)) === pids.get(name), name)
    }
    t.deepEqual(
      await stopsTold(endpoint, names.filter(isShort).length),
      names
        .filter(isShort)
        .map((name) => ids.get(name))
        .toSorted(),
    )
    await endpoint.runtime.stopContainer({ containerId: talks, timeout: 0n }, call)
    assertUnbroken(t, await readFile(join(logs, 'talks.log'), 'utf8'))
    t.true(backMs < 2000 * machineFactor(), `${backMs} ms`)
  },
)

const isShort = (name: string) => Number(name.slice(1)) % 4 === 0
const commandOf = (name: string) =>
  `trap 'exit 7' USR1; while :; do sleep ${isShort(name) ? 0.05 : 1000} & wait; done`

/** A machine with more to do than processors makes everything slower in the same measure. */
function machineFactor(): number {
  const [load = 0] = readFileSync('/proc/loadavg', 'utf8').split(' ').map(Number)
  const processors = readFileSync('/proc/cpuinfo', 'utf8').match(/^processor/gm)?.length ?? 1
  return Math.max(1, load / processors)
}

/** Each exit that happened while the server was away is told, and once. */
async function stopsTold({ runtime }: CriEndpoint, count: number): Promise<string[]> {
  const told: string[] = []
  for await (const { containerEventType, containerId } of runtime.getContainerEvents({}, call)) {
    if (containerEventType === ContainerEventType.CONTAINER_STOPPED_EVENT) told.push(containerId)
    if (told.length === count) break
  }
  return told.toSorted()
}

function assertUnbroken(t: ExecutionContext, log: string): void {
  const numbers = log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => / stdout F (\d+)$/.exec(line)?.[1] ?? line)
  t.true(numbers.length > 1000, `${numbers.length} lines`)
  t.is(
    numbers.findIndex((text, index) => text !== `${index + 1}`),
    -1,
    'each line once, in order, whole',
  )
}

endpointTest(
  'what somebody removed by hand is not taken for running, and can be removed by call',
  async (t, endpoint) => {
    const take: Record<string, (podId: string, containerId: string) => Promise<unknown>> = {
      monitor: async (_, id) => process.kill(parentOf(await endpoint.hostPid(id)), 'SIGKILL'),
      container: async (_, id) => rm(join(endpoint.runDirectory, 'containers', id), { recursive: true }),
      overlay: async (_, id) =>
        rm(join(endpoint.dataDirectory, 'node/images/image/snapshots', id), { recursive: true }),
      cgroup: async (podId, id) => {
        process.kill(await endpoint.hostPid(id), 'SIGKILL')
        await eventually('the cgroups are empty', () => removeCgroups(`${endpoint.instance}/${podId}`))
      },
      holder: async (podId) => {
        const record = readFileSync(join(endpoint.runDirectory, 'containers', podId, 'pid'), 'utf8')
        process.kill(Number(record.split(' ')[0]), 'SIGKILL')
      },
      files: async (podId) => rm(join(endpoint.runDirectory, 'pods', podId), { recursive: true }),
    }
    const made = new Map<string, { podId: string; id: string }>()
    for (const what of Object.keys(take)) {
      const podId = await endpoint.pod(what, what === 'holder' ? shared : {})
      made.set(what, { podId, id: await endpoint.run(podId, 'main') })
    }
    // A server that is there, and the next: each thing is taken from one while nobody looks.
    const pids = new Map(
      await Promise.all([...made].map(async ([what, { id }]) => [what, await endpoint.hostPid(id)] as const)),
    )
    const takes = await Promise.all(
      [...made].map(async ([what, { podId, id }]) => [what, podId, id] as const),
    )
    for (const [what, podId, id] of takes)
      if (what === 'monitor' || what === 'cgroup') await take[what]?.(podId, id)
    await endpoint.crash()
    for (const [what, podId, id] of takes)
      if (what !== 'monitor' && what !== 'cgroup') await take[what]?.(podId, id)
    await endpoint.start()
    for (const what of ['monitor', 'container', 'cgroup']) {
      const status = await endpoint.exited(made.get(what)?.id ?? '')
      t.is(status.exitCode, 137, what)
    }
    t.is((await endpoint.status(made.get('overlay')?.id ?? '')).state, ContainerState.CONTAINER_RUNNING)
    for (const what of ['files', 'holder'])
      t.false(await endpoint.podIsReady(made.get(what)?.podId ?? ''), what)
    t.true(await endpoint.podIsReady(made.get('overlay')?.podId ?? ''))
    for (const [what, { podId }] of made) {
      await endpoint.removePod(podId)
      await eventually(`${what} is gone`, () => !existsSync(`/proc/${pids.get(what)}/root`))
    }
    const { containers } = await endpoint.runtime.listContainers(ListContainersRequest.create(), call)
    t.deepEqual(containers, [])
  },
)

endpointTest(
  'the wall clock steps an hour, either way, while pods run and while nobody is there',
  async (t, endpoint) => {
    const podId = await endpoint.pod()
    const stays = await endpoint.run(podId, 'stays')
    const { startedAt } = await endpoint.status(stays)
    for (const hours of [1, -1]) {
      await endpoint.stop()
      await endpoint.start({ KEELSON_TEST_CLOCK_OFFSET_MS: `${hours * 3_600_000}` })
      t.is((await endpoint.status(stays)).state, ContainerState.CONTAINER_RUNNING)
      t.is((await endpoint.status(stays)).startedAt, startedAt)
      const again = await endpoint.pod()
      t.is(again, podId)
      const startedMs = performance.now()
      const command = ['sh', '-c', 'trap "exit 3" TERM; while :; do sleep 0.05; done']
      const id = await endpoint.run(podId, `ends${hours}`, { command })
      await endpoint.runtime.execSync({ containerId: id, cmd: ['true'], timeout: 10n }, call)
      await endpoint.runtime.stopContainer({ containerId: id, timeout: 20n }, call)
      t.is((await endpoint.status(id)).exitCode, 3)
      t.true(performance.now() - startedMs < 15_000, 'no wait was an hour long, none was none')
    }
    await endpoint.removePod(podId)
  },
)

serialRootTest('after a reboot nothing old counts as running; pods are NOTREADY until removed', async (t) => {
  const bootFile = '/proc/sys/kernel/random/boot_id'
  const boots = await mkdir(join('/var/tmp', `keelson-boots-${process.pid}`), { recursive: true }).then(
    () => `/var/tmp/keelson-boots-${process.pid}`,
  )
  t.teardown(() => rm(boots, { recursive: true, force: true }))
  const boot = join(boots, 'boot_id')
  await writeFile(boot, await readFile(bootFile))
  // A mount namespace of its own, in which the kernel tells another boot.
  const within = [
    'unshare',
    '--mount',
    '--propagation',
    'slave',
    '--',
    'sh',
    '-c',
    `mount --bind ${boot} ${bootFile}; exec "$0" "$@"`,
  ]
  await using endpoint = await CriEndpoint.start('reboot', { within })
  const podId = await endpoint.pod()
  const id = await endpoint.run(podId, 'main')
  const created = await endpoint.create(podId, 'created')
  const pid = await endpoint.hostPid(id)
  await sleep(6000) // until images are on disk: of one that is not, nothing is kept across a boot
  await endpoint.crash()
  await endReboot(endpoint, pid)
  await writeFile(boot, '00000000-1111-2222-3333-444444444444\n')
  await endpoint.start()
  t.false(await endpoint.podIsReady(podId))
  const status = await endpoint.status(id)
  t.deepEqual([status.state, status.exitCode], [ContainerState.CONTAINER_EXITED, 137])
  t.is((await endpoint.status(created)).state, ContainerState.CONTAINER_CREATED)
  await t.throwsAsync(endpoint.runtime.startContainer({ containerId: created }, call))
  const fresh = await endpoint.pod()
  t.not(fresh, podId)
  const { stdout } = await endpoint.runtime.execSync(
    { containerId: await endpoint.run(fresh, 'main'), cmd: ['hostname'], timeout: 10n },
    call,
  )
  t.is(stdout.toString(), 'web\n')
  for (const one of [podId, fresh]) await endpoint.removePod(one)
})

/** What a machine that goes down takes: processes, what lies in memory, its links. */
async function endReboot({ instance, runDirectory, network }: CriEndpoint, pid: number): Promise<void> {
  process.kill(parentOf(pid), 'SIGKILL')
  process.kill(pid, 'SIGKILL')
  await eventually('all is gone', () => removeCgroups(instance), 10_000)
  await network.run('/usr/sbin/nft', ['flush', 'ruleset'])
  await removePinNamespace({ runDirectory })
  await rm(runDirectory, { recursive: true, force: true })
}

function parentOf(pid: number): number {
  const parent = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  if (parent > 1) return parent
  throw new Error(`process ${pid} has no monitor`)
}

/** True when no hierarchy has it any more. */
async function removeCgroups(path: string): Promise<boolean> {
  const found = readdirSync('/sys/fs/cgroup')
    .map((name) => join('/sys/fs/cgroup', name, path))
    .filter((one) => existsSync(one))
  for (const one of found) await removeTree(one)
  return found.every((one) => !existsSync(one))
}

async function removeTree(folder: string): Promise<void> {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await removeTree(join(folder, entry.name))
  await rmdir(folder).catch(() => undefined)
}
