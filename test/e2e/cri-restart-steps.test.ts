/** kill -9 of `keelson cri` at every step of the calls that change something: the next one converges. */
import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import {
  ContainerState,
  ImageStatusRequest,
  ListContainersRequest,
  ListPodSandboxRequest,
  NamespaceMode,
  PullImageRequest,
  RemoveImageRequest,
} from '../../cri/types.ts'
import { file, gzip, tar } from '../support/archive.ts'
import { type CriEndpoint, call, endpointTest } from '../support/cri-endpoint.ts'
import { type Walk, walkFaults } from '../support/fault-walk.ts'
import { registryProgram, startRegistry } from '../support/registry.ts'
import { differences, findTraces } from '../support/traces.ts'

/** Its processes see each other, which takes every part that a pod can have: pins, a network, and a holder. */
const shared = { linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.POD } } } }
const sharedPod = (endpoint: CriEndpoint) => endpoint.pod('web', shared)

interface Made {
  podId: string
  containerId: string
}

const nothing = async (): Promise<undefined> => undefined
const created = async (endpoint: CriEndpoint): Promise<Made> => {
  const podId = await sharedPod(endpoint)
  return { podId, containerId: await endpoint.create(podId, 'main', shared) }
}
const running = async (endpoint: CriEndpoint): Promise<Made> => {
  const made = await created(endpoint)
  await endpoint.runtime.startContainer({ containerId: made.containerId }, call)
  return made
}

const runPodSandbox: Walk<undefined> = {
  prepare: nothing,
  act: (endpoint) => sharedPod(endpoint),
  async settle(t, endpoint) {
    const [pod, ...more] = await podsOf(endpoint)
    t.deepEqual(more, [])
    const podId = pod?.id ?? ''
    t.true(await endpoint.podIsReady(podId))
    await endpoint.run(podId, 'main', shared)
    await endpoint.removePod(podId)
  },
}

const createContainer: Walk<string> = {
  prepare: (endpoint) => sharedPod(endpoint),
  act: (endpoint, podId) => endpoint.create(podId, 'main', shared),
  async settle(t, endpoint, podId) {
    const { containers } = await endpoint.runtime.listContainers(ListContainersRequest.create(), call)
    t.is(containers.length, 1)
    await endpoint.runtime.startContainer({ containerId: containers[0]?.id ?? '' }, call)
    await endpoint.removePod(podId)
  },
}

/** Started is started, whether or not its caller was told. */
const startContainer: Walk<Made> = {
  prepare: created,
  async act(endpoint, { containerId }) {
    if ((await endpoint.status(containerId)).state !== ContainerState.CONTAINER_RUNNING)
      await endpoint.runtime.startContainer({ containerId }, call)
  },
  async settle(t, endpoint, { podId, containerId }) {
    t.is((await endpoint.status(containerId)).state, ContainerState.CONTAINER_RUNNING)
    const { stdout } = await endpoint.runtime.execSync(
      { containerId, cmd: ['echo', 'here'], timeout: 10n },
      call,
    )
    t.is(stdout.toString(), 'here\n')
    await endpoint.removePod(podId)
  },
}

const stopContainer: Walk<Made> = {
  prepare: running,
  act: (endpoint, { containerId }) => endpoint.runtime.stopContainer({ containerId, timeout: 0n }, call),
  async settle(t, endpoint, { podId, containerId }) {
    t.like(await endpoint.status(containerId), { state: ContainerState.CONTAINER_EXITED, exitCode: 137 })
    await endpoint.removePod(podId)
  },
}

const stopPodSandbox: Walk<Made> = {
  prepare: running,
  act: (endpoint, { podId }) => endpoint.runtime.stopPodSandbox({ podSandboxId: podId }, call),
  async settle(t, endpoint, { podId, containerId }) {
    t.false(await endpoint.podIsReady(podId))
    t.like(await endpoint.status(containerId), { state: ContainerState.CONTAINER_EXITED, exitCode: 137 })
    await endpoint.removePod(podId)
  },
}

const removePodSandbox: Walk<Made> = {
  prepare: running,
  act: (endpoint, { podId }) => endpoint.runtime.removePodSandbox({ podSandboxId: podId }, call),
  async settle(t, endpoint) {
    t.deepEqual(await podsOf(endpoint), [])
    const { containers } = await endpoint.runtime.listContainers(ListContainersRequest.create(), call)
    t.deepEqual(containers, [])
  },
}

const pullImage = (reference: string): Walk<undefined> => ({
  prepare: nothing,
  act: ({ client }) =>
    client.image.pullImage(PullImageRequest.fromPartial({ image: { image: reference } }), call),
  async settle(t, { client }) {
    const request = ImageStatusRequest.fromPartial({ image: { image: reference } })
    t.truthy((await client.image.imageStatus(request, call)).image)
    await client.image.removeImage(RemoveImageRequest.fromPartial({ image: { image: reference } }), call)
    t.falsy((await client.image.imageStatus(request, call)).image)
  },
})

/** Removing takes every step of the two stops; they are walked on their own where time is no matter. */
const stops = process.env['KEELSON_TEST_FULL'] === '1' ? { stopContainer, stopPodSandbox } : {}
const walks = { runPodSandbox, createContainer, startContainer, ...stops, removePodSandbox }

endpointTest(
  'the server dies at every step of a pod and its container',
  async (t, endpoint) => {
    const { podId } = await running(endpoint)
    await endpoint.removePod(podId) // what a first pod leaves is for all that follow
    const before = settled(await findTraces(endpoint))
    for (const [name, walk] of Object.entries(walks)) {
      const steps = await walkFaults(t, endpoint, walk as Walk<unknown>)
      t.log(`${name}: ${steps.join(', ')}`)
    }
    t.deepEqual(differences(before, settled(await findTraces(endpoint))), [])
  },
  { faults: true },
)

const pullTest = registryProgram() === undefined ? undefined : endpointTest
pullTest?.(
  'the server dies at every step of a pull',
  async (t, endpoint) => {
    await using registry = await startRegistry({ network: endpoint.network })
    const layers = await Promise.all([1, 2, 3].map((n) => tar(file(`f${n}`, randomBytes(200_000)))))
    const { reference } = await registry.pushImage('three', 'layers', { layers, compress: gzip })
    const store = join(endpoint.dataDirectory, 'node/images/image')
    const before = (await readdir(store, { recursive: true })).toSorted()
    t.log((await walkFaults(t, endpoint, pullImage(reference))).join(', '))
    t.deepEqual((await readdir(store, { recursive: true })).toSorted(), before)
  },
  { faults: true },
)
if (!pullTest) test.skip('the server dies at every step of a pull (needs docker-registry)', () => {})

/** Without what changes with each start of the program. */
function settled(traces: Awaited<ReturnType<typeof findTraces>>) {
  return { ...traces, processes: [], sockets: [] }
}

async function podsOf({ runtime }: CriEndpoint) {
  return (await runtime.listPodSandbox(ListPodSandboxRequest.create(), call)).items
}
