/**
 * The real kubectl against the real API server: of the versions on this machine the usual, the oldest, one between and
 * the newest, and Debian's 1.20 where its package can be downloaded. There are no nodes: what is shown is the API.
 */
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { resources } from '../../src/api/index.ts'
import { systemClock } from '../../src/base/index.ts'
import { ensurePki } from '../../src/control/pki/index.ts'
import { startTestApiServer } from '../support/api-server.ts'
import { eventually } from '../support/eventually.ts'
import { findKubectls, Kubectl } from '../support/kubectl.ts'
import { findPeer } from '../support/peers.ts'

const manifest = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: nginx-deployment
  labels:
    app: nginx
spec:
  replicas: 2
  selector:
    matchLabels:
      app: nginx
  template:
    metadata:
      labels:
        app: nginx
    spec:
      containers:
      - name: nginx
        image: nginx:1.7.9
        ports:
        - containerPort: 80
---
apiVersion: v1
kind: Service
metadata:
  name: nginx
spec:
  selector:
    app: nginx
  ports:
  - port: 80
`

const programs = findKubectls()

if (programs.size === 0)
  test.serial.skip('kubectl: create, get, apply, scale, delete (no kubectl here)', (t) => t.fail())

for (const [name, program] of sample(programs))
  test.serial(`${name}: create, get, apply, scale, delete`, (t) => walk(t, program))

const debian = 'kubectl 1.20 of Debian: create, get, apply, scale, delete'
const debianKubectl = findPeer('debian-kubectl')
if (debianKubectl === undefined)
  test.serial.skip(`${debian} (run \`node scripts/peers.mjs debian-kubectl\` first)`, (t) => t.fail())
else test.serial(debian, (t) => walk(t, debianKubectl))

/** The usual one, the oldest, the newest and one between: each generation asks its own way. */
function sample(all: ReadonlyMap<string, string>): [string, string][] {
  const [usual, ...versions] = [...all].sort()
  const chosen = [usual, versions.at(0), versions.at(Math.floor(versions.length / 2)), versions.at(-1)]
  return [...new Set(chosen)].filter((one) => one !== undefined)
}

async function walk(t: ExecutionContext, program: string): Promise<void> {
  await using cluster = await startTestApiServer()
  const kubectl = await Kubectl.create(program, cluster, 'walk')
  const ok = async (args: string[], expected: RegExp, input?: string) => {
    const { code, stdout, stderr } = await kubectl.run(args, input)
    t.is(code, 0, `${args.join(' ')}: ${stderr}`)
    t.regex(stdout, expected, args.join(' '))
  }
  await ok(
    ['create', '-f', '-'],
    /deployment.apps\/nginx-deployment created\nservice\/nginx created/,
    manifest,
  )
  const again = await kubectl.run(['create', '-f', '-'], manifest)
  t.is(again.code, 1)
  t.regex(again.stderr, /\(AlreadyExists\).*deployments.apps "nginx-deployment" already exists/)
  await ok(
    ['get', 'deployment'],
    /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nnginx-deployment +0\/2 +0 +0 +\d+s\n$/,
  )
  await ok(
    ['get', 'deploy', '-o', 'wide'],
    /CONTAINERS +IMAGES +SELECTOR\nnginx-deployment.* nginx +nginx:1.7.9 +app=nginx\n/,
  )
  await ok(['get', 'deploy', 'nginx-deployment', '-o', 'yaml'], /kind: Deployment[\s\S]*maxSurge: 25%/)
  await ok(['get', 'all', '-l', 'app=nginx'], /deployment.apps\/nginx-deployment/)
  await ok(['describe', 'deployment', 'nginx-deployment'], /Replicas: +2 desired/)
  await ok(['describe', 'service', 'nginx'], /Selector: +app=nginx/)
  await ok(
    ['apply', '-f', '-'],
    /nginx-deployment configured\nservice\/nginx configured/,
    manifest.replace('replicas: 2', 'replicas: 3'),
  )
  await ok(
    ['apply', '-f', '-'],
    /nginx-deployment unchanged\nservice\/nginx unchanged/,
    manifest.replace('replicas: 2', 'replicas: 3'),
  )
  await ok(['set', 'image', 'deploy/nginx-deployment', 'nginx=nginx:1.9'], /image updated/)
  await ok(['label', 'deploy', 'nginx-deployment', 'tier=front'], /labeled/)
  await ok(['scale', 'deploy', 'nginx-deployment', '--replicas=5'], /scaled/)
  const deployment = await cluster.client.get(resources.deployments, {
    namespace: 'default',
    name: 'nginx-deployment',
  })
  t.is(deployment.spec.replicas, 5)
  t.is(deployment.spec.template.spec?.containers[0]?.image, 'nginx:1.9')
  t.deepEqual(deployment.metadata.labels, { app: 'nginx', tier: 'front' })
  await ok(['explain', 'deployment.spec.replicas'], /replicas/)
  await ok(['delete', 'deploy/nginx-deployment', 'svc/nginx'], /deployment.apps "nginx-deployment" deleted/)
  await ok(['run', 'p', '--image=busybox'], /pod\/p created/)
  await ok(
    ['get', 'pods', '-o', 'wide'],
    /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE.*\np +0\/1 +Pending +0 /,
  )
  await ok(['delete', 'pod', 'p', '--wait'], /pod "p" deleted/)
}

const generators = [
  ['create', 'namespace', 'x'],
  ['create', 'configmap', 'c', '--from-literal=a=b'],
  ['create', 'secret', 'generic', 's', '--from-literal=password=x'],
  ['create', 'service', 'nodeport', 'svc', '--tcp=80:8080', '--node-port=30111'],
  ['create', 'deployment', 'd', '--image=nginx:1.7.9', '--replicas=0', '--port=80'],
  ['create', 'serviceaccount', 'robot'],
]

/** What kubectl's generators made, without what differs from cluster to cluster. */
async function generated(t: ExecutionContext, program: string): Promise<unknown[]> {
  await using cluster = await startTestApiServer()
  const kubectl = await Kubectl.create(program, cluster, 'generators')
  for (const args of generators) {
    const { code, stderr } = await kubectl.run(args)
    t.is(code, 0, `${args.join(' ')}: ${stderr}`)
  }
  const at = (name: string) => ({ namespace: 'default', name })
  const objects = [
    await cluster.client.get(resources.namespaces, { name: 'x' }),
    await cluster.client.get(resources.configmaps, at('c')),
    await cluster.client.get(resources.secrets, at('s')),
    await cluster.client.get(resources.services, at('svc')),
    await cluster.client.get(resources.deployments, at('d')),
    await cluster.client.get(resources.serviceaccounts, at('robot')),
  ]
  return objects.map((object) => {
    const { uid: _uid, resourceVersion: _version, creationTimestamp: _created, ...metadata } = object.metadata
    const text = JSON.stringify({ ...object, metadata }).replaceAll(/10\.43\.\d+\.\d+/g, 'ADDRESS')
    return JSON.parse(text)
  })
}

const versions = [...programs].filter(([name]) => name !== 'kubectl').sort()
const [oldest] = versions
const newest = versions.at(-1)
const withTwo = oldest && newest && oldest !== newest ? test.serial : test.serial.skip

withTwo('a newer kubectl, which writes protobuf, makes what an older one makes with JSON', async (t) => {
  const [json, protobuf] = [await generated(t, oldest?.[1] ?? ''), await generated(t, newest?.[1] ?? '')]
  t.deepEqual(protobuf, json)
  t.like(json[4], { spec: { replicas: 0 } })
})

const main = programs.get('kubectl')
const withKubectl = main === undefined ? test.serial.skip : test.serial

withKubectl('bad input: one clear line, and nothing is made', async (t) => {
  await using cluster = await startTestApiServer()
  const kubectl = await Kubectl.create(main ?? '', cluster, 'bad')
  const revision = cluster.store.revision
  const [deployment = ''] = manifest.split('---\n')
  for (const [what, text, message] of [
    [
      'an unknown field',
      deployment.replace('replicas', 'replicaz'),
      // The server refuses it for kubectl from 1.27 on; an older one looks at the schema itself.
      /strict decoding error: unknown field "spec\.replicaz"|unknown field "replicaz" in io\.k8s\.api\.apps\.v1\.DeploymentSpec/,
    ],
    [
      'an unknown kind',
      deployment.replace('Deployment', 'Deploymint'),
      /no matches for kind "Deploymint" in version "apps\/v1"/,
    ],
    ['malformed YAML', 'kind: [', /error parsing/],
    ['a wrong value', deployment.replace('replicas: 2', 'replicas: two'), /spec.replicas/],
    [
      'labels that do not match',
      deployment.replace('        app: nginx', '        app: other'),
      /`selector` does not match template `labels`/,
    ],
  ] as const) {
    const { code, stderr } = await kubectl.run(['create', '-f', '-'], text)
    t.is(code, 1, what)
    t.regex(stderr, message, what)
  }
  const [nothing] = (await cluster.client.list(resources.deployments)).items
  t.is(nothing, undefined)
  t.is(cluster.store.revision, revision)
})

withKubectl('a certificate of another authority: Unauthorized', async (t) => {
  await using cluster = await startTestApiServer()
  const foreign = await ensurePki({
    directory: join(cluster.directory, 'foreign'),
    serviceCidr: '10.43.0.0/16',
    clock: systemClock,
  })
  const kubectl = await Kubectl.create(main ?? '', cluster, 'foreign', foreign.admin)
  const { code, stderr } = await kubectl.run(['get', 'pods'])
  t.is(code, 1)
  t.regex(stderr, /must be logged in|Unauthorized/)
})

withKubectl('get --watch shows changes as they come; wait sees a deletion', async (t) => {
  await using cluster = await startTestApiServer()
  const kubectl = await Kubectl.create(main ?? '', cluster, 'watch')
  const { client } = cluster
  await client.create(resources.configmaps, {
    metadata: { name: 'c', namespace: 'default' },
    data: { a: '1' },
  })
  const watching = kubectl.start(['get', 'configmaps', '--watch'])
  let out = ''
  watching.stdout.on('data', (chunk) => {
    out += chunk
  })
  try {
    await eventually('the list', () => /^c +1 /m.test(out))
    const at = { namespace: 'default', name: 'c' }
    await client.patch(resources.configmaps, at, { type: 'merge', patch: { data: { b: '2' } } })
    await eventually('the change', () => /^c +2 /m.test(out))
  } finally {
    watching.kill()
  }
  // kubectl 1.20 takes what is not there for a mistake, so the object must not go before the wait began.
  const at = { namespace: 'default', name: 'c' }
  const hold = (finalizers: string[]) =>
    client.patch(resources.configmaps, at, { type: 'merge', patch: { metadata: { finalizers } } })
  await hold(['test/hold'])
  await client.delete(resources.configmaps, at)
  const waiting = kubectl.run(['wait', '--for=delete', 'configmap/c', '--timeout=20s'])
  await new Promise((resolve) => setTimeout(resolve, 2000))
  await hold([])
  t.is((await waiting).code, 0)
})
