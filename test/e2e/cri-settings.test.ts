/** What a configuration file says of streams, registries, devices and sizes, and what of it counts without a restart. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import {
  ExecRequest,
  ExecSyncRequest,
  ListContainersRequest,
  PullImageRequest,
  StreamContainersRequest,
} from '../../cri/types.ts'
import { CriEndpoint, call } from '../support/cri-endpoint.ts'
import { serialRootTest } from '../support/root.ts'
import { selfSigned } from '../support/self-signed.ts'

const streamClient = fileURLToPath(new URL('../support/stream-client.ts', import.meta.url))

serialRootTest('streams over TLS, sizes, devices and mirrors are as the file has them', async (t) => {
  await using endpoint = await CriEndpoint.create('settings')
  const folder = endpoint.directory
  await endpoint.loadBusybox()
  const client = join(folder, 'client')
  await endpoint.configure({
    streaming: {
      tls: {
        certificate: join(folder, 'cert.pem'),
        key: join(folder, 'key.pem'),
        clientCa: join(client, 'cert.pem'),
      },
    },
    images: { registries: join(folder, 'registries.yaml') },
    containers: { execSyncBytesMax: 1024 },
    socket: { answerBytesMax: 65_536 },
    cdi: { directories: [join(folder, 'cdi')] },
  })
  await writePair(client, await selfSigned())
  await renewCertificate(endpoint)
  await writeMirror(endpoint, 1)
  await writeDevice(join(folder, 'cdi'))
  await endpoint.start()
  const podId = await endpoint.pod()
  const containerId = await endpoint.run(podId, 'main', { CDIDevices: [{ name: 'example.com/thing=one' }] })
  t.deepEqual(await said(endpoint, containerId), { said: 'device one\n' })
  await renewCertificate(endpoint)
  await endpoint.runtime.exec(execOf(containerId), call) // a new URL is when it is looked for
  t.deepEqual(await said(endpoint, containerId), { said: 'device one\n' })
  await holdsSizes(t, endpoint, containerId)
  await followsMirrors(t, endpoint)
  await allowsDevices(t, endpoint, podId)
  await namesImages(t, endpoint, podId)
  await endpoint.removePod(podId)
})

type Pair = Awaited<ReturnType<typeof selfSigned>>

async function writePair(folder: string, { cert, key }: Pair): Promise<void> {
  await mkdir(folder, { recursive: true })
  await Promise.all([writeFile(join(folder, 'cert.pem'), cert), writeFile(join(folder, 'key.pem'), key)])
}

/** The client knows this one, and no other. */
async function renewCertificate({ directory }: CriEndpoint): Promise<void> {
  const pair = await selfSigned()
  await writePair(directory, pair)
  await writeFile(join(directory, 'client/ca.pem'), pair.cert)
}

async function writeDevice(folder: string): Promise<void> {
  await mkdir(folder)
  const devices = [{ name: 'one', containerEdits: { env: ['THING=one'] } }]
  await writeFile(
    join(folder, 'thing.json'),
    JSON.stringify({ cdiVersion: '0.6.0', kind: 'example.com/thing', devices }),
  )
}

const execOf = (containerId: string) =>
  ExecRequest.fromPartial({ containerId, cmd: ['sh', '-c', 'echo device $THING'], stdout: true })

async function said({ runtime, network, directory }: CriEndpoint, containerId: string): Promise<unknown> {
  const { url } = await runtime.exec(execOf(containerId), call)
  const tsx = import.meta.resolve('tsx')
  const words = [`--import=${tsx}`, streamClient, 'said', url, join(directory, 'client')]
  const { code, stdout, stderr } = await network.run(process.execPath, words)
  return code === 0 ? JSON.parse(stdout) : stderr
}

async function holdsSizes(t: ExecutionContext, endpoint: CriEndpoint, containerId: string): Promise<void> {
  const { runtime } = endpoint
  const cmd = ['sh', '-c', 'head -c 5000 /dev/zero; head -c 3000 /dev/zero >&2']
  const { stdout, stderr } = await runtime.execSync(ExecSyncRequest.fromPartial({ containerId, cmd }), call)
  t.deepEqual([stdout.length, stderr.length], [1024, 1024])
  const podId = await endpoint.pod('annotated')
  const annotations = { large: 'x'.repeat(70_000) }
  const large = await endpoint.create(podId, 'large', { annotations })
  await t.throwsAsync(runtime.listContainers(ListContainersRequest.create(), call), {
    code: 'RESOURCE_EXHAUSTED',
    message: /more than 65536/,
  })
  const listed: string[] = []
  for await (const { containers } of runtime.streamContainers(StreamContainersRequest.create(), call))
    listed.push(...containers.map(({ id }) => id))
  t.deepEqual(listed.sort(), [containerId, large].sort())
  await endpoint.removePod(podId)
}

async function writeMirror({ directory }: CriEndpoint, port: number): Promise<void> {
  const mirror = `docker.io: { endpoints: ["http://127.0.0.1:${port}"], onlyMirrors: true }\n`
  await writeFile(join(directory, 'registries.yaml'), mirror)
}

async function followsMirrors(t: ExecutionContext, endpoint: CriEndpoint): Promise<void> {
  const pull = PullImageRequest.fromPartial({ image: { image: 'nowhere/app:1' } })
  await t.throwsAsync(endpoint.client.image.pullImage(pull, call), { message: /127\.0\.0\.1:1\b/ })
  await writeMirror(endpoint, 2)
  await t.throwsAsync(endpoint.client.image.pullImage(pull, call), { message: /127\.0\.0\.1:2\b/ })
}

/** The node is there either way; the rule of the cgroup says who may write. */
async function allowsDevices(t: ExecutionContext, endpoint: CriEndpoint, podId: string): Promise<void> {
  const devices = [{ hostPath: '/dev/loop-control', containerPath: '/dev/seen', permissions: 'r' }]
  const containerId = await endpoint.run(podId, 'devices', { devices })
  const opened = '(exec 3</dev/seen) && echo read; (exec 3>/dev/seen) 2>/dev/null && echo written; true'
  const request = ExecSyncRequest.fromPartial({ containerId, cmd: ['sh', '-c', opened] })
  const { stdout, stderr } = await endpoint.runtime.execSync(request, call)
  t.deepEqual([Buffer.from(stdout).toString(), Buffer.from(stderr).toString()], ['read\n', ''])
}

/** By whichever name an image is called, it is one and the same in every answer. */
async function namesImages(t: ExecutionContext, endpoint: CriEndpoint, podId: string): Promise<void> {
  const { runtime } = endpoint
  const { image } = endpoint.client
  const [listed] = (await image.listImages({ filter: undefined }, call)).images
  const { id = '', repoTags = [], repoDigests = [] } = listed ?? {}
  const names = [id, id.slice(0, 19), ...repoTags, 'busybox:test', ...repoDigests]
  t.true(names.length >= 4)
  for (const [index, name] of names.entries()) {
    const spec = { image: name, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' }
    t.is((await image.imageStatus({ image: spec, verbose: false }, call)).image?.id, id, name)
    const containerId = await endpoint.create(podId, `named-${index}`, { image: { image: name } })
    const { status } = await runtime.containerStatus({ containerId, verbose: false }, call)
    t.like(status, { imageId: id, imageRef: repoDigests[0] ?? id, image: { image: repoTags[0] ?? id } }, name)
    const filter = { id: containerId, podSandboxId: '', labelSelector: {} }
    const { containers } = await runtime.listContainers(ListContainersRequest.fromPartial({ filter }), call)
    t.is(containers[0]?.imageId, id, name)
    await runtime.removeContainer({ containerId }, call)
  }
}
