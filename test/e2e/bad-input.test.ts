/** What a person types wrong at a running cluster: each is told in one clear line, and changes nothing else. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { ExecutionContext } from 'ava'
import { resources } from '../../src/api/index.ts'
import { systemClock } from '../../src/base/index.ts'
import { ensurePki } from '../../src/control/pki/index.ts'
import { file, tar } from '../support/archive.ts'
import { eventually } from '../support/eventually.ts'
import { allReady, type IsolatedCluster, manifestPath, type PodSeen } from '../support/isolated-cluster.ts'
import { sharedCluster } from '../support/shared-cluster.ts'

const clusterTest = sharedCluster('badinput')

clusterTest('manifests: malformed, unknown field, unknown kind, twice', async (t, cluster) => {
  await cluster.ask('create', '-f', manifestPath)
  const [before] = await cluster.podsUntil('two ready pods', allReady(2))
  const manifest = (await readFile(manifestPath, 'utf8')).replace('nginx-deployment', 'other')
  for (const [what, input, message] of [
    [
      'malformed',
      `${manifest}\n  - : :`,
      /^error: error parsing STDIN: error converting YAML to JSON: yaml: line \d+/,
    ],
    [
      'field',
      manifest.replace('replicas:', 'replicaz:'),
      // The server refuses it for kubectl from 1.27 on; an older one looks at the schema itself.
      /strict decoding error: unknown field "spec\.replicaz"|unknown field "replicaz" in io\.k8s\.api\.apps/,
    ],
    [
      'kind',
      manifest.replace('Deployment', 'Deploymint'),
      /no matches for kind "Deploymint" in version "apps\/v1"/,
    ],
    [
      'value',
      manifest.replace('replicas: 2', 'replicas: -1'),
      /The Deployment "other" is invalid: spec.replicas: Invalid value: -1/,
    ],
    [
      'twice',
      await readFile(manifestPath, 'utf8'),
      /\(AlreadyExists\).*deployments.apps "nginx-deployment" already exists/,
    ],
  ] as const) {
    const { code, stdout, stderr } = await cluster.kubectl(['create', '-f', '-'], { input })
    t.deepEqual([code, stdout], [1, ''], what)
    t.regex(stderr, message)
  }
  t.is((await cluster.ask('get', 'deployments', '-o', 'name')).trim(), 'deployment.apps/nginx-deployment')
  t.is((await cluster.pods('app=nginx'))[0]?.metadata.uid, before?.metadata.uid)
})

clusterTest('raw requests get a proper Status', async (t, cluster) => {
  await using connection = await cluster.client()
  const { client } = connection
  const metadata = { name: 'raw', namespace: 'default' }
  const unknown = { metadata, data: { a: 'b' }, colour: 'green' }
  await t.throwsAsync(
    client.create(resources.configmaps, unknown, { query: { fieldValidation: 'Strict' } }),
    {
      code: 'INVALID_ARGUMENT',
      message: /strict decoding error: unknown field "colour"/,
    },
  )
  await t.throwsAsync(client.read('/apis/apps/v1/namespaces/default/deploymints'), { code: 'NOT_FOUND' })
  await client.create(resources.configmaps, { metadata })
  await t.throwsAsync(client.create(resources.configmaps, { metadata }), {
    code: 'ALREADY_EXISTS',
    message: 'configmaps "raw" already exists',
  })
})

clusterTest('a certificate of another authority: 401', async (t, cluster) => {
  const foreign = await ensurePki({
    directory: join(cluster.directory, 'foreign'),
    serviceCidr: '10.43.0.0/16',
    clock: systemClock,
  })
  const other = join(cluster.directory, 'foreign.kubeconfig')
  const config = JSON.parse(await cluster.ask('config', 'view', '--raw', '-o', 'json'))
  const user = config.users[0].user
  user['client-certificate-data'] = Buffer.from(foreign.admin.certificate).toString('base64')
  user['client-key-data'] = Buffer.from(foreign.admin.key).toString('base64')
  await writeFile(other, JSON.stringify(config))
  const { code, stderr } = await cluster.kubectl(['--kubeconfig', other, 'get', 'pods'])
  t.is(code, 1)
  t.regex(stderr, /error: You must be logged in to the server/)
  const raw = await cluster.kubectl(['--kubeconfig', other, 'get', '--raw', '/api/v1/pods'])
  t.regex(raw.stderr, /You must be logged in to the server|Unauthorized/)
})

clusterTest('images: absent, of a registry that is down, of a wrong name', async (t, cluster) => {
  const healthy = await cluster.pods('app=nginx')
  await failsToPull(
    t,
    cluster,
    'absent',
    'nginx:9.9.9',
    /docker.io\/library\/nginx:9\.9\.9.*(not found|does not)/s,
  )
  await failsToPull(t, cluster, 'down', '127.0.0.1:1/web:1', /127\.0\.0\.1:1/, 'RegistryUnavailable')
  const misnamed = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'misnamed', labels: { run: 'misnamed' } },
    spec: { containers: [{ name: 'misnamed', image: 'UPPER//case' }] },
  }
  await cluster.kubectl(['create', '-f', '-'], { input: JSON.stringify(misnamed) })
  await cluster.podsUntil('the wrong name', waiting('InvalidImageName'), { selector: 'run=misnamed' })
  const told = await cluster.ask('get', 'events', '--field-selector', 'involvedObject.name=misnamed')
  t.regex(told, /InspectFailed.*"UPPER\/\/case" is not an image name/)
  t.deepEqual((await cluster.pods('app=nginx')).map(lives), healthy.map(lives), 'the rest is unharmed')
})

clusterTest(
  'a corrupt layer is refused, told by its digests, and nothing of it is kept',
  async (t, cluster) => {
    const { registry } = cluster
    const layer = await tar(file('data', Buffer.alloc(50_000, 7)))
    const { layerDigests } = await registry.pushImage('library/broken', '1', {
      layers: [layer],
      compress: gzipSync,
    })
    const path = registry.blobPath(layerDigests[0] ?? '')
    const bytes = await readFile(path)
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 20) ^ 0xff, bytes.length - 20)
    await writeFile(path, bytes)
    await failsToPull(t, cluster, 'corrupt', 'broken:1', new RegExp(layerDigests[0] ?? 'none'))
    t.notRegex(await cluster.ask('get', 'node', 'node-1', '-o', 'jsonpath={.status.images}'), /broken/)
  },
)

clusterTest('a program that is not in the image: the pod says so, and is tried again', async (t, cluster) => {
  await cluster.ask('run', 'program', '--image=nginx:1.7.9', '--command', '--', 'nonsense')
  const [pod] = await cluster.podsUntil('the failure', waiting('CrashLoopBackOff'), {
    selector: 'run=program',
  })
  const last = pod?.status.containerStatuses?.[0]?.lastState?.terminated
  t.like(last, { exitCode: 128, reason: 'StartError' })
  t.regex(last?.message ?? '', /nonsense.*not found/)
})

clusterTest('everything wrong can be deleted again', async (t, cluster) => {
  await cluster.ask('delete', 'pod', '--all', '--grace-period=1')
  await cluster.ask('delete', 'deployment', 'nginx-deployment')
  await cluster.podsUntil('no pods', (pods) => pods.length === 0, { selector: '' })
  t.pass()
})

/** The reason, then ImagePullBackOff; the event says what was wrong. */
async function failsToPull(
  t: ExecutionContext,
  cluster: IsolatedCluster,
  name: string,
  image: string,
  message: RegExp,
  reason = 'ErrImagePull',
): Promise<void> {
  await cluster.ask('run', name, `--image=${image}`)
  await cluster.podsUntil('the back-off', waiting('ImagePullBackOff'), { selector: `run=${name}` })
  const events = await eventually('the events', async () => {
    const found = await cluster.ask(
      'get',
      'events',
      '--field-selector',
      `involvedObject.name=${name}`,
      '-o',
      'json',
    )
    const { items } = JSON.parse(found) as { items: { reason: string; message: string; type: string }[] }
    return items.some((event) => event.reason === 'BackOff') && items
  })
  const failed = events.filter(({ reason }) => reason === 'Failed').map((event) => event.message)
  t.true(failed.includes(`Error: ${reason}`), name)
  t.true(failed.includes('Error: ImagePullBackOff'), name)
  t.regex(failed.find((text) => text.startsWith(`Failed to pull image "${image}"`)) ?? 'no event', message)
  t.log(failed.find((text) => text.startsWith('Failed to pull')))
}

const waiting = (reason: string) => (pods: PodSeen[]) =>
  pods.some((pod) => pod.status.containerStatuses?.[0]?.state?.waiting?.reason === reason)

function lives({ metadata, status }: PodSeen): unknown {
  return [
    metadata.uid,
    status.containerStatuses?.[0]?.containerID,
    status.containerStatuses?.[0]?.restartCount,
  ]
}
