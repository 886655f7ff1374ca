/**
 * Requests that nobody sends by mistake, made from the proto: each is a good one with a few fields spoiled. The server
 * answers each with a code of gRPC's and one sentence, lives on, and in the end there is nothing that was not there
 * before. KEELSON_TEST_FULL=1 goes on for two minutes.
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, credentials, status as Grpc, type ServiceError } from '@grpc/grpc-js'
import fc from 'fast-check'
import { CreateContainerRequest, RunPodSandboxRequest } from '../../cri/types.ts'
import { type CriNode, call, criNodeTests } from '../support/cri-node.ts'
import { containerConfig, createRequest, podConfig, runRequest } from '../support/pod-requests.ts'
import { messageBytes, type Words } from '../support/proto-bytes.ts'
import { type ProtoRpc, readProto } from '../support/proto-messages.ts'

const nodeTest = criNodeTests()
const proto = readProto()
const durationMs = process.env['KEELSON_TEST_FULL'] === '1' ? 120_000 : 8_000

/** Refusals that say whose fault it is. INTERNAL and UNKNOWN would say: ours. */
const proper = new Set([
  Grpc.OK,
  Grpc.CANCELLED,
  Grpc.INVALID_ARGUMENT,
  Grpc.DEADLINE_EXCEEDED,
  Grpc.NOT_FOUND,
  Grpc.ALREADY_EXISTS,
  Grpc.PERMISSION_DENIED,
  Grpc.RESOURCE_EXHAUSTED,
  Grpc.FAILED_PRECONDITION,
  Grpc.UNIMPLEMENTED,
  Grpc.UNAVAILABLE,
])

interface Scene {
  podId: string
  containerId: string
  directory: string
  instance: string
}

const any = [
  '',
  ' ',
  'a',
  '..',
  '../..',
  '/',
  '\n',
  'a\nb',
  '\u0000',
  'x'.repeat(300),
  'x'.repeat(70_000),
  '\ud800',
  '%s%n',
  '"',
  '{}',
  '🚢',
]

/** Places are all below the test's directory: a request that is obeyed must not hurt this host. */
function hostileWords({ podId, containerId, directory, instance }: Scene): Words {
  const places = [
    '',
    'rel/ative',
    'dir',
    'file',
    'loop',
    'link',
    'missing/deep',
    'dir/../dir',
    'closed/x',
    `dir/${'y'.repeat(300)}`,
  ].map((place) => (place === '' ? '' : join(directory, 'host', place)))
  const byName: Readonly<Record<string, readonly string[]>> = {
    pod_sandbox_id: [podId, podId.slice(0, 5), podId],
    container_id: [containerId, containerId.slice(0, 5), containerId],
    container_ids: [containerId, podId],
    id: [podId, containerId],
    image: ['busybox:test', 'absent:1', 'UPPER', 'a@sha256:00', '-', 'a:b:c'],
    command: ['sleep', '/no/such', './x'],
    args: ['1000', '-x'],
    cmd: ['true', '/no/such', 'sh'],
    hostname: ['web', 'under_score', '-a', 'x'.repeat(64)],
    permissions: ['r', 'rwm', 'x', 'rrr'],
    page_size: ['2MB', '1GB', '3XB', '../x'],
    runtime_handler: ['keelson', 'runc'],
    run_as_username: ['root', 'web', 'nobody-here'],
    host_ip: ['127.0.0.1', '::1', '999.1.1.1'],
    pod_cidr: ['10.0.0.0/8', '10.0.0.0/99'],
    container_path: ['/a', '/b', 'c', '/../d', '/proc', '/dev/null', '/etc/hosts'],
    'sysctls.key': ['kernel.shm_rmid_forced', 'net.ipv4.ip_forward', 'vm.swappiness', 'net/../../x'],
    'sysctls.value': ['1', '99999999999'],
    'unified.key': ['memory.high', 'cgroup.procs', '../x'],
    cpuset_cpus: ['0', '0-9999', '0;'],
    log_path: ['main.log', '../../../../outside.log', 'loop', 'sub/dir/x.log', '.'],
    cgroup_parent: [`/${instance}/mine`, '../up', '/a/../b', 'x.slice', 'x'.repeat(300)],
  }
  const paths =
    /^(host_path|log_directory|location|output_path|checkpoint_path|localhost_ref|image_sub_path)$/
  return ({ name }) => {
    // Only what is wrong in itself: a log or a cgroup at a good path of this host would be made there.
    if (name === 'cgroup_parent') return fc.constantFrom(...(byName['cgroup_parent'] ?? []), '\n', '\u0000')
    if (paths.test(name)) return fc.constantFrom(...places, '\u0000', 'rel', 'x'.repeat(5000))
    if (name === 'log_path') return fc.constantFrom(...(byName['log_path'] ?? []), 'a\nb', '\u0000')
    const own = byName[name]
    return own ? fc.oneof(fc.constantFrom(...own), fc.constantFrom(...any)) : fc.constantFrom(...any)
  }
}

/** A request that would be obeyed; what comes after it in the bytes spoils it. */
function goodBytes({ name }: ProtoRpc, { podId, containerId, directory }: Scene, count: number): Uint8Array {
  if (name === 'RunPodSandbox') {
    const config = podConfig(`p${count}`, { logDirectory: join(directory, 'host/logs/a/b/c') })
    return RunPodSandboxRequest.encode(runRequest(config)).finish()
  }
  if (name === 'CreateContainer') {
    const config = containerConfig(`c${count}`, {
      image: { image: 'busybox:test' },
      command: ['sleep', '1000'],
    })
    return CreateContainerRequest.encode(createRequest(podId, config)).finish()
  }
  const [first] = proto.messages.get(proto.rpcs.find((one) => one.name === name)?.request ?? '') ?? []
  if (first?.name === 'container_id') return tagged(1, containerId)
  return first?.name === 'pod_sandbox_id' ? tagged(1, podId) : new Uint8Array()
}

function tagged(number: number, text: string): Uint8Array {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.of((number << 3) | 2, bytes.length), bytes])
}

interface Answer {
  code: number
  details: string
  bytes?: Buffer
}

function ask(client: Client, { path, name, isStream }: ProtoRpc, bytes: Uint8Array): Promise<Answer> {
  const same = (buffer: Buffer) => buffer
  const request = Buffer.from(bytes)
  // A pull from a registry that is not there takes as long as the name service thinks.
  const options = { deadline: Date.now() + (name === 'PullImage' ? 300 : 15_000) }
  return new Promise((resolve) => {
    const failed = ({ code, details }: Pick<ServiceError, 'code' | 'details'>) => resolve({ code, details })
    if (!isStream)
      client.makeUnaryRequest(path, same, same, request, options, (error, reply) =>
        error ? failed(error) : resolve({ code: Grpc.OK, details: '', ...(reply && { bytes: reply }) }),
      )
    else {
      const stream = client.makeServerStreamRequest(path, same, same, request, { deadline: Date.now() + 100 })
      stream.on('data', () => undefined)
      stream.on('error', failed)
      stream.on('end', () => resolve({ code: Grpc.OK, details: '' }))
    }
  })
}

async function scene(node: CriNode): Promise<Scene> {
  const host = join(node.directory, 'host')
  await mkdir(join(host, 'dir'), { recursive: true })
  await mkdir(join(host, 'logs/a/b/c'), { recursive: true })
  await mkdir(join(host, 'closed'), { recursive: true })
  await writeFile(join(host, 'file'), '')
  await symlink('loop', join(host, 'loop')).catch(() => undefined)
  await symlink('dir', join(host, 'link')).catch(() => undefined)
  await chmod(join(host, 'closed'), 0)
  const podId = await node.pod('stays')
  const containerId = await node.run(podId, 'stays', { command: ['sleep', '1000'] })
  return { podId, containerId, directory: node.directory, instance: node.instance }
}

nodeTest('every RPC, with requests that nobody would send', async (t, node) => {
  let place = await scene(node)
  const words = hostileWords(place)
  const client = new Client(`unix:${join(node.directory, 'run/cri.sock')}`, credentials.createInsecure())
  const weights: Readonly<Record<string, number>> = {
    RunPodSandbox: 12,
    CreateContainer: 16,
    UpdateContainerResources: 4,
    ExecSync: 3,
  }
  // The image stays: without it nothing could be created any more.
  const spoil = fc.oneof(
    ...proto.rpcs
      .filter(({ name }) => name !== 'RemoveImage')
      .map((rpc) => ({
        weight: weights[rpc.name] ?? 1,
        arbitrary: messageBytes(proto, rpc.request, words).map((bytes) => ({ rpc, bytes })),
      })),
  )
  /** Each kind of wrong answer once. */
  const improper = new Set<string>()
  const told = new Map<string, number>()
  let count = 0
  const property = fc.asyncProperty(fc.array(spoil, { minLength: 8, maxLength: 8 }), async (spoiled) => {
    await Promise.all(spoiled.map(one))
    await startAll()
    const { containers } = await node.runtime.listContainers({ filter: undefined }, call)
    if (!containers.some(({ id }) => id === place.containerId)) place = await scene(node)
    await removeOthers(node, place)
  })
  async function one({ rpc, bytes }: { rpc: ProtoRpc; bytes: Uint8Array }): Promise<void> {
    check(rpc.name, await ask(client, rpc, Buffer.concat([goodBytes(rpc, place, count++), bytes])))
  }
  function check(name: string, { code, details }: Answer): void {
    told.set(Grpc[code] ?? '', (told.get(Grpc[code] ?? '') ?? 0) + 1)
    const isSentence = !/\p{Cc}/u.test(details) && details.length <= 4096 && !/ at \S+ \(/.test(details)
    if (proper.has(code) && isSentence) return
    improper.add(`${name}: ${Grpc[code]}: ${details.replace(/[0-9a-f]{64}/g, 'ID').slice(0, 300)}`)
  }
  async function startAll(): Promise<void> {
    const start = proto.rpcs.find(({ name }) => name === 'StartContainer')
    const { containers } = await node.runtime.listContainers({ filter: undefined }, call)
    for (const { id, state } of containers)
      if (start && state === 0) check('StartContainer', await ask(client, start, tagged(1, id)))
  }
  try {
    await fc.assert(property, { numRuns: 100_000, interruptAfterTimeLimit: durationMs, endOnFailure: true })
  } finally {
    client.close()
    t.log(`${count} requests: ${[...told].map(([code, times]) => `${times} ${code}`).join(', ')}`)
  }
  t.deepEqual([...improper], [])
  t.is((await node.runtime.version({ version: '' }, call)).runtimeApiVersion, 'v1')
  t.false(existsSync(join(node.directory, 'host/outside.log')), 'a log outside of its directory')
  t.deepEqual((await readdir(join(node.directory, 'host'))).toSorted(), [
    'closed',
    'dir',
    'file',
    'link',
    'logs',
    'loop',
  ])
})

nodeTest('ids that nobody has: NOT_FOUND, except where the wish is fulfilled already', async (t, node) => {
  const place = await scene(node)
  const client = new Client(`unix:${join(node.directory, 'run/cri.sock')}`, credentials.createInsecure())
  const fulfilled = /^(Stop|Remove)/
  const named = proto.rpcs.filter(({ request }) =>
    /^(container_id|pod_sandbox_id)$/.test(proto.messages.get(request)?.[0]?.name ?? ''),
  )
  t.true(named.length >= 18)
  try {
    for (const id of ['nope', '', 'f'.repeat(64)])
      for (const rpc of named) {
        // Of a field that comes twice the last counts.
        const bytes = Buffer.concat([goodBytes(rpc, place, 0), tagged(1, id)])
        const { code, details } = await ask(client, rpc, bytes)
        const expected = rpc.name.startsWith('Checkpoint')
          ? [Grpc.UNIMPLEMENTED, Grpc.NOT_FOUND]
          : [fulfilled.test(rpc.name) ? Grpc.OK : Grpc.NOT_FOUND]
        t.true(expected.includes(code), `${rpc.name}(${id}): ${Grpc[code]} ${details}`)
      }
  } finally {
    client.close()
  }
})

async function removeOthers(node: CriNode, { podId }: Scene): Promise<void> {
  const { items } = await node.runtime.listPodSandbox({ filter: undefined }, call)
  for (const { id } of items)
    if (id !== podId) await node.runtime.removePodSandbox({ podSandboxId: id }, call)
}
