/** Containers and pods written to archives and made from them again, through the CRI socket, with a real criu. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ContainerState, NamespaceMode, RestorePodRequest } from '../../cri/types.ts'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { openImageStore } from '../../src/image/index.ts'
import { type CriEndpoint, call, endpointTest } from '../support/cri-endpoint.ts'
import { eventually } from '../support/eventually.ts'
import { addImage } from '../support/layered-image.ts'
import { findPeer, obtainPeers } from '../support/peers.ts'

let isThere = false
let criuPath = ''
test.before(async (t) => {
  const [missing] = await obtainPeers(['criu'])
  const criu = findPeer('criu')
  criuPath = criu ?? ''
  const check = criu === undefined ? undefined : spawnSync(criu, ['check'], { encoding: 'utf8' })
  isThere = check?.status === 0
  if (isThere) process.env['PATH'] = `${dirname(criu ?? '')}:${process.env['PATH']}`
  else t.log(`no criu that works here: ${missing?.reason ?? check?.stderr}`)
})

const criuTest = (title: string, body: (t: ExecutionContext, endpoint: CriEndpoint) => Promise<void>) =>
  endpointTest(title, async (t, endpoint) => {
    if (isThere) return body(t, endpoint)
    t.log('SKIPPED: there is no criu that works here')
    t.pass()
  })

const counting = 'i=0; while :; do i=$((i+1)); echo $i > /count; echo $i; sleep 0.02; done'
/** The file is empty for a moment each time it is written. */
const whole = 'n=; while [ -z "$n" ]; do n=$(cat /count); done; echo $n'
const ownProcesses = { linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.CONTAINER } } } }

async function counter(endpoint: CriEndpoint, name: string) {
  const podId = await endpoint.pod(name, {
    logDirectory: join(endpoint.directory, 'logs', name),
    ...ownProcesses,
  })
  const id = await endpoint.run(podId, 'main', {
    command: ['sh', '-c', `rm /etc/group; ${counting}`],
    logPath: 'main.log',
    ...ownProcesses,
  })
  await eventually('it counts', () => linesOf(endpoint, name).length > 5 || undefined)
  return { podId, id }
}

const linesOf = ({ directory }: CriEndpoint, name: string) => {
  try {
    return readFileSync(join(directory, 'logs', name, 'main.log'), 'utf8')
      .trimEnd()
      .split('\n')
  } catch {
    return []
  }
}
const numbersOf = (lines: readonly string[]) => lines.map((line) => Number(line.split(' ')[3]))

async function sh(endpoint: CriEndpoint, containerId: string, script: string): Promise<string> {
  const { stdout, stderr, exitCode } = await endpoint.runtime.execSync(
    { containerId, cmd: ['sh', '-c', script], timeout: 10n },
    call,
  )
  return exitCode === 0 ? Buffer.from(stdout).toString().trim() : `failed: ${Buffer.from(stderr).toString()}`
}

criuTest(
  'a container goes on from where its archive has it: files, log, exec, exit, recovery',
  async (t, endpoint) => {
    const { id } = await counter(endpoint, 'first')
    const location = join(endpoint.directory, 'first.tar')
    await endpoint.runtime.checkpointContainer({ containerId: id, location, timeout: 0n }, call)
    t.is(statSync(location).mode & 0o777, 0o600)
    t.is((await endpoint.status(id)).state, ContainerState.CONTAINER_RUNNING)
    const before = linesOf(endpoint, 'first').length
    await eventually('it counts on', () => linesOf(endpoint, 'first').length > before || undefined)
    const names = spawnSync('tar', ['-tf', location], { encoding: 'utf8' }).stdout.split('\n')
    for (const name of [
      'spec.dump',
      'config.dump',
      'status.dump',
      'rootfs-diff.tar',
      'container.log',
      'checkpoint/pstree.img',
    ])
      t.true(names.includes(name), `${name} in ${names.join(' ')}`)
    t.deepEqual(
      readdirSync(endpoint.directory).filter((name) => name.startsWith('.keelson')),
      [],
    )

    const logDirectory = join(endpoint.directory, 'logs', 'second')
    const podId = await endpoint.pod('second', { logDirectory, ...ownProcesses })
    const restored = await endpoint.create(podId, 'main', {
      image: { image: location },
      logPath: 'main.log',
      ...ownProcesses,
    })
    t.is((await endpoint.status(restored)).state, ContainerState.CONTAINER_CREATED)
    await endpoint.runtime.startContainer({ containerId: restored }, call)
    await eventually('it counts on', () => linesOf(endpoint, 'second').length > before + 10 || undefined)
    const numbers = numbersOf(linesOf(endpoint, 'second'))
    t.true(
      numbers.every((number, index) => index === 0 || number === (numbers[index - 1] ?? 0) + 1),
      numbers.join(' '),
    )
    t.is(numbers[0], 1, 'the log begins with the first life')
    t.is(await sh(endpoint, restored, 'test -e /etc/group || echo gone'), 'gone')
    await endpoint.crash()
    await loadAsImage(endpoint, location)
    await endpoint.start()
    t.is((await endpoint.status(restored)).state, ContainerState.CONTAINER_RUNNING)
    t.regex(await sh(endpoint, restored, whole), /^\d+$/)
    await endpoint.runtime.stopContainer({ containerId: restored, timeout: 0n }, call)
    t.like(await endpoint.status(restored), { state: ContainerState.CONTAINER_EXITED, exitCode: 137 })
    await endpoint.removePod(podId)

    const third = await endpoint.pod('third', ownProcesses)
    const carried = await endpoint.run(third, 'main', {
      image: { image: 'checkpoint:test' },
      ...ownProcesses,
    })
    t.true(Number(await sh(endpoint, carried, whole)) > 5, 'from an image that carries it')
    t.is((await endpoint.status(carried)).image?.image, 'docker.io/library/busybox:test')
    await endpoint.removePod(third)
  },
)

/** An image whose only layer are the files of an archive. */
async function loadAsImage({ directory, dataDirectory }: CriEndpoint, archive: string): Promise<void> {
  const layout = join(directory, 'image')
  const marks = { 'org.criu.checkpoint.container.name': 'main' }
  await addImage(layout, 'docker.io/library/checkpoint:test', [readFileSync(archive)], marks)
  const store = { dataDirectory: join(dataDirectory, 'node/images'), log: silentLogger, clock: systemClock }
  await using images = await openImageStore(store)
  await images.load(layout)
}

criuTest('a pod, its processes shared, is written and restored as a whole', async (t, endpoint) => {
  const logDirectory = join(endpoint.directory, 'logs', 'pod')
  const podId = await endpoint.pod('pod', { logDirectory })
  for (const name of ['one', 'two'])
    await endpoint.run(podId, name, { command: ['sh', '-c', counting], logPath: `${name}.log` })
  await eventually('both count', async () => {
    const texts = ['one', 'two'].map((name) => readFileSync(join(logDirectory, `${name}.log`), 'utf8'))
    return texts.every((text) => text.length > 100) || undefined
  })
  const outputPath = join(endpoint.directory, 'pod.tar')
  await endpoint.runtime.checkpointPod(
    { podSandboxId: podId, outputPath, containerIds: [], options: {} },
    call,
  )
  const again = RestorePodRequest.fromPartial({ checkpointPath: outputPath })
  await t.throwsAsync(endpoint.runtime.restorePod(again, call), { message: /here already/ })
  await endpoint.removePod(podId)
  const { podSandboxId, restoredContainers } = await endpoint.runtime.restorePod(again, call)
  t.deepEqual(restoredContainers.map(({ name }) => name).toSorted(), ['one', 'two'])
  for (const { containerId } of restoredContainers)
    await endpoint.runtime.startContainer({ containerId }, call)
  for (const { containerId } of restoredContainers) {
    t.is((await endpoint.status(containerId)).state, ContainerState.CONTAINER_RUNNING)
    t.true(Number(await sh(endpoint, containerId, whole)) > 4)
  }
  await endpoint.removePod(podSandboxId)
})

criuTest(
  'kill -9 of the server in the middle of a dump: the container goes on, nothing is left',
  async (t, endpoint) => {
    const { id } = await counter(endpoint, 'killed')
    await endpoint.stop()
    await endpoint.start({ PATH: slowPath(endpoint) })
    const before = namesIn(endpoint)
    const location = join(endpoint.directory, 'killed.tar')
    const lost = endpoint.runtime.checkpointContainer({ containerId: id, location, timeout: 0n }, call)
    lost.catch(() => undefined)
    const pid = Number(
      await eventually('criu is in the middle', () => readIfThere(join(endpoint.directory, 'middle'))),
    )
    await endpoint.crash()
    await t.throwsAsync(lost)
    await eventually('criu went with the server', () => !existsSync(`/proc/${pid}`) || undefined)
    await endpoint.start()
    const seen = linesOf(endpoint, 'killed').length
    await eventually('it counts on', () => linesOf(endpoint, 'killed').length > seen || undefined)
    rmSync(join(endpoint.directory, 'middle'))
    t.deepEqual(namesIn(endpoint), before)
    await endpoint.runtime.checkpointContainer({ containerId: id, location, timeout: 0n }, call)
    t.true(existsSync(location), 'and it can be checkpointed')
  },
)

criuTest('a checkpoint that takes too long; a stop and a removal meanwhile', async (t, endpoint) => {
  const { id, podId } = await counter(endpoint, 'slow')
  await endpoint.stop()
  await endpoint.start({ PATH: slowPath(endpoint) })
  const location = join(endpoint.directory, 'slow.tar')
  const error = await t.throwsAsync(
    endpoint.runtime.checkpointContainer({ containerId: id, location, timeout: 2n }, call),
  )
  t.like(error, { code: 'DEADLINE_EXCEEDED' })
  const seen = linesOf(endpoint, 'slow').length
  await eventually('it counts on', () => linesOf(endpoint, 'slow').length > seen || undefined)
  rmSync(join(endpoint.directory, 'middle'))
  const cut = endpoint.runtime.checkpointContainer({ containerId: id, location, timeout: 5n }, call)
  cut.catch(() => undefined)
  await eventually('criu is in the middle', () => readIfThere(join(endpoint.directory, 'middle')))
  await endpoint.runtime.stopContainer({ containerId: id, timeout: 0n }, call)
  t.is((await endpoint.status(id)).exitCode, 137)
  await t.throwsAsync(cut)
  await endpoint.removePod(podId)
  t.false(existsSync(location))
  t.deepEqual(
    namesIn(endpoint).filter((name) => name.startsWith('.')),
    [],
  )
})

/** Folders with a criu that stops after it has stopped the container, and says so. */
function slowPath({ directory }: CriEndpoint): string {
  const folder = join(directory, 'slow')
  mkdirSync(folder, { recursive: true })
  const hook = `#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" = post-dump ] || exit 0\necho $PPID > ${directory}/middle\nsleep 60\n`
  writeFileSync(join(folder, 'hook'), hook, { mode: 0o755 })
  const program = `#!/bin/sh\nexec ${criuPath} "$@" --action-script ${folder}/hook\n`
  writeFileSync(join(folder, 'criu'), program, { mode: 0o755 })
  return `${folder}:${process.env['PATH']}`
}

const namesIn = ({ directory }: CriEndpoint) =>
  readdirSync(directory).filter((name) => name !== 'cri.log' && name !== 'cri.yaml')

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() || undefined : undefined
}
