/** Images as volumes of containers: a CRI node of its own, real mounts. As root. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type ContainerConfig,
  type DeepPartial,
  NamespaceMode,
  type NamespaceOption,
} from '../../cri/types.ts'
import { hasCode } from '../../src/base/index.ts'
import { type CriNode, call, criNodeTests } from '../support/cri-node.ts'
import { addLayeredImage } from '../support/layered-image.ts'
import { containerConfig, createRequest, podConfig, runRequest } from '../support/pod-requests.ts'

const nodeTest = criNodeTests(addLayeredImage)
const alone = { pid: NamespaceMode.CONTAINER }
type Mount = DeepPartial<ContainerConfig['mounts'][number]>

function volume(image: string, more: Mount = {}): Mount {
  return { containerPath: '/volume', readonly: true, image: { image }, ...more }
}

async function create(
  node: CriNode,
  podId: string,
  name: string,
  mounts: Mount[],
  options: DeepPartial<NamespaceOption> = alone,
) {
  const config = containerConfig(name, {
    image: { image: 'busybox:test' },
    command: ['sleep', '1000'],
    linux: { securityContext: { namespaceOptions: options } },
    mounts,
  })
  return (await node.runtime.createContainer(createRequest(podId, config), call)).containerId
}

async function start(node: CriNode, containerId: string): Promise<string> {
  await node.runtime.startContainer({ containerId }, call)
  return containerId
}

async function output(node: CriNode, id: string, ...command: string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await node.exec(id, ...command)
  return exitCode === 0 ? stdout.trim() : `failed: ${stderr.trim()}`
}

async function imageId(node: CriNode, image: string): Promise<string> {
  const { image: found } = await node.client.image.imageStatus(
    {
      image: { image, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' },
      verbose: false,
    },
    call,
  )
  return found?.id ?? ''
}

nodeTest(
  'an image is mounted as it is: read-only, its programs run, the id of its image in the status',
  async (t, node) => {
    const podId = await node.pod()
    const id = await create(node, podId, 'main', [volume('busybox:test')])
    const ours = await imageId(node, 'busybox:test')
    const [mount] = (await node.status(id)).mounts
    t.deepEqual([mount?.image?.image, mount?.image?.imageRef], [ours, ours])
    await start(node, id)
    t.is(
      await output(node, id, '/volume/bin/busybox', 'cat', '/volume/etc/group'),
      await output(node, id, 'cat', '/etc/group'),
    )
    t.regex(await output(node, id, 'touch', '/volume/made'), /Read-only/)
    t.regex(await output(node, id, 'sh', '-c', 'grep " /volume " /proc/self/mountinfo'), / ro,nosuid,nodev/)
  },
)

nodeTest('the layers of an image are stacked: what is above hides what is below', async (t, node) => {
  const podId = await node.pod()
  const id = await start(node, await create(node, podId, 'main', [volume('layers:test')]))
  t.is(await output(node, id, 'cat', '/volume/both'), 'upper')
  t.is(await output(node, id, 'ls', '/volume'), 'both\ndir\nlink\nupper')
  const inside = [
    volume('layers:test', { containerPath: '/dir', imageSubPath: 'dir' }),
    volume('layers:test', { containerPath: '/file', imageSubPath: 'dir/inner' }),
    volume('layers:test', { containerPath: '/linked', imageSubPath: 'link' }),
    volume('busybox:test', { containerPath: '/passwd', imageSubPath: 'etc/passwd' }),
  ]
  const parts = await start(node, await create(node, podId, 'parts', inside))
  t.is(await output(node, parts, 'cat', '/dir/inner', '/file', '/linked/inner'), 'inner\ninner\ninner')
  t.is(await output(node, parts, 'cat', '/passwd'), await output(node, parts, 'cat', '/etc/passwd'))
})

nodeTest('in a user namespace the files of the image are the root of the pod', async (t, node) => {
  const range = { hostId: 900_000, containerId: 0, length: 65_536 }
  const options = { ...alone, usernsOptions: { mode: NamespaceMode.POD, uids: [range], gids: [range] } }
  const linux = { securityContext: { namespaceOptions: options } }
  const { podSandboxId } = await node.runtime.runPodSandbox(runRequest(podConfig('users', { linux })), call)
  const mounts = [volume('layers:test'), volume('busybox:test', { containerPath: '/one' })]
  const id = await start(node, await create(node, podSandboxId, 'main', mounts, options))
  t.is(
    await output(node, id, 'stat', '-c', '%u:%g', '/volume/both', '/volume/dir', '/one/bin'),
    '0:0\n0:0\n0:0',
  )
  t.regex(await output(node, id, 'touch', '/volume/made'), /Read-only/)
})

nodeTest(
  'what cannot be mounted is refused at creation, with the word that the kubelet knows',
  async (t, node) => {
    const podId = await node.pod()
    const refused = async (mount: Mount, code: 'INVALID_ARGUMENT' | 'NOT_FOUND', message: RegExp) => {
      const error = await t.throwsAsync(create(node, podId, 'main', [mount]), { message })
      t.true(hasCode(error, code))
    }
    await refused(volume('absent:test'), 'NOT_FOUND', /^ImageVolumeMountFailed: image "absent:test"/)
    await refused(
      volume('layers:test', { imageSubPath: 'none' }),
      'INVALID_ARGUMENT',
      /^ImageVolumeMountFailed: .*"none"/,
    )
    await refused(
      volume('layers:test', { imageSubPath: 'lower' }),
      'INVALID_ARGUMENT',
      /^ImageVolumeMountFailed/,
    )
    for (const imageSubPath of ['../etc', '/etc', 'dir/../../x'])
      await refused(
        volume('layers:test', { imageSubPath }),
        'INVALID_ARGUMENT',
        /^ImageVolumeMountFailed: .*inside/,
      )
    await refused(volume('layers:test', { readonly: false }), 'INVALID_ARGUMENT', /not read-only/)
    await refused(volume('layers:test', { hostPath: '/etc' }), 'INVALID_ARGUMENT', /host path/)
  },
)

nodeTest(
  'the image may go, and the node be killed: the layers stay until the sandbox is removed',
  async (t, node) => {
    const { image } = node.client
    const podId = await node.pod()
    const layers = join(node.directory, 'data/image/layers')
    const before = (await readdir(layers)).length
    await start(node, await create(node, podId, 'first', [volume('layers:test')]))
    const second = await create(node, podId, 'second', [volume('layers:test')])
    const spec = {
      image: 'layers:test',
      annotations: {},
      userSpecifiedImage: '',
      runtimeHandler: '',
      imageRef: '',
    }
    await image.removeImage({ image: spec }, call)
    await node.crash()
    await node.start()
    t.is(await output(node, await start(node, second), 'cat', '/volume/both'), 'upper')
    t.is((await readdir(layers)).length, before)
    await node.runtime.removePodSandbox({ podSandboxId: podId }, call)
    t.is((await readdir(layers)).length, before - 2)
  },
)
