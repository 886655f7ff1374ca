import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import * as cri from '../../../cri/types.ts'
import type { ConfigMap, Pod, PodSpec, Secret, Volume } from '../../../src/api/index.ts'
import { Cleanup } from '../../../src/base/index.ts'
import type { ProjectionSources } from '../../../src/kubelet/volumes/projection.ts'
import {
  VolumeManager,
  type VolumeMounter,
  volumeMounts,
} from '../../../src/kubelet/volumes/volume-manager.ts'
import { scratchDirectory } from '../../support/scratch-directory.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')

function sources(objects: { configMap?: ConfigMap; secret?: Secret } = {}): ProjectionSources {
  return {
    configMap: (name) => (objects.configMap?.metadata.name === name ? objects.configMap : undefined),
    secret: (name) => (objects.secret?.metadata.name === name ? objects.secret : undefined),
    podIPs: ['10.42.0.5'],
    hostIPs: ['192.0.2.1'],
    allocatable: { cpu: '2', memory: '4Gi' },
  }
}

const configMap = {
  metadata: { name: 'settings' },
  data: { a: '1', b: '2' },
  binaryData: { raw: base64('\u0000x') },
}
const secret = { metadata: { name: 'keys' }, data: { password: base64('geheim') } }

function pod(volumes: Volume[], spec: Partial<PodSpec> = {}): Pod {
  const metadata = { name: 'web', namespace: 'shop', uid: 'u1', labels: { app: 'web' } }
  return { metadata, spec: { containers: [{ name: 'c' }], volumes, ...spec } }
}

async function manager(t: ExecutionContext, mounter?: VolumeMounter) {
  const podsDirectory = await scratchDirectory(t)
  const volumes = new VolumeManager({ podsDirectory, mounter })
  const place = async (
    volume: Omit<Volume, 'name'>,
    objects?: Parameters<typeof sources>[0],
    spec?: Partial<PodSpec>,
  ) => {
    const places = await volumes.prepare(pod([{ name: 'v', ...volume }], spec), sources(objects))
    return places.get('v') ?? { path: '', projected: false }
  }
  return { podsDirectory, volumes, place }
}

const read = (place: { path: string }, file: string) => readFile(join(place.path, file), 'utf8')
const mode = async (path: string) => (await stat(path)).mode & 0o7777

test('emptyDir: a directory of the pod that all may write, kept over restarts, gone with the pod', async (t) => {
  const { podsDirectory, volumes, place } = await manager(t)
  const made = await place({ emptyDir: {} })
  t.is(await mode(made.path), 0o777)
  await writeFile(join(made.path, 'x'), 'kept')
  t.is(await read(await place({ emptyDir: {} }), 'x'), 'kept')
  t.deepEqual(await volumes.podUids(), ['u1'])
  await volumes.remove('u1')
  t.deepEqual(await readdir(podsDirectory), [])
})

test('emptyDir in memory: mounted with its size, unmounted before it is removed; refused without a mounter', async (t) => {
  const calls: string[] = []
  const { volumes, place } = await manager(t, {
    mountTmpfs: async (directory, size) => void calls.push(`mount ${directory.split('/').at(-1)} ${size}`),
    unmount: async (directory) => void calls.push(`unmount ${directory.split('/').at(-1)}`),
  })
  await place({ emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } })
  await volumes.remove('u1')
  t.deepEqual(calls, ['mount v 1048576', 'unmount v'])
  const plain = await manager(t)
  await t.throwsAsync(plain.place({ emptyDir: { medium: 'Memory' } }), {
    message: /medium Memory is not supported here/,
  })
})

test('hostPath: every type is checked, the OrCreate ones make', async (t) => {
  const { place } = await manager(t)
  const root = await scratchDirectory(t)
  const at = (name: string, type?: string) =>
    place({ hostPath: { path: join(root, name), ...(type ? { type } : {}) } as never })
  await writeFile(join(root, 'file'), '')
  await mkdir(join(root, 'dir'))
  const server = createServer().listen(join(root, 'socket'))
  t.teardown(() => server.close())
  await t.notThrowsAsync(at('absent'))
  await t.notThrowsAsync(at('dir', 'Directory'))
  await t.notThrowsAsync(at('file', 'File'))
  await t.notThrowsAsync(at('socket', 'Socket'))
  await t.notThrowsAsync(at('new/dir', 'DirectoryOrCreate'))
  await t.notThrowsAsync(at('newfile', 'FileOrCreate'))
  t.true((await stat(join(root, 'new/dir'))).isDirectory())
  t.true((await stat(join(root, 'newfile'))).isFile())
  for (const [name, type] of [
    ['file', 'Directory'],
    ['dir', 'File'],
    ['absent', 'Directory'],
    ['file', 'Socket'],
    ['file', 'CharDevice'],
    ['file', 'BlockDevice'],
    ['file', 'DirectoryOrCreate'],
  ] as const)
    await t.throwsAsync(at(name, type), { message: /is not a/ }, `${name} ${type}`)
  const proc = place({ hostPath: { path: '/proc/keelson/x', type: 'DirectoryOrCreate' } })
  await t.throwsAsync(proc, { message: /ENOENT/ })
  await t.throwsAsync(place({ hostPath: { path: '/a/../b' } }), { message: /without "\.\."/ })
})

test('configMap: all keys, or the items that are named, with their modes', async (t) => {
  const { place } = await manager(t)
  const all = await place({ configMap: { name: 'settings' } }, { configMap })
  t.deepEqual([await read(all, 'a'), await read(all, 'raw')], ['1', '\u0000x'])
  const some = await place(
    {
      configMap: {
        name: 'settings',
        defaultMode: 0o600,
        items: [
          { key: 'a', path: 'deep/er/a' },
          { key: 'b', path: 'b', mode: 0o444 },
        ],
      },
    },
    { configMap },
  )
  t.is(await read(some, 'deep/er/a'), '1')
  t.is(await mode(join(some.path, 'deep/er/a')), 0o600)
  t.is(await mode(join(some.path, 'b')), 0o444)
  await t.throwsAsync(stat(join(some.path, 'raw')))
})

test('a live update is shown; a volume that is missing something says what', async (t) => {
  const { place } = await manager(t)
  const first = await place({ configMap: { name: 'settings' } }, { configMap })
  await place({ configMap: { name: 'settings' } }, { configMap: { ...configMap, data: { a: 'new' } } })
  t.is(await read(first, 'a'), 'new')
  await t.throwsAsync(place({ configMap: { name: 'gone' } }), {
    message: 'MountVolume.SetUp failed for volume "v" : configmap "gone" not found',
  })
  await t.throwsAsync(
    place({ secret: { secretName: 'keys', items: [{ key: 'x', path: 'x' }] } }, { secret }),
    {
      message: /secret "keys" has no key "x"/,
    },
  )
  const empty = await place({ secret: { secretName: 'gone', optional: true } })
  t.deepEqual(
    (await readdir(empty.path)).filter((name) => !name.startsWith('..')),
    [],
  )
})

test('projected: several sources in one directory; downward API; tokens are refused clearly', async (t) => {
  const { place } = await manager(t)
  const made = await place(
    {
      projected: {
        sources: [
          { configMap: { name: 'settings' } },
          { secret: { name: 'keys', items: [{ key: 'password', path: 'secret/password' }] } },
          {
            downwardAPI: {
              items: [
                { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
                { path: 'memory', resourceFieldRef: { resource: 'limits.memory', divisor: '1Gi' } },
              ],
            },
          },
        ],
      },
    },
    { configMap, secret },
  )
  t.is(await read(made, 'a'), '1')
  t.is(await read(made, 'secret/password'), 'geheim')
  t.is(await read(made, 'labels'), 'app="web"')
  t.is(await read(made, 'memory'), '4')
  await t.throwsAsync(place({ projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }), {
    message: /serviceAccountToken volumes are not supported yet/,
  })
})

test('other kinds are refused by name', async (t) => {
  const { place } = await manager(t)
  await t.throwsAsync(place({ nfs: { server: 's', path: '/' } }), { message: /type nfs are not supported/ })
})

test('mounts: read-only where the API owns the files, propagation, subPath and subPathExpr', async (t) => {
  const { volumes } = await manager(t)
  const wanted = pod([
    { name: 'data', emptyDir: {} },
    { name: 'conf', configMap: { name: 'settings' } },
  ])
  const places = await volumes.prepare(wanted, sources({ configMap }))
  await using undo = new Cleanup()
  const mounts = await volumeMounts(
    {
      name: 'c',
      volumeMounts: [
        { name: 'data', mountPath: '/data', mountPropagation: 'HostToContainer' },
        { name: 'data', mountPath: 'rel', subPathExpr: '$(POD)', readOnly: true },
        { name: 'conf', mountPath: '/conf' },
        { name: 'conf', mountPath: '/conf/a', subPath: 'a' },
      ],
    },
    places,
    new Map([['POD', 'web']]),
    undo,
  )
  t.like(mounts[0], {
    containerPath: '/data',
    readonly: false,
    propagation: cri.MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
  })
  t.like(mounts[1], { containerPath: '/rel', readonly: true })
  t.true((await stat(join(places.get('data')?.path ?? '', 'web'))).isDirectory())
  t.like(mounts[2], { containerPath: '/conf', readonly: true })
  t.is(await readFile(mounts[3]?.hostPath ?? '', 'utf8'), '1')
  const unknown = volumeMounts(
    { name: 'c', volumeMounts: [{ name: 'x', mountPath: '/x' }] },
    places,
    new Map(),
    undo,
  )
  await t.throwsAsync(unknown, { message: /unknown volume x/ })
})

test('a link that a container calls ..data is not stepped over', async (t) => {
  const { volumes } = await manager(t)
  const places = await volumes.prepare(pod([{ name: 'data', emptyDir: {} }]), sources())
  const { symlink } = await import('node:fs/promises')
  await symlink('/etc', join(places.get('data')?.path ?? '', '..data'))
  await using undo = new Cleanup()
  const mount = { name: 'data', mountPath: '/x', subPath: 'passwd' }
  const [made] = await volumeMounts({ name: 'c', volumeMounts: [mount] }, places, new Map(), undo)
  t.true(
    (await stat(made?.hostPath ?? '')).isDirectory(),
    'a new directory in the volume, not the host’s file',
  )
})
