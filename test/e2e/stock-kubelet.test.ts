/** A stock kubelet, as docs/guides/kubelet.md has it, on `keelson cri`: it runs a pod and keeps it. */
import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parse } from 'yaml'
import { ContainerState, ListContainersRequest, ListPodSandboxRequest } from '../../cri/types.ts'
import { findKubelet } from '../../scripts/kubelet.mjs'
import { busyboxName } from '../support/busybox-image.ts'
import { type CriEndpoint, call, endpointTest } from '../support/cri-endpoint.ts'
import { eventually } from '../support/eventually.ts'
import { guideSnippet } from '../support/guide.ts'
import { StandaloneKubelet } from '../support/kubelet-host.ts'

const kubelet = findKubelet()
const title = 'a stock kubelet runs a pod, probes it, restarts it, and takes it away'

if (kubelet) endpointTest(title, (t, endpoint) => runsPod(t, endpoint, kubelet))
else test.skip(`${title} (needs a kubelet: make test-full builds it where Go is)`, () => {})

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: busyboxName,
        imagePullPolicy: 'IfNotPresent',
        command: [
          'sh',
          '-c',
          'echo started; touch /ready; n=0; while [ ! -e /end ]; do sleep 0.1; done; exit 3',
        ],
        readinessProbe: { exec: { command: ['cat', '/ready'] }, periodSeconds: 1 },
        resources: { limits: { memory: '32Mi', cpu: '500m' } },
      },
    ],
  },
}

async function runsPod(t: ExecutionContext, endpoint: CriEndpoint, program: string): Promise<void> {
  const settings = parse(
    guideSnippet('kubelet', 'The kubelet', { '/run/keelson/cri.sock': endpoint.socketPath }),
  )
  await using node = await StandaloneKubelet.start(program, endpoint, settings)
  try {
    await node.apply('web', pod)
    const first = await eventually('the container runs', () => running(endpoint, node), 90_000)
    const status = await endpoint.status(first)
    t.is(status.labels['io.kubernetes.pod.name'], 'web-node-1')
    await eventually('its probe passes', async () => isReady(await node.get('/pods')), 30_000)
    const { stdout } = await endpoint.runtime.execSync(
      { containerId: first, cmd: ['touch', '/end'], timeout: 10n },
      call,
    )
    t.is(stdout.length, 0)
    const second = await eventually(
      'it is started again',
      async () => {
        const id = await running(endpoint, node)
        return id !== undefined && id !== first && id
      },
      60_000,
    )
    t.is((await endpoint.status(second)).metadata?.attempt, 1)
    t.regex(
      await readFile(status.logPath, 'utf8').catch(() => 'rotated away'),
      /stdout F started|rotated away/,
    )
    await rm(join(endpoint.directory, 'kubelet/manifests/web.yaml'))
    await eventually(
      'it is taken away',
      async () => {
        const { items } = await endpoint.runtime.listPodSandbox(ListPodSandboxRequest.create(), call)
        return items.every(({ state }) => state !== 0)
      },
      90_000,
    )
  } catch (error) {
    t.log((await readFile(node.logPath, 'utf8')).split('\n').slice(-40).join('\n'))
    throw error
  }
  t.true(existsSync(endpoint.socketPath))
}

function isReady(pods: string): boolean {
  try {
    const [one] = JSON.parse(pods).items
    return one.status.conditions.some(
      ({ type, status }: { type: string; status: string }) => type === 'Ready' && status === 'True',
    )
  } catch {
    return false
  }
}

async function running({ runtime }: CriEndpoint, node: StandaloneKubelet): Promise<string | undefined> {
  if (node.hasEnded) throw new Error('the kubelet ended')
  const { containers } = await runtime.listContainers(ListContainersRequest.create(), call)
  return containers.find(({ state }) => state === ContainerState.CONTAINER_RUNNING)?.id
}
