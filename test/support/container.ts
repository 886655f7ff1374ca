import { copyFileSync, existsSync, mkdirSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/base/index.ts'
import {
  createRuntime,
  type Process,
  planCgroup,
  type Runtime,
  readCgroupLayout,
  type Spec,
} from '../../src/oci/index.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** A runtime on a state root of its own, a busybox root file system, and everything gone at the end. */
export interface ContainerStage extends AsyncDisposable {
  runtime: Runtime
  folder: string
  rootfs: string
  instance: string
  logPath(id: string): string
}

export async function containerStage(name: string): Promise<ContainerStage> {
  const directory = await temporaryDirectory()
  const instance = `kt-${name}-${process.pid}`
  const rootfs = join(directory.path, 'rootfs')
  makeBusyboxRoot(rootfs)
  const runtime = createRuntime({ stateRoot: join(directory.path, 'state'), instance, clock: systemClock })
  return {
    runtime,
    folder: directory.path,
    rootfs,
    instance,
    logPath: (id) => join(directory.path, `${id}.log`),
    async [Symbol.asyncDispose]() {
      for (const container of await runtime.list()) await container.delete({ force: true })
      await runtime[Symbol.asyncDispose]()
      await removeGroups(instance)
      await directory[Symbol.asyncDispose]()
    },
  }
}

const applets =
  'sh true false cat echo sleep ls id mount stat head dd hostname ps kill env tty wc seq touch readlink grep yes pwd stty test od mkdir tr nproc sort'

export function makeBusyboxRoot(rootfs: string): void {
  for (const folder of ['bin', 'dev', 'proc', 'sys', 'tmp', 'etc', 'root'])
    mkdirSync(join(rootfs, folder), { recursive: true })
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'))
  for (const applet of applets.split(' ')) symlinkSync('busybox', join(rootfs, 'bin', applet))
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
}

/** The instance's own directory in every hierarchy, with the one of its monitors. */
async function removeGroups(instance: string): Promise<void> {
  const { leaves } = planCgroup({ layout: readCgroupLayout(), path: `/${instance}/monitors` })
  for (const leaf of leaves)
    for (const directory of [leaf, join(leaf, '..')]) {
      for (let left = 100; existsSync(directory) && left > 0; left--) {
        try {
          rmdirSync(directory)
        } catch {
          await systemClock.sleep(10) // the last monitor is on its way out
        }
      }
    }
}

const capabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_KILL',
  'CAP_NET_BIND_SERVICE',
  'CAP_SETGID',
  'CAP_SETUID',
]

/** A specification like the ones that engines send. */
export function plainSpec(
  args: string[],
  change: (spec: Required<Pick<Spec, 'process' | 'linux'>> & Spec) => void = () => {},
): Spec {
  const process: Process = {
    args,
    cwd: '/',
    env: ['PATH=/bin', 'TERM=xterm'],
    user: { uid: 0, gid: 0 },
    noNewPrivileges: true,
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
  }
  const spec = {
    ociVersion: '1.2.0',
    process,
    hostname: 'box',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
      },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
      },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'shm',
        options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
      },
      {
        destination: '/dev/mqueue',
        type: 'mqueue',
        source: 'mqueue',
        options: ['nosuid', 'noexec', 'nodev'],
      },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      {
        destination: '/sys/fs/cgroup',
        type: 'cgroup',
        source: 'cgroup',
        options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'],
      },
    ],
    linux: {
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
      maskedPaths: [
        '/proc/acpi',
        '/proc/kcore',
        '/proc/keys',
        '/proc/timer_list',
        '/proc/scsi',
        '/sys/firmware',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
      resources: { devices: [{ allow: false, access: 'rwm' }] },
    } satisfies Spec['linux'] as NonNullable<Spec['linux']>,
  }
  change(spec)
  return spec
}
