import test from 'ava'
import type { Container, Pod } from '../../src/api/index.ts'
import { containerEnvironment, type EnvironmentSources } from '../../src/kubelet/environment.ts'

const sources: EnvironmentSources = {
  configMap: (name) =>
    name === 'settings'
      ? { metadata: { name }, data: { COLOUR: 'green', 'with-dash': 'd', 'bad=key': 'x' } }
      : undefined,
  secret: (name) =>
    name === 'keys'
      ? { metadata: { name }, data: { PASSWORD: Buffer.from('geheim').toString('base64') } }
      : undefined,
  services: { WEB_SERVICE_HOST: '10.43.0.9', COLOUR: 'from a service' },
  podIPs: ['10.42.0.5', 'fd00::5'],
  hostIPs: ['192.0.2.1'],
  allocatable: { cpu: '2', memory: '4Gi', 'ephemeral-storage': '10Gi' },
}

const pod: Pod = {
  metadata: {
    name: 'web-0',
    namespace: 'shop',
    uid: 'u1',
    labels: { app: 'web', 'a/b': 'c' },
    annotations: { note: 'two\nlines' },
  },
  spec: { containers: [], nodeName: 'n1', serviceAccountName: 'default' },
}

function environment(container: Partial<Container>) {
  const full = { name: 'c', ...container }
  return Object.fromEntries(
    containerEnvironment({ ...pod, spec: { ...pod.spec, containers: [full] } }, full, sources),
  )
}

test('env wins over envFrom, envFrom over Services', (t) => {
  t.is(environment({})['COLOUR'], 'from a service')
  t.is(environment({ envFrom: [{ configMapRef: { name: 'settings' } }] })['COLOUR'], 'green')
  const all = { envFrom: [{ configMapRef: { name: 'settings' } }], env: [{ name: 'COLOUR', value: 'red' }] }
  t.is(environment(all)['COLOUR'], 'red')
})

test('envFrom: prefix, secrets decoded, keys with "=" left out', (t) => {
  const found = environment({
    envFrom: [{ prefix: 'S_', configMapRef: { name: 'settings' } }, { secretRef: { name: 'keys' } }],
  })
  t.like(found, { S_COLOUR: 'green', 'S_with-dash': 'd', PASSWORD: 'geheim' })
  t.false(Object.keys(found).some((key) => key.includes('=')))
})

test('a value refers to what stands before it, and to Services', (t) => {
  const found = environment({
    env: [
      { name: 'EARLY', value: '$(LATE)' },
      { name: 'HOST', value: 'http://$(WEB_SERVICE_HOST)/' },
      { name: 'URL', value: '$(HOST)x $$(HOST)' },
      { name: 'LATE', value: 'l' },
    ],
  })
  t.is(found['EARLY'], '$(LATE)')
  t.is(found['URL'], 'http://10.43.0.9/x $(HOST)')
})

test('fieldRef reads every supported path', (t) => {
  const read = (fieldPath: string) =>
    environment({ env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath } } }] })['X']
  t.is(read('metadata.name'), 'web-0')
  t.is(read('metadata.namespace'), 'shop')
  t.is(read('metadata.uid'), 'u1')
  t.is(read("metadata.labels['a/b']"), 'c')
  t.is(read('metadata.labels'), 'a/b="c"\napp="web"')
  t.is(read('metadata.annotations'), 'note="two\\nlines"')
  t.is(read('spec.nodeName'), 'n1')
  t.is(read('spec.serviceAccountName'), 'default')
  t.is(read('status.podIP'), '10.42.0.5')
  t.is(read('status.podIPs'), '10.42.0.5,fd00::5')
  t.is(read('status.hostIP'), '192.0.2.1')
  t.throws(() => read('spec.containers'), { message: /cannot read "spec.containers"/ })
})

test('resourceFieldRef: limits, requests, divisor, and the node where nothing is set', (t) => {
  const read = (resource: string, divisor?: string, resources: Container['resources'] = {}) =>
    environment({
      resources,
      env: [{ name: 'X', valueFrom: { resourceFieldRef: { resource, ...(divisor ? { divisor } : {}) } } }],
    })['X']
  t.is(read('limits.cpu', undefined, { limits: { cpu: '1500m' } }), '2')
  t.is(read('limits.cpu', '1m', { limits: { cpu: '1500m' } }), '1500')
  t.is(read('limits.memory', '1Mi', { limits: { memory: '64Mi' } }), '64')
  t.is(read('requests.memory', undefined, { requests: { memory: '1k' } }), '1000')
  t.is(read('limits.memory', '1Gi'), '4')
  t.is(read('limits.cpu'), '2')
})

test('what is missing is named; what is optional is left out', (t) => {
  const from = (valueFrom: object) => () => environment({ env: [{ name: 'X', valueFrom }] })
  t.throws(from({ configMapKeyRef: { name: 'gone', key: 'k' } }), { message: 'configmap "gone" not found' })
  t.throws(from({ secretKeyRef: { name: 'keys', key: 'k' } }), {
    message: 'couldn\'t find key k in Secret "keys"',
  })
  t.throws(() => environment({ envFrom: [{ secretRef: { name: 'gone' } }] }), {
    message: 'secret "gone" not found',
  })
  t.is(from({ configMapKeyRef: { name: 'gone', key: 'k', optional: true } })()['X'], undefined)
  t.is(from({ configMapKeyRef: { name: 'settings', key: 'toString', optional: true } })()['X'], undefined)
  t.throws(from({ fileKeyRef: {} }), { message: /fileKeyRef is not supported/ })
})
