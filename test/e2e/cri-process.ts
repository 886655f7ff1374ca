/**
 * Started by cri.test.ts in a network namespace of its own: the whole node stack below CRI, on a socket in the given
 * directory. Its network is built in, unless that directory has a CNI configuration in `net.d`. Prints `ready` once it
 * serves. Each line on stdin is JSON: a streaming URL and what to send as stdin or to a forwarded port. The answer is a line of JSON with what came back on each channel (or as `data` and `error`).
 */
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { WebSocket } from 'ws'
import { serveCri } from '../../cri/index.ts'
import { serveStreaming } from '../../cri/streaming/index.ts'
import { systemClock as clock, createLogger } from '../../src/base/index.ts'
import { openImageStore } from '../../src/image/index.ts'
import { changeNetwork, inNamespace, openNamespacePins, setLinkUp } from '../../src/kernel/index.ts'
import { openLedger } from '../../src/ledger/index.ts'
import { createPodNetwork } from '../../src/network/index.ts'
import { createRuntime } from '../../src/oci/index.ts'
import { createPodService } from '../../src/pod/index.ts'
import { gather } from '../support/gather.ts'
import { SpdyClient } from '../support/spdy-client.ts'

const [directory = '', instance = '', imagePath = ''] = process.argv.slice(2)
const runDirectory = join(directory, 'run')
const dataDirectory = join(directory, 'data')
for (const path of [runDirectory, dataDirectory]) await mkdir(path, { recursive: true })
const log = createLogger({ write: (line) => process.stderr.write(line), nowMs: () => clock.nowMs() })
await changeNetwork(inNamespace(undefined, setLinkUp('lo')))
const ledger = await openLedger({ path: join(dataDirectory, 'ledger') })
const images = await openImageStore({ dataDirectory, log, clock })
const pins = await openNamespacePins({ runDirectory, log })
const podService = await createPodService({
  ledger,
  images,
  pins,
  network: await createPodNetwork({
    instance,
    podCidr: '10.97.0.0/24',
    mode: 'auto',
    cni: {
      confDir: join(directory, 'net.d'),
      binDirs: [join(directory, 'bin')],
      cacheDir: join(directory, 'cache'),
      timeoutMs: 3000,
      garbageCollect: true,
      env: process.env,
      clock,
      namespacePath: (id) => pins.networkPath(id),
    },
    ledger,
    dataDirectory,
    runDirectory,
    clock,
    log,
  }),
  runtime: createRuntime({ stateRoot: join(runDirectory, 'containers'), instance, clock, log }),
  streaming: await serveStreaming(),
  cgroupInstance: instance,
  runDirectory,
  version: '0.0.0',
  clock,
  log,
})
if (images.list().length === 0) await images.load(imagePath)
await serveCri({ socketPath: join(runDirectory, 'cri.sock'), ...podService })
process.stdout.write('ready\n')

for await (const line of createInterface({ input: process.stdin })) {
  const { url, stdin, port } = JSON.parse(line)
  const heard = port === undefined ? await command(url, stdin) : await forward(url, String(port), stdin)
  process.stdout.write(`${JSON.stringify(heard)}\n`)
}

async function command(url: string, stdin: string | undefined): Promise<Record<string, string>> {
  const socket = new WebSocket(url, ['v5.channel.k8s.io'])
  const heard: Record<string, string> = {}
  socket.on('message', (data: Buffer) => {
    const channel = String(data[0])
    heard[channel] = (heard[channel] ?? '') + data.subarray(1).toString()
  })
  await once(socket, 'open')
  if (stdin !== undefined) {
    socket.send(Buffer.concat([Buffer.of(0), Buffer.from(stdin)]))
    socket.send(Buffer.of(255, 0))
  }
  await once(socket, 'close')
  return heard
}

async function forward(url: string, port: string, request: string): Promise<Record<string, string>> {
  const client = await SpdyClient.dial(url, ['portforward.k8s.io'])
  const error = await client.open({ streamtype: 'error', port, requestid: '0' })
  const data = await client.open({ streamtype: 'data', port, requestid: '0' })
  const heard = Promise.all([gather(error), gather(data)])
  data.end(request)
  const [why, answer] = await heard
  return { error: why, data: answer }
}
