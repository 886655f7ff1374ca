/**
 * Started by kubelet.test.ts in a network namespace of its own: an API server and a whole node, from the kubelet down
 * to the kernel, in one process. Plays the scenario and prints what it saw as one line of JSON.
 */
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { get } from 'node:http'
import { join } from 'node:path'
import { serveStreaming } from '../../cri/streaming/index.ts'
import {
  ApiClient,
  createHttpTransport,
  hasCondition,
  type Pod,
  type PodSpec,
  resources,
} from '../../src/api/index.ts'
import { Cleanup, systemClock as clock, createLogger } from '../../src/base/index.ts'
import { startApiServer } from '../../src/control/apiserver/index.ts'
import { ensurePki } from '../../src/control/pki/index.ts'
import { openStore } from '../../src/control/store/index.ts'
import { openImageStore } from '../../src/image/index.ts'
import { changeNetwork, inNamespace, openNamespacePins, setLinkUp } from '../../src/kernel/index.ts'
import { createKubelet, type Kubelet } from '../../src/kubelet/index.ts'
import { openLedger } from '../../src/ledger/index.ts'
import { createPodNetwork, nodeAddress } from '../../src/network/index.ts'
import { createRuntime } from '../../src/oci/index.ts'
import { createPodService } from '../../src/pod/index.ts'
import { eventually } from '../support/eventually.ts'

const [directory = '', instance = '', imagePath = ''] = process.argv.slice(2)
const log = createLogger({ write: (line) => process.stderr.write(line), nowMs: () => clock.nowMs() })
const runDirectory = join(directory, 'run')
const dataDirectory = join(directory, 'data')
for (const path of [runDirectory, dataDirectory]) await mkdir(path, { recursive: true })
const [podCidr, serviceCidr] = ['10.96.0.0/24', '10.95.0.0/16']
const call = { signal: new AbortController().signal }
await changeNetwork(inNamespace(undefined, setLinkUp('lo')))

await using undo = new Cleanup()
const pki = await ensurePki({ directory: join(directory, 'pki'), serviceCidr, clock })
const store = await undo.use(openStore({ path: join(directory, 'store'), clock, log }))
const where = { address: '127.0.0.1', port: 0, serviceCidr }
const server = await undo.use(startApiServer({ ...where, store, pki, clock, log }))
const client = new ApiClient(server.localTransport())
const ledger = await undo.use(openLedger({ path: join(dataDirectory, 'ledger') }))
const pins = await undo.use(openNamespacePins({ runDirectory, log }))
const places = { ledger, dataDirectory, runDirectory, clock, log }
const network = await undo.use(createPodNetwork({ ...places, instance, podCidr }))
const images = await undo.use(openImageStore({ dataDirectory, log, clock }))
await images.load(imagePath)
const runtime = createRuntime({ stateRoot: join(runDirectory, 'containers'), instance, clock, log })
const streaming = await undo.use(serveStreaming())
const layers = { runtime, images, network, pins, ledger, streaming, cgroupInstance: instance }
const node = await undo.use(createPodService({ ...layers, runDirectory, version: '0.0.0', clock, log }))
const address = nodeAddress(podCidr)
const identity = await pki.kubelet('n1', [address])
const { certificate: cert, key } = identity
const transport = await undo.use(createHttpTransport({ server: server.url, ca: pki.authority, cert, key }))

async function startKubelet(): Promise<Kubelet> {
  const kubelet = await createKubelet({
    nodeName: 'n1',
    client: new ApiClient(transport),
    runtime: node.runtime,
    image: node.image,
    dataDirectory: join(dataDirectory, 'kubelet'),
    addresses: [{ type: 'InternalIP', address }],
    serverTls: { ...identity, clientCa: pki.authority },
    port: 10250,
    clock,
    log,
  })
  await kubelet.start(call.signal)
  return kubelet
}

const script = `trap 'echo bye > /dev/termination-log; exit 0' TERM
echo "colour $COLOUR, host $HOSTNAME"
printf 'HTTP/1.0 200 OK\\r\\n\\r\\n%s' "$(cat /page /conf/COLOUR)" > /scratch/answer
while :; do nc -l -p 80 < /scratch/answer > /dev/null & wait $!; done`

const web: PodSpec = {
  nodeName: 'n1',
  volumes: [
    { name: 'conf', configMap: { name: 'settings' } },
    { name: 'scratch', emptyDir: {} },
  ],
  containers: [
    {
      name: 'web',
      image: 'busybox:test',
      command: ['/bin/sh', '-c', script],
      env: [{ name: 'COLOUR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'COLOUR' } } }],
      volumeMounts: [
        { name: 'conf', mountPath: '/conf' },
        { name: 'conf', mountPath: '/page', subPath: 'page' },
        { name: 'scratch', mountPath: '/scratch', subPath: 'a/b' },
      ],
    },
  ],
}

const ref = (name: string) => ({ namespace: 'default', name })
const pod = (name: string): Promise<Pod> => client.get(resources.pods, ref(name))
const container = async (name: string) => (await pod(name)).status?.containerStatuses?.[0]

function until(what: string, name: string, check: (found: Pod) => unknown): Promise<Pod> {
  const look = async () => {
    const found = await pod(name)
    return check(found) ? found : undefined
  }
  return eventually(what, look, 20_000)
}

const isReady = (found: Pod) => hasCondition(found.status?.conditions, 'Ready')

async function page(ip: string | undefined): Promise<string> {
  const request = get({ host: ip, port: 80 })
  const [response] = await once(request, 'response')
  let text = ''
  for await (const chunk of response) text += chunk
  return text
}

async function logOf(name: string): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of await client.read(`/api/v1/namespaces/default/pods/${name}/log`))
    chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

async function runningIds(): Promise<string[]> {
  const { containers } = await node.runtime.listContainers({ filter: undefined }, call)
  return containers.map(({ id }) => id).sort()
}

let kubelet = await startKubelet()
const data = { COLOUR: 'green', page: 'page ' }
await client.create(resources.configmaps, { metadata: ref('settings'), data })
await client.create(resources.pods, { metadata: ref('web'), spec: web })
const { status } = await until('web is Ready', 'web', isReady)
const first = { page: await page(status?.podIP), log: await logOf('web') }

const [victim] = await runningIds()
await (await runtime.list()).find(({ id }) => id === victim)?.kill(9)
await until(
  'web is restarted',
  'web',
  (found) => isReady(found) && found.status?.containerStatuses?.[0]?.restartCount === 1,
)
const killed = (await container('web'))?.lastState?.terminated

const before = await runningIds()
await kubelet.stop()
kubelet = await startKubelet()
await until('web is looked at', 'web', isReady)
const adopted = JSON.stringify(before) === JSON.stringify(await runningIds())

const bad = { nodeName: 'n1', containers: [{ name: 'x', image: '127.0.0.1:1/none:1' }] }
await client.create(resources.pods, { metadata: ref('no-image'), spec: bad })
const program = { nodeName: 'n1', containers: [{ name: 'x', image: 'busybox:test', command: ['/nope'] }] }
await client.create(resources.pods, { metadata: ref('no-program'), spec: program })
const waiting = (reason: string) => (found: Pod) =>
  found.status?.containerStatuses?.[0]?.state?.waiting?.reason === reason
await until('the image is waited for', 'no-image', waiting('ImagePullBackOff'))
await until('the program is waited for', 'no-program', waiting('CrashLoopBackOff'))
const program128 = (await container('no-program'))?.lastState?.terminated
const unharmed = isReady(await pod('web'))

const last: Pod[] = []
const watching = new AbortController()
const watched = (async () => {
  for await (const event of client.watch(resources.pods, {
    fieldSelector: 'metadata.name=web',
    signal: watching.signal,
  }))
    if (event.type !== 'BOOKMARK') last.push(event.object)
})().catch(() => undefined)
for (const name of ['web', 'no-image', 'no-program']) await client.delete(resources.pods, ref(name))
const none = async () => (await client.list(resources.pods, {})).items.length === 0
await eventually('all pods are gone', none, 20_000)
await eventually('nothing of them is left', async () => (await runningIds()).length === 0, 20_000)
watching.abort()
await watched
const ended = last.at(-1)?.status
await kubelet.stop()
const report = {
  first,
  killed: { exitCode: killed?.exitCode },
  adopted,
  program: { exitCode: program128?.exitCode, reason: program128?.reason },
  unharmed,
  ended: { phase: ended?.phase, terminated: ended?.containerStatuses?.[0]?.state?.terminated },
}
process.stdout.write(`${JSON.stringify(report)}\n`)
