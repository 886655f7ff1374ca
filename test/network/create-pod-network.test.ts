/** Which network a pod gets, and whose it stays. */
import type { ExecutionContext } from 'ava'
import { Cleanup } from '../../src/base/index.ts'
import { listAddresses, readSysctl } from '../../src/kernel/index.ts'
import { createPodNetwork, type NetworkMode } from '../../src/network/index.ts'
import { CniFolders } from '../support/cni-folders.ts'
import { podRequest, testNodeOptions } from '../support/pod-network.ts'
import { rootTest } from '../support/root.ts'

async function scene(t: ExecutionContext) {
  const cleanup = new Cleanup()
  t.teardown(() => cleanup[Symbol.asyncDispose]())
  const { namespaces, host, options } = await cleanup.use(testNodeOptions())
  const folders = await CniFolders.make(namespaces.directory)
  await folders.script(
    'main',
    `case $CNI_COMMAND in
      ADD) echo '{"cniVersion":"1.0.0","ips":[{"address":"10.9.9.9/24"}]}' ;;
      VERSION) echo '{"supportedVersions":["1.0.0"]}' ;;
    esac`,
  )
  const cni = {
    ...folders.options(namespaces.pins),
  }
  return {
    namespaces,
    host,
    folders,
    options,
    configure: () =>
      folders.configure('1.conflist', { cniVersion: '1.0.0', name: 'n', plugins: [{ type: 'main' }] }),
    open: (mode: NetworkMode) => cleanup.use(createPodNetwork({ ...options, mode, cni })),
    async isHostChanged() {
      const addresses = (await listAddresses(host.fd)).map(({ address }) => address)
      return addresses.includes('10.42.0.1/32') && (await readSysctl('net/ipv4/ip_forward', host.fd)) === '1'
    },
  }
}

rootTest('auto: CNI while a configuration is there, and the host is left as it is', async (t) => {
  const { namespaces, folders, configure, open, isHostChanged } = await scene(t)
  await configure()
  const network = await open('auto')
  t.deepEqual(await network.setUp(podRequest('a', await namespaces.get('a'))), { addresses: ['10.9.9.9'] })
  t.true((await network.status()).ready)
  t.false(await isHostChanged())
  await network.check('a')
  await network.tearDown('a')
  t.deepEqual(network.list(), [])
  t.deepEqual(await folders.order(), ['ADD main', 'VERSION main', 'CHECK main', 'DEL main'])
})

rootTest(
  'auto: built in without one; a pod stays with what it was made by, also in the next process',
  async (t) => {
    const { namespaces, configure, open, isHostChanged } = await scene(t)
    const network = await open('auto')
    t.true(await isHostChanged())
    t.deepEqual(await network.status(), { ready: true, reason: '', message: '' })
    const a = podRequest('a', await namespaces.get('a'))
    t.deepEqual(await network.setUp(a), { addresses: ['10.42.0.2'] })
    await configure()
    t.deepEqual(await network.setUp(podRequest('b', await namespaces.get('b'))), { addresses: ['10.9.9.9'] })
    t.deepEqual(await network.setUp(a), { addresses: ['10.42.0.2'] })
    const next = await open('auto')
    t.deepEqual(next.list().sort(), ['a', 'b'])
    t.deepEqual([next.find('a')?.addresses, next.find('b')?.addresses], [['10.42.0.2'], ['10.9.9.9']])
    await next.check('a')
    for (const id of ['a', 'b']) await next.tearDown(id)
    t.deepEqual(next.list(), [])
  },
)

rootTest('cni: without a configuration nothing is ready and no pod is made', async (t) => {
  const { namespaces, open, isHostChanged } = await scene(t)
  const network = await open('cni')
  t.like(await network.status(), { ready: false, reason: 'NoNetworkConfiguration' })
  await t.throwsAsync(network.setUp(podRequest('a', await namespaces.get('a'))), {
    code: 'FAILED_PRECONDITION',
  })
  t.false(await isHostChanged())
})

rootTest('builtin: a configuration that is there is nobody’s business', async (t) => {
  const { namespaces, configure, open, options } = await scene(t)
  await configure()
  const network = await open('builtin')
  t.deepEqual(await network.setUp(podRequest('a', await namespaces.get('a'))), { addresses: ['10.42.0.2'] })
  await t.throwsAsync(createPodNetwork({ ...options, mode: 'auto' }), { code: 'INVALID_ARGUMENT' })
})
