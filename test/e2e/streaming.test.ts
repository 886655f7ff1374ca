/** Streams under load: readers that are slow, clients that vanish, and what the server keeps for them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { connectCri } from '../../cri/index.ts'
import { criHostTests } from '../support/cri-host-test.ts'
import { type CriHost, startCriHost } from '../support/critest-host.ts'
import { eventually } from '../support/eventually.ts'
import { containerConfig, createRequest, podConfig, runRequest } from '../support/pod-requests.ts'

const isFull = process.env['KEELSON_TEST_FULL'] === '1'
const { criTest } = criHostTests(['crictl'])
const client = fileURLToPath(new URL('../support/stream-client.ts', import.meta.url))
const image = { image: 'registry.k8s.io/e2e-test-images/busybox:1.29-2' }

let shared: CriHost | undefined
test.after.always(async () => shared?.[Symbol.asyncDispose]())

async function node(): Promise<CriHost> {
  shared ??= await startCriHost('streaming')
  await shared.crictl(['pull', image.image])
  return shared
}

/** A pod with one container; its id. */
async function started(host: CriHost, name: string, more: object): Promise<string> {
  const { runtime, close } = connectCri(socketOf(host))
  const call = { signal: AbortSignal.timeout(30_000) }
  const config = podConfig(name)
  const { podSandboxId } = await runtime.runPodSandbox(runRequest(config), call)
  const container = containerConfig('main', { image, ...more })
  const { containerId } = await runtime.createContainer(
    { ...createRequest(podSandboxId, container), sandboxConfig: config },
    call,
  )
  await runtime.startContainer({ containerId }, call)
  close()
  return containerId
}

const socketOf = ({ endpoint }: CriHost) => endpoint.replace('unix://', '')

async function stream(host: CriHost, verb: string, id: string, ...words: string[]) {
  const args = [`--import=${import.meta.resolve('tsx')}`, client, verb, socketOf(host), id, ...words]
  const { code, stdout, stderr } = await host.host.run(process.execPath, args, { timeoutMs: 240_000 })
  if (code !== 0) throw new Error(`${verb}: ${stderr}`)
  return JSON.parse(stdout)
}

function serverOf({ host }: CriHost): number {
  const server = host.processes().find(({ command }) => / cri --instance /.test(command))
  if (!server) throw new Error('the server is gone')
  return server.pid
}

const monitorsOf = ({ host }: CriHost) =>
  host.processes().filter(({ pid }) => readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('keelson-init'))

function pssKiB(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1])
}

const descriptors = (pid: number) => readdirSync(join('/proc', String(pid), 'fd')).length

for (const transport of ['spdy', 'websocket'])
  criTest(
    `${transport}: a reader of 1 MB/s of an endless program makes nobody keep its output`,
    async (t) => {
      const host = await node()
      const id = await started(host, `slow-${transport}`, { command: ['sleep', '1000'] })
      await stream(host, 'slow', id, '1', transport)
      const server = serverOf(host)
      const before = pssKiB(server)
      const seconds = isFull ? 30 : 5
      const seen: number[] = []
      const watch = setInterval(() => seen.push(pssKiB(server)), 200)
      const { bytes } = await stream(host, 'slow', id, String(seconds), transport)
      clearInterval(watch)
      t.true(bytes > 300_000 * seconds && bytes < 4_000_000 * seconds, `${bytes} bytes were read`)
      const most = Math.max(...seen)
      t.log(`PSS of the server: ${before} KiB before, at most ${most} KiB`)
      t.true(most < before + 24 * 1024, `${before} KiB before, ${most} KiB`)
      for (const { pid } of monitorsOf(host)) t.true(pssKiB(pid) < 1024)
      await nothingRuns(t, host, 'cat')
    },
  )

criTest('clients that attach, resize and vanish leave neither descriptors nor memory', async (t) => {
  const host = await node()
  const id = await started(host, 'drop', { command: ['cat'], tty: true, stdin: true })
  const server = serverOf(host)
  await stream(host, 'drop', id, '200')
  await eventually('the first have gone', () => descriptors(server) < 80)
  const [fdsBefore, pssBefore] = [descriptors(server), pssKiB(server)]
  const count = isFull ? 10_000 : 1000
  t.deepEqual(await stream(host, 'drop', id, String(count)), { dropped: count })
  await eventually('all have gone', () => descriptors(server) <= fdsBefore + 2)
  t.log(`PSS of the server: ${pssBefore} KiB before, ${pssKiB(server)} KiB after ${count} of them`)
  // What a heap grows by before it is collected, however many there were.
  t.true(pssKiB(server) < pssBefore + 64 * 1024)
  for (const { pid } of monitorsOf(host)) {
    t.true(pssKiB(pid) < 1024)
    t.true(descriptors(pid) < 40, `${descriptors(pid)} descriptors of a monitor`)
  }
  t.is((await host.crictl(['exec', '--sync', id, 'echo', 'alive'])).stdout.trim(), 'alive')
})

/** The program of an exec whose client is gone ends with it. */
async function nothingRuns(t: ExecutionContext, { host }: CriHost, program: string): Promise<void> {
  const left = () => host.processes().filter(({ command }) => command.startsWith(`${program} /dev/zero`))
  await eventually(`no ${program} is left`, () => left().length === 0)
  t.deepEqual(left(), [])
}
