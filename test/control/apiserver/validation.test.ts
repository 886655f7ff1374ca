import test from 'ava'
import { type PodSpec, resources, statusOfError } from '../../../src/api/index.ts'
import { startTestApiServer } from '../../support/api-server.ts'
import { call } from '../../support/raw-api.ts'

type Spec = Partial<PodSpec>
const c = { name: 'c', image: 'i' }

const wrong: [string, Spec, string, RegExp][] = [
  ['no container', { containers: [] }, 'spec.containers', /^Required value$/],
  ['no image', { containers: [{ name: 'c' }] }, 'spec.containers[0].image', /^Required value$/],
  ['two of a name', { containers: [c, c] }, 'spec.containers[1].name', /^Duplicate value: "c"$/],
  [
    'a name with capitals',
    { containers: [{ ...c, name: 'C' }] },
    'spec.containers[0].name',
    /^Invalid value: "C": /,
  ],
  [
    'a port out of range',
    { containers: [{ ...c, ports: [{ containerPort: 70000 }] }] },
    'spec.containers[0].ports[0].containerPort',
    /must be between 1 and 65535/,
  ],
  [
    'a mount without its volume',
    { containers: [{ ...c, volumeMounts: [{ name: 'v', mountPath: '/x' }] }] },
    'spec.containers[0].volumeMounts[0].name',
    /^Not found: "v"$/,
  ],
  [
    'no quantity',
    { containers: [{ ...c, resources: { limits: { cpu: 'lots' } } }] },
    'spec.containers[0].resources.limits.cpu',
    /quantities must match/,
  ],
  [
    'more than the limit',
    { containers: [{ ...c, resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }] },
    'spec.containers[0].resources.requests',
    /must be less than or equal to cpu limit of 1/,
  ],
  [
    'an unknown policy',
    { containers: [c], restartPolicy: 'Sometimes' as never },
    'spec.restartPolicy',
    /^Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"$/,
  ],
  [
    'a probe without a handler',
    { containers: [{ ...c, livenessProbe: {} }] },
    'spec.containers[0].livenessProbe',
    /must specify a handler type/,
  ],
  [
    'two sources of a volume',
    { containers: [c], volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
    'spec.volumes[0].hostPath',
    /may not specify more than 1 volume type/,
  ],
]

test('what is wrong with a pod is said with its field', async (t) => {
  await using cluster = await startTestApiServer()
  for (const [what, spec, field, message] of wrong) {
    const pod = { metadata: { name: 'p', namespace: 'default' }, spec: { containers: [c], ...spec } }
    const error = await t.throwsAsync(cluster.client.create(resources.pods, pod), undefined, what)
    const causes = statusOfError(error)?.details?.causes ?? []
    const cause = causes.find((one) => one.field === field)
    t.regex(cause?.message ?? JSON.stringify(causes), message, what)
    t.regex(error?.message ?? '', /^Pod "p" is invalid: /, what)
  }
})

test('quality of service follows requests and limits', async (t) => {
  await using cluster = await startTestApiServer()
  const make = async (name: string, requests: Record<string, string>, limits: Record<string, string>) => {
    const container = { ...c, resources: { requests, limits } }
    const pod = { metadata: { name, namespace: 'default' }, spec: { containers: [container] } }
    return (await cluster.client.create(resources.pods, pod)).status?.qosClass
  }
  t.is(await make('a', {}, {}), 'BestEffort')
  t.is(await make('b', { cpu: '100m' }, {}), 'Burstable')
  t.is(await make('c', {}, { cpu: '1', memory: '1Gi' }), 'Guaranteed')
  t.is(await make('d', { cpu: '1000m', memory: '1024Mi' }, { cpu: '1', memory: '1Gi' }), 'Guaranteed')
  t.is(await make('e', { cpu: '1' }, { cpu: '2', memory: '1Gi' }), 'Burstable')
})

test('bodies nested too deeply are refused, whatever reads them', async (t) => {
  await using cluster = await startTestApiServer()
  const transport = cluster.server.localTransport('test')
  await cluster.client.create(resources.configmaps, { metadata: { name: 'c', namespace: 'default' } })
  const deep = `${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}`
  const path = '/api/v1/namespaces/default/configmaps'
  const bodies = [
    ['POST', path, 'application/json', `{"metadata":{"name":"x"},"data":${deep}}`],
    ['PATCH', `${path}/c`, 'application/merge-patch+json', `{"data":${deep}}`],
    ['PATCH', `${path}/c`, 'application/strategic-merge-patch+json', `{"data":${deep}}`],
    ['PATCH', `${path}/c`, 'application/json-patch+json', `[{"op":"add","path":"/data","value":${deep}}]`],
  ] as const
  for (const [method, to, type, body] of bodies) {
    const answer = await call(transport, method, to, body, { 'content-type': type })
    t.like(answer, { status: 400, body: { reason: 'BadRequest' } }, `${method} ${type}`)
    t.regex(answer.body.message, /nested/)
  }
})
