import test from 'ava'
import type { Service } from '../../src/api/index.ts'
import { serviceEnvironment } from '../../src/kubelet/service-environment.ts'

const service = (namespace: string, name: string, clusterIP: string, ports: Service['spec']['ports']) => ({
  metadata: { namespace, name },
  spec: { clusterIP, ports },
})
const master = service('default', 'kubernetes', '10.43.0.1', [{ name: 'https', port: 443 }])
const web = service('shop', 'my-web', '10.43.0.9', [
  { name: 'http-alt', port: 80, protocol: 'TCP' },
  { name: 'dns', port: 53, protocol: 'UDP' },
])

test('a Service gives the host, its ports and the older link set', (t) => {
  t.deepEqual(serviceEnvironment([web], 'shop', true), {
    MY_WEB_SERVICE_HOST: '10.43.0.9',
    MY_WEB_SERVICE_PORT: '80',
    MY_WEB_SERVICE_PORT_HTTP_ALT: '80',
    MY_WEB_SERVICE_PORT_DNS: '53',
    MY_WEB_PORT: 'tcp://10.43.0.9:80',
    MY_WEB_PORT_80_TCP: 'tcp://10.43.0.9:80',
    MY_WEB_PORT_80_TCP_PROTO: 'tcp',
    MY_WEB_PORT_80_TCP_PORT: '80',
    MY_WEB_PORT_80_TCP_ADDR: '10.43.0.9',
    MY_WEB_PORT_53_UDP: 'udp://10.43.0.9:53',
    MY_WEB_PORT_53_UDP_PROTO: 'udp',
    MY_WEB_PORT_53_UDP_PORT: '53',
    MY_WEB_PORT_53_UDP_ADDR: '10.43.0.9',
  })
})

test('the API server is always there; links off and other namespaces give nothing', (t) => {
  const names = (links: boolean, namespace = 'shop') =>
    Object.keys(serviceEnvironment([web, master], namespace, links)).filter((name) => name.endsWith('HOST'))
  t.deepEqual(names(true).sort(), ['KUBERNETES_SERVICE_HOST', 'MY_WEB_SERVICE_HOST'])
  t.deepEqual(names(false), ['KUBERNETES_SERVICE_HOST'])
  t.deepEqual(names(true, 'other'), ['KUBERNETES_SERVICE_HOST'])
})

test("a namespace's own kubernetes Service wins over the API server's, in either order", (t) => {
  const own = service('shop', 'kubernetes', '10.43.7.7', [{ port: 1 }])
  for (const list of [
    [own, master],
    [master, own],
  ])
    t.is(serviceEnvironment(list, 'shop', true)['KUBERNETES_SERVICE_HOST'], '10.43.7.7')
})

test('headless Services and those without ports have none', (t) => {
  const headless = service('shop', 'a', 'None', [{ port: 1 }])
  const empty = service('shop', 'b', '10.43.0.2', [])
  t.deepEqual(serviceEnvironment([headless, empty], 'shop', true), {})
})
