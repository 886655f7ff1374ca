/**
 * `cri-streaming`: the output of an exec as fast as a reader takes it, from the real `keelson cri` and from Debian's
 * containerd, by the same client, which runs where the streaming servers listen.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ExecRequest } from '../cri/types.ts'
import { Cleanup } from '../src/base/index.ts'
import { findPeer } from '../test/support/peers.ts'
import { containerdSides, keelsonSide, type Side } from './cri/side.ts'
import { runBench } from './frame/bench.ts'
import { busyboxImage } from './frame/bench-image.ts'
import { startBenchRegistry } from './frame/bench-registry.ts'
import type { Pod } from './frame/pod-cycle.ts'
import type { BenchOptions, Row } from './frame/row.ts'

const bytes = 256 * 2 ** 20
const client = fileURLToPath(new URL('../test/support/stream-client.ts', import.meta.url))
const loader = fileURLToPath(new URL('../scripts/plain-typescript.mjs', import.meta.url))
const undo = new Cleanup()

await runBench({
  name: 'cri-streaming',
  about: [
    "cri-stream-spdy, -websocket: from the client's upgrade to the last of 256 MiB that an exec writes",
    "containerd 1.6 knows no WebSocket protocol that today's clients offer: SPDY only",
  ],
  rounds: 20,
  peers: ['containerd-crun', 'containerd-runc'],
  rows,
  finish: () => undo[Symbol.asyncDispose](),
})

async function rows({ notice }: BenchOptions): Promise<Row[]> {
  if (process.getuid?.() !== 0) throw new Error('the cri-streaming bench needs root')
  if (findPeer('docker-registry') === undefined)
    throw new Error('the cri-streaming bench needs docker-registry: node scripts/peers.mjs')
  const directory = await mkdtemp('/var/tmp/keelson-bench-streaming-')
  undo.defer(() => rm(directory, { recursive: true, force: true }))
  const image = await busyboxImage()
  const registry = await undo.use(startBenchRegistry(directory, image))
  const own = await undo.use(keelsonSide({ directory, registry, name: 'streaming' }))
  const peers = await containerdSides(undo, { directory, image, notice })
  return [streamRow(own, 'websocket'), ...[own, ...peers].map((side) => streamRow(side, 'spdy'))]
}

function streamRow(side: Side, transport: string): Row {
  const { variant, version, pods } = side
  let pod: Pod | undefined // ends with the bench
  return {
    id: `cri-stream-${transport}`,
    variant,
    version,
    async before() {
      pod ??= await pods.up()
    },
    run: async () => {
      const read = await readAll(side, pod?.containerId ?? '', transport)
      if (read.bytes < bytes) throw new Error(`${variant}: only ${read.bytes} bytes came`)
      return read.ms
    },
  }
}

async function readAll(
  { pid, cri }: Side,
  containerId: string,
  transport: string,
): Promise<{ bytes: number; ms: number }> {
  const cmd = ['/bin/busybox', 'head', '-c', String(bytes), '/dev/zero']
  const { url } = await cri.runtime.exec(ExecRequest.fromPartial({ containerId, cmd, stdout: true }), {
    signal: AbortSignal.timeout(10_000),
  })
  const enter = [`--net=${join('/proc', String(pid), 'ns/net')}`, '--', process.execPath]
  const words = [`--import=${loader}`, client, 'read', url, transport]
  return JSON.parse((await promisify(execFile)('nsenter', [...enter, ...words])).stdout)
}
