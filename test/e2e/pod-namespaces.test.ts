/** Pods whose namespaces a process holds: shared process ids, user namespaces. On a CRI node of its own, as root. */
import { chown, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import {
  type ContainerConfig,
  ContainerState,
  type DeepPartial,
  NamespaceMode,
  type NamespaceOption,
  PodSandboxState,
} from '../../cri/types.ts'
import { hasCode } from '../../src/base/index.ts'
import { type CriNode, call, criNodeTests } from '../support/cri-node.ts'
import { eventually } from '../support/eventually.ts'
import { podConfig, runRequest } from '../support/pod-requests.ts'

const nodeTest = criNodeTests()

async function pod(node: CriNode, options: DeepPartial<NamespaceOption>, more = {}): Promise<string> {
  const linux = { securityContext: { namespaceOptions: options }, ...more }
  const { podSandboxId } = await node.runtime.runPodSandbox(runRequest(podConfig('web', { linux })), call)
  return podSandboxId
}

function run(
  node: CriNode,
  podId: string,
  name: string,
  namespaceOptions: DeepPartial<NamespaceOption>,
  more: DeepPartial<ContainerConfig> = {},
): Promise<string> {
  const linux = { securityContext: { namespaceOptions } }
  return node.run(podId, name, { command: ['sleep', '1000'], linux, ...more })
}

async function sandboxState(node: CriNode, podSandboxId: string): Promise<PodSandboxState | undefined> {
  const { status } = await node.runtime.podSandboxStatus({ podSandboxId, verbose: false }, call)
  return status?.state
}

/** The process that holds the pod's namespaces; its record is the runtime's. */
async function holderPid(node: CriNode, podId: string): Promise<number> {
  const text = await readFile(join(node.directory, 'run/containers', podId, 'pid'), 'utf8')
  return Number(text.split(' ')[0])
}

async function output(node: CriNode, containerId: string, ...command: string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await node.exec(containerId, ...command)
  if (exitCode !== 0) throw new Error(`${command.join(' ')}: ${stderr}`)
  return stdout.trim()
}

async function refused(t: ExecutionContext, promise: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await t.throwsAsync(promise, { message })
  t.true(hasCode(error, 'INVALID_ARGUMENT'))
}

const shared = { pid: NamespaceMode.POD }

nodeTest(
  'containers that share their process ids see each other, and whoever reaps for them',
  async (t, node) => {
    const podId = await pod(node, shared)
    const first = await run(node, podId, 'first', shared, { command: ['sleep', '1111'] })
    const second = await run(node, podId, 'second', shared, { command: ['sleep', '2222'] })
    const alone = await run(node, podId, 'alone', { pid: NamespaceMode.CONTAINER })
    const seen = await output(node, second, 'ps', '-o', 'pid,args')
    t.regex(seen, /^\s*1 .*keelson-init/m)
    t.regex(seen, /sleep 1111/)
    t.regex(seen, /sleep 2222/)
    t.notRegex(await output(node, alone, 'ps', '-o', 'args'), /1111/)
    // An orphan comes to PID 1 and is not there any more once it has ended.
    await node.exec(first, 'sh', '-c', '(sleep 0.1 &) ; exit 0')
    await eventually(
      'the orphan is reaped',
      async () => !/sleep 0\.1|\[sleep\]/.test(await output(node, first, 'ps', '-o', 'args')),
    )
    // One that ends takes nobody with it, and what it left in its cgroup goes.
    await node.runtime.stopContainer({ containerId: first, timeout: 0n }, call)
    t.is((await node.status(first)).exitCode, 137)
    t.is((await node.status(second)).state, ContainerState.CONTAINER_RUNNING)
    t.notRegex(await output(node, second, 'ps', '-o', 'args'), /1111/)
  },
)

nodeTest('the holder owns nothing that a container could take from it, and is small', async (t, node) => {
  const podId = await pod(node, shared)
  const pid = await holderPid(node, podId)
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const pss = Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1])
  t.true(pss <= 64, `${pss} KiB`)
  t.deepEqual(await readdir(`/proc/${pid}/fd`), [])
  t.deepEqual(await readdir(`/proc/${pid}/root/`), [])
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  t.regex(status, /^CapPrm:\s+0+$/m)
  t.regex(status, /^CapBnd:\s+0+$/m)
  t.regex(await readFile(`/proc/${pid}/mountinfo`, 'utf8'), /^[^\n]* ro[, ][^\n]*\n$/)
  const tracer = await run(node, podId, 'tracer', shared, {
    linux: {
      securityContext: {
        namespaceOptions: shared,
        capabilities: { addCapabilities: ['SYS_PTRACE', 'SYS_ADMIN'] },
      },
    },
  })
  t.is(await output(node, tracer, 'ls', '-A', '/proc/1/root/'), '')
  for (const name of ['net', 'ipc', 'uts'])
    t.is(
      await output(node, tracer, 'readlink', `/proc/1/ns/${name}`),
      await output(node, tracer, 'readlink', `/proc/self/ns/${name}`),
    )
})

nodeTest('the end of the holder is the end of the pod', async (t, node) => {
  for (const end of ['SIGKILL', 'SIGTERM'] as const) {
    const podId = await pod(node, shared)
    const id = await run(node, podId, 'main', shared)
    process.kill(await holderPid(node, podId), end)
    await eventually(
      'NOTREADY',
      async () => (await sandboxState(node, podId)) === PodSandboxState.SANDBOX_NOTREADY,
    )
    t.is((await node.exited(id)).exitCode, 137)
    await node.runtime.removePodSandbox({ podSandboxId: podId }, call)
  }
})

nodeTest(
  'after kill -9 of the node a holder is found again; one that ended meanwhile is missed',
  async (t, node) => {
    const kept = await pod(node, shared)
    const lost = (
      await node.runtime.runPodSandbox(
        runRequest(podConfig('lost', { linux: { securityContext: { namespaceOptions: shared } } })),
        call,
      )
    ).podSandboxId
    const id = await run(node, kept, 'main', shared)
    const pid = await holderPid(node, kept)
    process.kill(await holderPid(node, lost), 'SIGSTOP')
    await node.crash()
    process.kill(await holderPid(node, lost), 'SIGKILL')
    await node.start()
    t.is(await sandboxState(node, kept), PodSandboxState.SANDBOX_READY)
    t.is(await sandboxState(node, lost), PodSandboxState.SANDBOX_NOTREADY)
    t.is(await holderPid(node, kept), pid)
    const more = await run(node, kept, 'more', shared)
    t.is(
      (await output(node, more, 'ps', '-o', 'args')).split('\n').filter((line) => line === 'sleep 1000')
        .length,
      2,
    )
    t.is((await node.status(id)).state, ContainerState.CONTAINER_RUNNING)
    process.kill(pid, 'SIGKILL')
    await eventually(
      'NOTREADY',
      async () => (await sandboxState(node, kept)) === PodSandboxState.SANDBOX_NOTREADY,
    )
  },
)

nodeTest(
  "an ephemeral container sees the processes of its target, and the host's where the pod does",
  async (t, node) => {
    const podId = await pod(node, { pid: NamespaceMode.CONTAINER })
    const main = await run(
      node,
      podId,
      'main',
      { pid: NamespaceMode.CONTAINER },
      { command: ['sleep', '1234'] },
    )
    const target = { pid: NamespaceMode.TARGET, targetId: main }
    const debug = await run(node, podId, 'debug', target)
    t.regex(await output(node, debug, 'ps', '-o', 'pid,args'), /^\s*1 .*sleep 1234/m)
    await refused(t, run(node, podId, 'none', { pid: NamespaceMode.TARGET }), /target_id/)
    await refused(t, run(node, podId, 'share', { pid: NamespaceMode.POD }), /no PID namespace/)
    await t.throwsAsync(run(node, podId, 'gone', { pid: NamespaceMode.TARGET, targetId: 'nope' }), {
      message: /no container nope/,
    })
    const hostPod = (
      await node.runtime.runPodSandbox(
        runRequest(
          podConfig('host', {
            linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.NODE } } },
          }),
        ),
        call,
      )
    ).podSandboxId
    await refused(t, run(node, hostPod, 'thief', target), /another pod/)
    const sees = await run(node, hostPod, 'main', { pid: NamespaceMode.NODE })
    t.is(await output(node, sees, 'readlink', '/proc/self/ns/pid'), await readlink('/proc/self/ns/pid'))
    t.regex(await output(node, sees, 'ps', '-o', 'pid'), new RegExp(`^\\s*${process.pid}$`, 'm'))
  },
)

const range = { hostId: 700_000, containerId: 0, length: 65_536 }
const users = { mode: NamespaceMode.POD, uids: [range], gids: [{ ...range, hostId: 800_000 }] }

nodeTest('a pod with a user namespace: root inside, nobody outside', async (t, node) => {
  for (const pid of [NamespaceMode.CONTAINER, NamespaceMode.POD]) {
    const options = { pid, usernsOptions: users }
    const podId = await pod(node, options, {
      sysctls: { 'net.ipv4.ip_local_port_range': '1024 2048', 'kernel.shmmni': '77' },
    })
    const id = await run(node, podId, 'main', options, {
      command: ['sh', '-c', 'echo x > /made; mkdir /dir; exec sleep 1000'],
    })
    t.is((await output(node, id, 'cat', '/proc/self/uid_map')).replace(/\s+/g, ' '), '0 700000 65536')
    t.is((await output(node, id, 'cat', '/proc/self/gid_map')).replace(/\s+/g, ' '), '0 800000 65536')
    t.regex(await output(node, id, 'id'), /^uid=0\(root\) gid=0\(root\)/)
    t.regex(await readFile(`/proc/${await node.pid(id)}/status`, 'utf8'), /^Uid:\s700000\s/m)
    // The image's files and what is written are root's, inside and on disk.
    t.is(
      await output(node, id, 'stat', '-c', '%u:%g', '/bin/busybox', '/made', '/dir', '/'),
      '0:0\n0:0\n0:0\n0:0',
    )
    t.is(
      await output(
        node,
        id,
        'stat',
        '-c',
        '%u:%g',
        '/etc/hosts',
        '/etc/resolv.conf',
        '/etc/hostname',
        '/dev/shm',
      ),
      '0:0\n0:0\n0:0\n0:0',
    )
    t.is(
      await output(node, id, 'sh', '-c', 'echo 10.0.0.1 more >> /etc/hosts; tail -n 1 /etc/hosts'),
      '10.0.0.1 more',
    )
    t.is(await output(node, id, 'hostname'), 'web')
    t.is(
      (await output(node, id, 'cat', '/proc/sys/net/ipv4/ip_local_port_range')).replace(/\s+/g, ' '),
      '1024 2048',
    )
    t.is(await output(node, id, 'cat', '/proc/sys/kernel/shmmni'), '77')
    // Its network namespace belongs to its user namespace.
    t.is((await node.exec(id, 'ip', 'link', 'set', 'lo', 'mtu', '1000')).exitCode === 0, false)
    const mighty = await run(node, podId, 'mighty', options, {
      linux: {
        securityContext: { namespaceOptions: options, capabilities: { addCapabilities: ['NET_ADMIN'] } },
      },
    })
    t.is((await node.exec(mighty, 'ip', 'link', 'set', 'lo', 'mtu', '1000')).exitCode, 0)
    t.is(await output(node, mighty, 'cat', '/sys/class/net/lo/mtu'), '1000')
    await node.runtime.removePodSandbox({ podSandboxId: podId }, call)
  }
})

nodeTest('volumes of a pod with a user namespace have the map that comes with them', async (t, node) => {
  const volume = join(node.directory, 'volume')
  await mkdir(volume, { recursive: true, mode: 0o777 })
  await writeFile(join(volume, 'roots'), 'r', { mode: 0o600 })
  await writeFile(join(volume, 'somebodys'), 's')
  await chown(join(volume, 'somebodys'), 1000, 2000)
  const options = { pid: NamespaceMode.CONTAINER, usernsOptions: users }
  const podId = await pod(node, options)
  const id = await run(node, podId, 'main', options, {
    mounts: [
      { hostPath: volume, containerPath: '/mapped', uidMappings: users.uids, gidMappings: users.gids },
      { hostPath: volume, containerPath: '/plain' },
    ],
  })
  t.is(await output(node, id, 'stat', '-c', '%u:%g', '/mapped/roots', '/mapped/somebodys'), '0:0\n1000:2000')
  t.is(await output(node, id, 'stat', '-c', '%u:%g', '/plain/roots'), '65534:65534')
  t.is(await output(node, id, 'cat', '/mapped/roots'), 'r')
  t.not((await node.exec(id, 'cat', '/plain/roots')).exitCode, 0)
  await node.exec(id, 'touch', '/mapped/made')
  t.is(await output(node, id, 'stat', '-c', '%u:%g', '/mapped/made'), '0:0')
})

nodeTest("a pod with a user namespace on the host's network", async (t, node) => {
  const options = { pid: NamespaceMode.CONTAINER, network: NamespaceMode.NODE, usernsOptions: users }
  const podId = await pod(node, options)
  const id = await run(node, podId, 'main', options)
  t.is((await output(node, id, 'cat', '/proc/self/uid_map')).replace(/\s+/g, ' '), '0 700000 65536')
  t.not((await node.exec(id, 'ip', 'link', 'set', 'lo', 'mtu', '1000')).exitCode, 0)
})

nodeTest('what a user namespace cannot be is refused, and nothing is left', async (t, node) => {
  const ask = (usernsOptions: DeepPartial<NamespaceOption['usernsOptions']>, more = {}) =>
    pod(node, { pid: NamespaceMode.CONTAINER, usernsOptions, ...more } as DeepPartial<NamespaceOption>)
  const two = [range, { ...range, containerId: 65_536 }]
  await refused(t, ask({ ...users, uids: two }), /exactly one mapping of uids, not 2/)
  await refused(t, ask({ ...users, gids: [] }), /exactly one mapping of gids, not 0/)
  await refused(t, ask({ ...users, uids: [{ ...range, containerId: 1 }] }), /id 0 of the container/)
  await refused(t, ask({ mode: NamespaceMode.CONTAINER }), /mode CONTAINER/)
  await refused(t, ask({ mode: NamespaceMode.TARGET }), /mode TARGET/)
  await refused(t, ask({ ...users, mode: NamespaceMode.NODE }), /takes no mappings/)
  await refused(t, ask(users, { ipc: NamespaceMode.NODE }), /IPC or PID namespace of the host/)
  const podId = await ask({ mode: NamespaceMode.NODE })
  const id = await run(node, podId, 'main', {
    pid: NamespaceMode.CONTAINER,
    usernsOptions: { mode: NamespaceMode.NODE },
  })
  t.is(
    await output(node, id, 'cat', '/proc/self/uid_map'),
    (await readFile('/proc/self/uid_map', 'utf8')).trim(),
  )
  await refused(
    t,
    run(node, podId, 'other', { pid: NamespaceMode.CONTAINER, usernsOptions: users }),
    /another user namespace/,
  )
})
