/** Pods on CNI networks, over the CRI socket: Debian's plugins, and plugins that misbehave in every way. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { Protocol } from '../../cri/types.ts'
import { CniFolders } from '../support/cni-folders.ts'
import { type CriNode, call, criNodeTests } from '../support/cri-node.ts'
import { eventually } from '../support/eventually.ts'
import { findPeer } from '../support/peers.ts'
import { podConfig, runRequest } from '../support/pod-requests.ts'
import { skipWithout } from '../support/skip.ts'

const nodeTest = criNodeTests()
const hasPlugins = findPeer('cni-bridge') !== undefined && findPeer('iptables') !== undefined
const pluginTest: typeof nodeTest = (title, body) =>
  skipWithout('containernetworking-plugins, iptables', hasPlugins, () => nodeTest(title, body))(
    title,
    async () => {},
  )

/** Folders of the node, emptied of configuration at the end so that the node's network is the built-in one again. */
async function cniOf(t: ExecutionContext, node: CriNode): Promise<CniFolders> {
  const folders = await CniFolders.make(node.directory)
  t.teardown(() => folders.forget())
  return folders
}

const list = (...plugins: object[]) => ({ cniVersion: '1.0.0', name: 'test', plugins })
const answer = `'{"cniVersion":"1.0.0","ips":[{"address":"10.9.9.9/24"}]}'`

async function networkCondition(node: CriNode) {
  const { status } = await node.runtime.status({ verbose: false }, call)
  const found = status?.conditions.find(({ type }) => type === 'NetworkReady')
  return { ready: found?.status, reason: found?.reason, message: found?.message }
}

async function sandboxes(node: CriNode): Promise<string[]> {
  return (await node.runtime.listPodSandbox({ filter: undefined }, call)).items.map(({ id }) => id)
}

pluginTest(
  'bridge, portmap, bandwidth: address, host port, limits; status says so and what goes wrong',
  async (t, node) => {
    const folders = await cniOf(t, node)
    await folders.installReal()
    const ranges = [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]]
    await folders.configure(
      '10-test.conflist',
      list(
        {
          type: 'bridge',
          bridge: 'cni0',
          isGateway: true,
          ipMasq: true,
          ipam: {
            type: 'host-local',
            dataDir: join(node.directory, 'ipam'),
            ranges,
            routes: [{ dst: '0.0.0.0/0' }],
          },
        },
        { type: 'portmap', capabilities: { portMappings: true } },
        { type: 'bandwidth', capabilities: { bandwidth: true } },
      ),
    )
    t.deepEqual(await networkCondition(node), { ready: true, reason: '', message: '' })
    const config = podConfig('web', {
      annotations: { 'kubernetes.io/ingress-bandwidth': '5M' },
      portMappings: [{ protocol: Protocol.TCP, hostPort: 8088, containerPort: 80, hostIp: '' }],
    })
    const { podSandboxId } = await node.runtime.runPodSandbox(runRequest(config), call)
    const { status: pod } = await node.runtime.podSandboxStatus({ podSandboxId, verbose: false }, call)
    t.deepEqual(pod?.network, { ip: '10.88.0.2', additionalIps: [{ ip: 'fd00:88::2' }] })
    const main = await node.run(podSandboxId, 'main', {
      command: ['nc', '-ll', '-p', '80', '-e', 'echo', 'hello'],
    })
    const caller = await node.run(await node.pod('caller'), 'main', { command: ['sleep', '600'] })
    const got = await eventually('the server answers', async () => {
      const { stdout } = await node.exec(caller, 'nc', '10.88.0.1', '8088')
      return stdout
    })
    t.is(got, 'hello\n')
    t.regex((await node.exec(main, 'ip', 'address', 'show', 'eth0')).stdout, /10\.88\.0\.2\/24/)
  },
)

for (const [what, script, code, message] of [
  [
    'fails',
    `echo '{"code":11,"msg":"no address left"}'; exit 1`,
    'UNAVAILABLE',
    /^CNI plugin "main" failed to ADD: no address left \(code 11\)/,
  ],
  ['hangs', 'sleep 60', 'DEADLINE_EXCEEDED', /^CNI plugin "main" did not end ADD within 3 s and was killed/],
  [
    'prints garbage',
    'echo "Traceback: oops"',
    'INTERNAL',
    /^CNI plugin "main" answered ADD with no JSON object: Traceback: oops/,
  ],
  [
    'prints without end',
    'yes',
    'RESOURCE_EXHAUSTED',
    /^CNI plugin "main" wrote more than 1048576 bytes on ADD/,
  ],
  ['is killed', 'kill -9 $$', 'INTERNAL', /^CNI plugin "main" was ended by SIGKILL during ADD/],
  [
    'answers in an unknown version',
    `echo '{"cniVersion":"7.0.0"}'`,
    'INTERNAL',
    /^CNI plugin "main" answered ADD with a wrong result: .*"7\.0\.0"/,
  ],
  [
    'gives no address',
    `echo '{"cniVersion":"1.0.0"}'`,
    'INTERNAL',
    /^the CNI network "test" gave the pod no address/,
  ],
] as const)
  nodeTest(`a plugin that ${what}: one clear sentence, DEL is called, nothing is left`, async (t, node) => {
    const folders = await cniOf(t, node)
    await folders.script('main', `test $CNI_COMMAND != ADD || { ${script}; }`)
    await folders.configure('1.conflist', list({ type: 'main' }))
    await t.throwsAsync(node.pod(), { code, message })
    t.deepEqual(await folders.order(), ['ADD main', 'DEL main'])
    t.deepEqual(await folders.attachments(), [])
    t.deepEqual(await sandboxes(node), [])
  })

nodeTest('a plugin that is missing is named, also by Status', async (t, node) => {
  const folders = await cniOf(t, node)
  await folders.configure('1.conflist', list({ type: 'absent' }))
  await t.throwsAsync(node.pod(), { message: /^CNI plugin "absent" is not in / })
  t.like(await networkCondition(node), { ready: false, reason: 'NetworkPluginNotReady' })
  t.deepEqual(await sandboxes(node), [])
})

nodeTest('a DEL that fails fails the stop, and the next stop calls it again', async (t, node) => {
  const folders = await cniOf(t, node)
  await folders.script(
    'main',
    `test $CNI_COMMAND = DEL && { echo '{"code":100,"msg":"busy"}'; exit 1; }; echo ${answer}`,
  )
  await folders.configure('1.conflist', list({ type: 'main' }))
  const podSandboxId = await node.pod()
  const network = async () => {
    const { info } = await node.runtime.podSandboxStatus({ podSandboxId, verbose: true }, call)
    return JSON.parse(info['info'] ?? '').network
  }
  t.deepEqual(await network(), { ok: true })
  await t.throwsAsync(node.runtime.stopPodSandbox({ podSandboxId }, call), {
    message: /"main" failed to DEL: busy \(code 100\)/,
  })
  await folders.script(
    'main',
    `test $CNI_COMMAND != CHECK || { echo '{"code":100,"msg":"address lost"}'; exit 1; }`,
  )
  const problem = 'CNI plugin "main" failed to CHECK: address lost (code 100)'
  t.deepEqual(await network(), { ok: false, problem })
  await node.runtime.stopPodSandbox({ podSandboxId }, call)
  await node.runtime.stopPodSandbox({ podSandboxId }, call)
  t.deepEqual(
    (await folders.order()).filter((call) => call !== 'CHECK main'),
    ['ADD main', 'DEL main', 'DEL main'],
  )
  t.deepEqual(await folders.attachments(), [])
})

nodeTest(
  'killed in the middle of ADD, the next process calls DEL; a pod that ran stays and is taken down by it',
  async (t, node) => {
    const folders = await cniOf(t, node)
    await folders.script('main', `echo ${answer}`)
    await folders.configure('1.conflist', { ...list({ type: 'main' }), cniVersion: '1.1.0' })
    const kept = await node.pod('kept')
    await folders.script('main', `test $CNI_COMMAND != ADD || sleep 60`)
    const cut = node.pod('cut').catch(() => undefined)
    await eventually('ADD goes on', async () => (await folders.order()).length === 2)
    await node.crash()
    await cut
    await node.start()
    t.deepEqual(await sandboxes(node), [kept])
    const order = await eventually('GC', async () =>
      (await folders.order()).includes('GC main') ? await folders.order() : undefined,
    )
    t.deepEqual(order.slice(2), ['DEL main', 'GC main'])
    const collected = (await folders.calls()).at(-1)?.config['cni.dev/valid-attachments']
    t.deepEqual(collected, [{ containerID: kept, ifname: 'eth0' }])
    await node.runtime.stopPodSandbox({ podSandboxId: kept }, call)
    const del = (await folders.calls()).at(-1)
    t.is(del?.namespacePath, join(node.directory, 'run/netns', kept, 'network'))
    t.like(del?.config.prevResult, { ips: [{ address: '10.9.9.9/24' }] })
    await t.throwsAsync(access(del?.namespacePath ?? ''))
  },
)
