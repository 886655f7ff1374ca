/**
 * A program for tests, started in a fresh network namespace: the pod network and the service proxy act in the namespace
 * of their process, as they do in production. Prints one JSON line of what it saw.
 */
import { silentLogger, systemClock } from '../../src/base/index.ts'
import {
  changeNetwork,
  inNamespace,
  listAddresses,
  listLinks,
  listRoutes,
  openNamespacePins,
  readSysctl,
  removePinNamespace,
  setLinkUp,
} from '../../src/kernel/index.ts'
import { openLedger } from '../../src/ledger/index.ts'
import { createPodNetwork, nodeAddress, restoreHost } from '../../src/network/index.ts'
import { removeServiceTable, startServiceProxy } from '../../src/services/index.ts'
import { inside } from './inside.ts'
import { podRequest } from './pod-network.ts'
import { FakeSource, service, slice } from './service-objects.ts'
import { ask, serve } from './traffic.ts'

const [directory = ''] = process.argv.slice(2)
const places = { dataDirectory: directory, runDirectory: directory, log: silentLogger, clock: systemClock }
const names = { instance: 'own', podCidr: '10.99.0.0/24', serviceCidr: '10.98.0.0/16' }
await changeNetwork(inNamespace(undefined, setLinkUp('lo')))
const before = await snapshot()
const ledger = await openLedger({ path: `${directory}/ledger`, mapSizeBytes: 1 << 24 })
const pins = await openNamespacePins(places)
const network = await createPodNetwork({ ...places, ...names, ledger })
const sources = { services: new FakeSource(), slices: new FakeSource() } as {
  services: FakeSource<ReturnType<typeof service>>
  slices: FakeSource<ReturnType<typeof slice>>
}
const proxy = await startServiceProxy({
  ...places,
  ...names,
  ...sources,
  hostAddress: nodeAddress(names.podCidr),
})
sources.services.set(service('web', '10.98.0.1'), service('node', '10.98.0.2'))
sources.slices.set(slice('web', ['10.99.0.2']), slice('node', ['10.99.0.1'], [{ port: 81 }]))
await proxy.ready
await pins.create({ id: 'a', network: true, ipc: false })
const net = await pins.open('a', 'network')
const host = { fd: -1, [Symbol.dispose]() {} }
await network.setUp(podRequest('a', net))
const pod = await serve(net, 'pod', { host: '0.0.0.0', port: 80 })
const node = await serve(host, 'node', { host: '10.99.0.1', port: 81 })
const answers = {
  hostToPod: await ask(host, { host: '10.99.0.2', port: 80 }),
  hostToService: await ask(host, { host: '10.98.0.1', port: 80 }),
  podToService: await ask(net, { host: '10.98.0.1', port: 80 }),
  podToNodeByService: await ask(net, { host: '10.98.0.2', port: 80 }),
  hostToNodeByService: await ask(host, { host: '10.98.0.2', port: 80 }),
}
for (const server of [pod, node]) await server[Symbol.asyncDispose]()
net[Symbol.dispose]()
await network.tearDown('a')
await pins.remove('a')
await proxy[Symbol.asyncDispose]()
await network[Symbol.asyncDispose]()
await removeServiceTable({ ...places, ...names })
await restoreHost({ ...places, ...names })
await pins[Symbol.asyncDispose]()
await removePinNamespace(places)
await ledger[Symbol.asyncDispose]()
console.log(JSON.stringify({ answers, before, after: await snapshot() }))

async function snapshot() {
  return {
    forward: await readSysctl('net/ipv4/ip_forward'),
    links: (await listLinks()).map(({ name }) => name),
    addresses: (await listAddresses()).map(({ address }) => address),
    routes: (await listRoutes(4)).length,
    rules: await inside({}, 'nft', 'list', 'ruleset'),
  }
}
