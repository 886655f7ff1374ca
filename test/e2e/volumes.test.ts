/** What of a volume travels, and what of it can be written: real mounts on a CRI node of its own. As root. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type ContainerConfig,
  type DeepPartial,
  MountPropagation,
  SecurityProfile_ProfileType,
} from '../../cri/types.ts'
import { hasCode } from '../../src/base/index.ts'
import { type CriNode, criNodeTests } from '../support/cri-node.ts'

const nodeTest = criNodeTests()
type Mount = DeepPartial<ContainerConfig['mounts'][number]>

const mount = (...words: string[]) => execFileSync('mount', words)

/** A tmpfs of the host with this propagation, and one below it. */
function hostMount(node: CriNode, name: string, propagation: string): Disposable & { path: string } {
  const path = join(node.directory, name)
  mkdirSync(path)
  mount('-t', 'tmpfs', 'outer', path)
  mount(`--make-${propagation}`, path)
  mkdirSync(join(path, 'inner'))
  mount('-t', 'tmpfs', 'inner', join(path, 'inner'))
  return {
    path,
    [Symbol.dispose]() {
      execFileSync('umount', ['-R', path])
      rmSync(path, { recursive: true })
    },
  }
}

function run(
  node: CriNode,
  podId: string,
  name: string,
  volume: Mount,
  security: object = {},
): Promise<string> {
  return node.run(podId, name, {
    command: ['sleep', '1000'],
    linux: { securityContext: { namespaceOptions: { pid: 1 }, ...security } },
    mounts: [{ containerPath: '/volume', ...volume }],
  })
}

const writes = async (node: CriNode, id: string, path: string) =>
  (await node.exec(id, 'touch', path)).exitCode === 0
const sees = async (node: CriNode, id: string, path: string) =>
  (await node.exec(id, 'ls', path)).exitCode === 0

nodeTest('mounts travel as far as their propagation says', async (t, node) => {
  using host = hostMount(node, 'shared', 'rshared')
  const { path: hostPath } = host
  const podId = await node.pod()
  const ids: Record<string, string> = {}
  for (const [name, propagation] of [
    ['alone', MountPropagation.PROPAGATION_PRIVATE],
    ['slave', MountPropagation.PROPAGATION_HOST_TO_CONTAINER],
    ['peer', MountPropagation.PROPAGATION_BIDIRECTIONAL],
  ] as const)
    ids[name] = await run(node, podId, name, { hostPath, propagation }, { privileged: true })
  mkdirSync(join(hostPath, 'later'))
  mount('-t', 'tmpfs', 'later', join(hostPath, 'later'))
  writeFileSync(join(hostPath, 'later/file'), '')
  t.false(await sees(node, ids['alone'] ?? '', '/volume/later/file'))
  t.true(await sees(node, ids['slave'] ?? '', '/volume/later/file'))
  t.true(await sees(node, ids['peer'] ?? '', '/volume/later/file'))
  const makes = (id = '') =>
    node.exec(
      id,
      'sh',
      '-c',
      'mkdir -p /volume/made && busybox mount -t tmpfs made /volume/made && touch /volume/made/file',
    )
  for (const name of ['alone', 'slave']) {
    t.is((await makes(ids[name])).exitCode, 0)
    t.false(await sees(node, ids['peer'] ?? '', '/volume/made/file'))
  }
  const made = await makes(ids['peer'])
  t.is(made.exitCode, 0, made.stderr)
  t.is(execFileSync('ls', [join(hostPath, 'made')]).toString(), 'file\n')
})

nodeTest('what cannot travel is said, not ignored', async (t, node) => {
  using host = hostMount(node, 'alone', 'rprivate')
  const podId = await node.pod()
  for (const propagation of [
    MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
    MountPropagation.PROPAGATION_BIDIRECTIONAL,
  ]) {
    const error = await t.throwsAsync(run(node, podId, 'main', { hostPath: host.path, propagation }), {
      message: /not shared.*make-rshared/,
    })
    t.true(hasCode(error, 'FAILED_PRECONDITION'))
  }
})

nodeTest('read-only: of the volume alone, or of all below it; options that take away', async (t, node) => {
  using host = hostMount(node, 'deep', 'rprivate')
  const link = join(node.directory, 'link')
  symlinkSync(host.path, link)
  const podId = await node.pod()
  const plain = await run(node, podId, 'plain', { hostPath: link, readonly: true })
  t.false(await writes(node, plain, '/volume/x'))
  t.true(await writes(node, plain, '/volume/inner/x'))
  const deep = await run(node, podId, 'deep', { hostPath: link, readonly: true, recursiveReadOnly: true })
  t.false(await writes(node, deep, '/volume/x'))
  t.false(await writes(node, deep, '/volume/inner/x'))
  const bare = await run(node, podId, 'bare', { hostPath: link, mountOptions: ['noexec', 'nosuid'] })
  await node.exec(bare, 'sh', '-c', 'cp /bin/busybox /volume/program')
  t.not((await node.exec(bare, '/volume/program', 'true').catch(() => ({ exitCode: 126 }))).exitCode, 0)
  await t.throwsAsync(run(node, podId, 'wrong', { hostPath: link, mountOptions: ['dev'] }), {
    message: /"dev"/,
  })
  await t.throwsAsync(run(node, podId, 'absent', { hostPath: join(node.directory, 'none') }), {
    message: /does not exist/,
  })
})

nodeTest(
  "a volume at /dev/shm takes the place of the pod's own, for the container that has it",
  async (t, node) => {
    using host = hostMount(node, 'memory', 'rprivate')
    mount('-o', 'remount,size=1m', host.path)
    const podId = await node.pod()
    const own = await run(node, podId, 'own', { hostPath: host.path, containerPath: '/dev/shm' })
    const usual = await run(node, podId, 'usual', { hostPath: host.path })
    const shm = async (id: string) => (await node.exec(id, 'grep', ' /dev/shm ', '/proc/mounts')).stdout
    t.regex(await shm(own), /size=1024k/)
    t.regex(await shm(usual), /size=65536k/)
    t.true(await writes(node, own, '/dev/shm/file'))
    t.true(existsSync(join(host.path, 'file')))
    t.false(await sees(node, usual, '/dev/shm/file'))
  },
)

nodeTest('profiles: a seccomp file, none for the privileged; AppArmor that is not here', async (t, node) => {
  const path = join(node.directory, 'profile.json')
  const names = ['sethostname']
  writeFileSync(
    path,
    JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names, action: 'SCMP_ACT_ERRNO' }] }),
  )
  const volume = { hostPath: node.directory, readonly: true }
  const podId = await node.pod()
  const seccomp = { profileType: SecurityProfile_ProfileType.Localhost, localhostRef: path }
  const capabilities = { addCapabilities: ['SYS_ADMIN'] }
  const renames = async (name: string, security: object) =>
    (await node.exec(await run(node, podId, name, volume, security), 'hostname', 'renamed')).exitCode === 0
  t.false(await renames('blocked', { seccomp, capabilities }))
  t.true(await renames('unconfined', { capabilities }))
  t.true(await renames('privileged', { seccomp, privileged: true }))
  await t.throwsAsync(
    run(node, podId, 'none', volume, {
      seccomp: { ...seccomp, localhostRef: join(node.directory, 'no.json') },
    }),
    { message: /seccomp profile .* cannot be read/ },
  )
  const apparmor = { profileType: SecurityProfile_ProfileType.RuntimeDefault, localhostRef: '' }
  await t.notThrowsAsync(run(node, podId, 'default', volume, { apparmor }))
  const named = {
    profileType: SecurityProfile_ProfileType.Localhost,
    localhostRef: 'keelson-test-not-loaded',
  }
  await t.throwsAsync(run(node, podId, 'named', volume, { apparmor: named }))
})
