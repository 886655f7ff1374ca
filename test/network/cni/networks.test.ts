/** Chains of plugins that are small scripts: who is called, in which order, with what. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { silentLogger, systemClock } from '../../../src/base/index.ts'
import type { NetworkList } from '../../../src/network/cni/network-list.ts'
import { type AddRequest, CniNetworks } from '../../../src/network/cni/networks.ts'
import { CniFolders } from '../../support/cni-folders.ts'
import { scratchDirectory } from '../../support/scratch-directory.ts'

const network = (more: Partial<NetworkList> = {}): NetworkList => ({
  name: 'pods',
  cniVersion: '1.1.0',
  disableCheck: false,
  disableGC: false,
  plugins: [
    { type: 'main', mtu: 1400 },
    { type: 'meta', capabilities: { mac: true } },
  ],
  ...more,
})

async function scene(t: ExecutionContext, timeoutMs = 20_000) {
  const folders = await CniFolders.make(await scratchDirectory(t))
  await folders.script(
    'main',
    `test $CNI_COMMAND != ADD || echo '{"cniVersion":"1.1.0","ips":[{"address":"10.0.0.5/24"}]}'`,
  )
  await folders.script(
    'meta',
    `test $CNI_COMMAND != ADD || echo '{"cniVersion":"1.1.0","ips":[{"address":"10.0.0.6/24"}]}'`,
  )
  const options = {
    binDirs: [folders.binDir],
    cacheDir: folders.cacheDir,
    timeoutMs,
    env: process.env,
    clock: systemClock,
    log: silentLogger,
  }
  return { folders, open: () => CniNetworks.open(options), networks: await CniNetworks.open(options) }
}

const key = { containerId: 'c1', ifName: 'eth0' }
const request = (more: Partial<AddRequest> = {}): AddRequest => ({
  ...key,
  network: network(),
  namespacePath: '/netns/c1',
  args: { K8S_POD_NAME: 'web' },
  offers: { mac: '02:00:00:00:00:01' },
  ...more,
})

test('ADD goes forward with the result of the one before, DEL backward with the last', async (t) => {
  const { folders, networks } = await scene(t)
  const result = await networks.add(request())
  t.deepEqual(result['ips'], [{ address: '10.0.0.6/24' }])
  await networks.del(key, '/netns/c1')
  t.deepEqual(await folders.order(), ['ADD main', 'ADD meta', 'DEL meta', 'DEL main'])
  const [main, meta, ...dels] = await folders.calls()
  t.deepEqual(main?.config, { type: 'main', mtu: 1400, name: 'pods', cniVersion: '1.1.0' })
  t.deepEqual(meta?.config, {
    type: 'meta',
    name: 'pods',
    cniVersion: '1.1.0',
    runtimeConfig: { mac: '02:00:00:00:00:01' },
    prevResult: { cniVersion: '1.1.0', ips: [{ address: '10.0.0.5/24' }] },
  })
  for (const { config } of dels)
    t.deepEqual(config.prevResult, { cniVersion: '1.1.0', ips: [{ address: '10.0.0.6/24' }] })
  t.deepEqual(await folders.attachments(), [])
})

test('ADD again returns the first result; DEL of what was never added calls nobody', async (t) => {
  const { folders, networks } = await scene(t)
  const both = await Promise.all([networks.add(request()), networks.add(request())])
  t.deepEqual(both[0], both[1])
  await networks.del({ ...key, containerId: 'other' }, '')
  t.deepEqual(await folders.order(), ['ADD main', 'ADD meta'])
})

test('when a plugin fails, all are told DEL in reverse order and nothing is kept', async (t) => {
  const { folders, networks } = await scene(t)
  await folders.script('meta', `test $CNI_COMMAND != ADD || { echo '{"code":100,"msg":"no"}'; exit 1; }`)
  await t.throwsAsync(networks.add(request()), { message: 'CNI plugin "meta" failed to ADD: no (code 100)' })
  t.deepEqual(await folders.order(), ['ADD main', 'ADD meta', 'DEL meta', 'DEL main'])
  t.deepEqual(await folders.attachments(), [])
})

for (const [what, script, message] of [
  ['hangs', 'sleep 60', /^CNI plugin "meta" did not end ADD within 1\.5 s/],
  ['answers garbage', 'echo "<html>"', /^CNI plugin "meta" answered ADD with no JSON object: <html>/],
  [
    'answers in a version nobody speaks',
    `echo '{"cniVersion":"9.9.9"}'`,
    /^CNI plugin "meta" answered ADD with a wrong result: .*9\.9\.9/,
  ],
  ['is killed', 'kill -9 $$', /^CNI plugin "meta" was ended by SIGKILL during ADD/],
] as const)
  test(`a plugin that ${what} is named, and what was made is taken back`, async (t) => {
    const { folders, networks } = await scene(t, 1500)
    await folders.script('meta', `test $CNI_COMMAND != ADD || ${script}`)
    await t.throwsAsync(networks.add(request()), { message })
    t.deepEqual((await folders.order()).slice(-2), ['DEL meta', 'DEL main'])
    t.deepEqual(await folders.attachments(), [])
  })

test('a plugin that is missing is named before anything is begun', async (t) => {
  const { folders, networks } = await scene(t)
  const plugins = [{ type: 'main' }, { type: 'absent' }]
  await t.throwsAsync(networks.add(request({ network: network({ plugins }) })), {
    code: 'FAILED_PRECONDITION',
    message: `CNI plugin "absent" is not in ${folders.binDir}`,
  })
  t.deepEqual(await folders.order(), [])
  t.deepEqual(networks.all(), [])
})

test('a DEL that fails is gone on with, told, and due again, also for the next process', async (t) => {
  const { folders, networks, open } = await scene(t)
  await networks.add(request())
  await folders.script('meta', 'echo broken >&2; exit 1')
  await t.throwsAsync(networks.del(key, ''), {
    message: 'CNI plugin "meta" failed to DEL: it ended with exit code 1: broken',
  })
  t.deepEqual((await folders.order()).slice(2), ['DEL meta', 'DEL main'])
  const next = await open()
  t.deepEqual(
    next.all().map(({ containerId }) => containerId),
    ['c1'],
  )
  await folders.script('main', 'exit 1')
  await t.throwsAsync(next.del(key, ''), {
    message: /"meta" failed to DEL.*; and CNI plugin "main" failed to DEL/,
  })
  for (const type of ['main', 'meta']) await folders.script(type, 'exit 0')
  await next.del(key, '')
  t.deepEqual(next.all(), [])
})

test('DEL has the configuration of ADD, and says so when the namespace is gone', async (t) => {
  const { folders, networks } = await scene(t)
  await networks.add(
    request({ network: network({ cniVersion: '0.3.1', plugins: [{ type: 'main', old: true }] }) }),
  )
  await networks.del(key, '')
  const del = (await folders.calls()).at(-1)
  t.is(del?.namespacePath, '')
  t.deepEqual(
    del?.config,
    { type: 'main', old: true, name: 'pods', cniVersion: '0.3.1' },
    'no prevResult before 0.4.0',
  )
})

test('an ADD that the end of the process cut off is taken back before the next', async (t) => {
  const { folders, networks, open } = await scene(t)
  await folders.script('meta', `test $CNI_COMMAND != ADD || sleep 60`)
  networks.add(request({ signal: AbortSignal.timeout(60_000) })).catch(() => undefined)
  const next = await (async () => {
    while ((await folders.calls()).length < 2) await new Promise((resolve) => setTimeout(resolve, 20))
    return open()
  })()
  await folders.script('meta', `test $CNI_COMMAND != ADD || echo '{}'`)
  await next.add(request())
  t.deepEqual((await folders.order()).slice(2), ['DEL meta', 'DEL main', 'ADD main', 'ADD meta'])
})

test('CHECK goes forward with the result and stops at what is wrong; not where it is switched off or too old', async (t) => {
  const { folders, networks } = await scene(t)
  await t.throwsAsync(networks.check(key, '/netns/c1'), { code: 'NOT_FOUND' })
  await networks.add(request())
  await networks.check(key, '/netns/c1')
  t.deepEqual((await folders.order()).slice(2), ['CHECK main', 'CHECK meta'])
  t.truthy((await folders.calls())[2]?.config.prevResult)
  await folders.script('main', `echo '{"code":100,"msg":"address lost"}'; exit 1`)
  await t.throwsAsync(networks.check(key, '/netns/c1'), { message: /"main" failed to CHECK: address lost/ })
  const count = (await folders.calls()).length
  for (const [containerId, more] of [
    ['c2', { disableCheck: true, plugins: [{ type: 'meta' }] }],
    ['c3', { cniVersion: '0.3.1', plugins: [{ type: 'meta' }] }],
  ] as const) {
    await networks.add(request({ containerId, network: network(more) }))
    await networks.check({ ...key, containerId }, '/netns')
  }
  t.is((await folders.calls()).length, count + 2)
})

test('GC names what is attached to this network, goes to all, and is not called where it is unknown', async (t) => {
  const { folders, networks } = await scene(t)
  await networks.add(request())
  await networks.add(request({ containerId: 'c2', network: network({ name: 'other' }) }))
  await folders.script('main', `test $CNI_COMMAND != GC || { echo '{"code":100,"msg":"no"}'; exit 1; }`)
  const before = (await folders.calls()).length
  await t.throwsAsync(networks.collect(network()), { message: /"main" failed to GC/ })
  const calls = (await folders.calls()).slice(before)
  t.deepEqual(
    calls.map(({ command, type }) => `${command} ${type}`),
    ['GC main', 'GC meta'],
  )
  t.deepEqual(calls[1]?.config['cni.dev/valid-attachments'], [{ containerID: 'c1', ifname: 'eth0' }])
  await networks.collect(network({ disableGC: true }))
  await networks.collect(network({ cniVersion: '1.0.0' }))
  t.is((await folders.calls()).length, before + 2)
})

test('no GC while an attachment cannot be read: its container would be taken for gone', async (t) => {
  const { folders, networks, open } = await scene(t)
  await networks.add(request())
  await networks.add(request({ containerId: 'c2' }))
  await writeFile(join(folders.cacheDir, 'c2-eth0.json'), '{')
  const before = (await folders.calls()).length
  await (await open()).collect(network())
  t.is((await folders.calls()).length, before)
})

test('GC runs with no ADD beside it, ADDs of different containers run beside each other', async (t) => {
  const { folders, networks } = await scene(t)
  const mark = join(folders.cacheDir, '..', 'running')
  await folders.script(
    'main',
    `
    case $CNI_COMMAND in
      GC) ls ${mark}.* >/dev/null 2>&1 && echo '{"code":100,"msg":"not alone"}' && exit 1; exit 0 ;;
      ADD) touch ${mark}.$CNI_CONTAINERID; sleep 0.3; ls ${mark}.* | wc -l >> ${mark}-count; rm ${mark}.$CNI_CONTAINERID; echo '{}' ;;
    esac`,
  )
  const one = { plugins: [{ type: 'main' }] }
  const startedMs = performance.now()
  const adds = ['a', 'b', 'c'].map((containerId) =>
    networks.add(request({ containerId, network: network(one) })),
  )
  await Promise.all([
    ...adds,
    networks.collect(network(one)),
    networks.add(request({ containerId: 'd', network: network(one) })),
  ])
  t.true(performance.now() - startedMs < 10_000)
  const order = await folders.order()
  t.deepEqual(order.slice(-2), ['GC main', 'ADD main'], 'who came after it waited')
})

test('STATUS is asked from 1.1.0 on, else whether each plugin speaks the version', async (t) => {
  const { folders, networks } = await scene(t)
  await networks.status(network())
  t.deepEqual(await folders.order(), ['STATUS main', 'STATUS meta'])
  await folders.script('meta', `echo '{"code":50,"msg":"no daemon"}'; exit 1`)
  await t.throwsAsync(networks.status(network()), {
    code: 'UNAVAILABLE',
    message: /"meta" failed to STATUS: no daemon \(code 50\)/,
  })
  const old = network({ cniVersion: '1.0.0', plugins: [{ type: 'old' }] })
  await t.throwsAsync(networks.status(old), { message: /"old" is not in/ })
  await folders.script('old', `echo '{"supportedVersions":["0.4.0"]}'`)
  await t.throwsAsync(networks.status(old), {
    message: 'CNI plugin "old" does not speak 1.0.0: it speaks 0.4.0',
  })
  await networks.status(network({ cniVersion: '0.4.0', plugins: [{ type: 'old' }] }))
})
