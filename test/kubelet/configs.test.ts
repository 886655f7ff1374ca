import test from 'ava'
import * as cri from '../../cri/types.ts'
import type { Container, Pod, PodSpec } from '../../src/api/index.ts'
import { containerConfig, containerHash } from '../../src/kubelet/container-config.ts'
import { sandboxConfig } from '../../src/kubelet/sandbox-config.ts'

const { POD, CONTAINER, NODE } = cri.NamespaceMode
const { RuntimeDefault, Localhost } = cri.SecurityProfile_ProfileType

function pod(spec: Partial<PodSpec> = {}): Pod {
  return {
    metadata: { name: 'web', namespace: 'shop', uid: 'u1', labels: { app: 'web' } },
    spec: { containers: [{ name: 'c' }], ...spec },
  }
}

function sandbox(spec: Partial<PodSpec> = {}, attempt = 0) {
  return sandboxConfig(pod(spec), attempt, {
    logsDirectory: '/data/logs/pods',
    seccompDirectory: '/data/seccomp',
    cgroupParent: '/kubepods',
    dns: { servers: ['10.43.0.10'], searches: [], options: [] },
    nodeName: 'n1',
  })
}

function config(
  container: Partial<Container>,
  spec: Partial<PodSpec> = {},
  environment = new Map<string, string>(),
) {
  const full = { name: 'c', image: 'nginx:1.7.9', ...container }
  return containerConfig(pod({ ...spec, containers: [full] }), full, 2, {
    imageRef: 'sha256:abc',
    environment,
    mounts: [],
    memoryCapacityBytes: 2 ** 33,
    seccompDirectory: '/data/seccomp',
  })
}

test('sandbox: identity, labels that crictl and log agents look for, log folder, hostname', (t) => {
  const made = sandbox({}, 3)
  t.deepEqual(made.metadata, { name: 'web', namespace: 'shop', uid: 'u1', attempt: 3 })
  t.deepEqual(made.labels, {
    app: 'web',
    'io.kubernetes.pod.name': 'web',
    'io.kubernetes.pod.namespace': 'shop',
    'io.kubernetes.pod.uid': 'u1',
  })
  t.is(made.logDirectory, '/data/logs/pods/shop_web_u1')
  t.is(made.hostname, 'web')
  t.is(made.linux?.cgroupParent, '/kubepods/besteffort/podu1')
  t.deepEqual(made.dnsConfig?.servers, ['10.43.0.10'])
})

test("a user's label cannot stand for the pod's identity", (t) => {
  const evil = pod()
  evil.metadata.labels = { 'io.kubernetes.pod.uid': 'other' }
  const made = sandboxConfig(evil, 0, {
    logsDirectory: '/l',
    seccompDirectory: '/s',
    cgroupParent: '',
    dns: { servers: [], searches: [], options: [] },
    nodeName: 'n1',
  })
  t.is(made.labels['io.kubernetes.pod.uid'], 'u1')
})

test('sandbox: a long name is cut to a legal host name', (t) => {
  const long = pod()
  long.metadata.name = `${'a'.repeat(62)}-${'b'.repeat(20)}`
  const options = { logsDirectory: '/l', seccompDirectory: '/s', cgroupParent: '', nodeName: 'n1' }
  const made = sandboxConfig(long, 0, { ...options, dns: { servers: [], searches: [], options: [] } })
  t.is(made.hostname, 'a'.repeat(62))
})

test('sandbox: namespaces of the host, a shared pid namespace, host ports', (t) => {
  const modes = (spec: Partial<PodSpec>) => sandbox(spec).linux?.securityContext?.namespaceOptions
  t.like(modes({}), { network: POD, ipc: POD, pid: CONTAINER })
  t.like(modes({ hostNetwork: true, hostIPC: true, hostPID: true }), { network: NODE, ipc: NODE, pid: NODE })
  t.like(modes({ shareProcessNamespace: true }), { pid: POD })
  t.throws(() => modes({ hostUsers: false }), { message: /not supported yet/ })
  const ports = [
    { containerPort: 80 },
    { containerPort: 53, hostPort: 5353, protocol: 'UDP' as const, hostIP: '192.0.2.1' },
  ]
  t.deepEqual(sandbox({ containers: [{ name: 'c', ports }] }).portMappings, [
    { containerPort: 53, hostPort: 5353, hostIp: '192.0.2.1', protocol: cri.Protocol.UDP },
  ])
  t.deepEqual(sandbox({ hostNetwork: true, containers: [{ name: 'c', ports }] }).portMappings, [])
  t.is(sandbox({ hostNetwork: true }).hostname, '')
})

test('container: command and args expand from its environment, the rest is taken over', (t) => {
  const made = config(
    {
      command: ['$(BIN)', '$$(BIN)'],
      args: ['$(NONE)'],
      workingDir: '/w',
      stdin: true,
      stdinOnce: true,
      tty: true,
    },
    {},
    new Map([['BIN', '/bin/x']]),
  )
  t.deepEqual(made.command, ['/bin/x', '$(BIN)'])
  t.deepEqual(made.args, ['$(NONE)'])
  t.like(made, { workingDir: '/w', stdin: true, stdinOnce: true, tty: true, logPath: 'c/2.log' })
  t.deepEqual(made.metadata, { name: 'c', attempt: 2 })
  t.like(made.image, { image: 'sha256:abc', userSpecifiedImage: 'nginx:1.7.9' })
  t.deepEqual(
    made.envs.map(({ key, value }) => `${key}=${value}`),
    ['BIN=/bin/x'],
  )
  t.like(made.annotations, {
    'io.kubernetes.container.restartCount': '2',
    'io.kubernetes.container.terminationMessagePath': '/dev/termination-log',
    'io.kubernetes.pod.terminationGracePeriod': '30',
  })
  t.is(made.annotations['io.kubernetes.container.hash'], containerHash({ name: 'c', image: 'nginx:1.7.9' }))
  t.is(made.labels['io.kubernetes.container.name'], 'c')
})

test('the hash follows the image and nothing else', (t) => {
  const base = { name: 'c', image: 'a:1' }
  t.is(containerHash({ ...base, env: [{ name: 'X', value: '1' }] }), containerHash(base))
  t.not(containerHash({ ...base, image: 'a:2' }), containerHash(base))
})

test("security: the container's word wins over the pod's", (t) => {
  const made = config(
    { securityContext: { runAsUser: 7, capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } } },
    { securityContext: { runAsUser: 5, runAsGroup: 6, fsGroup: 9, supplementalGroups: [10] } },
  ).linux?.securityContext
  t.is(made?.runAsUser?.value, 7n)
  t.is(made?.runAsGroup?.value, 6n)
  t.deepEqual(made?.supplementalGroups, [9n, 10n])
  t.deepEqual(made?.capabilities, {
    addCapabilities: ['NET_ADMIN'],
    dropCapabilities: ['ALL'],
    addAmbientCapabilities: [],
  })
})

test('security: masked paths, no_new_privs, read-only root, seccomp', (t) => {
  const security = (own: Container['securityContext'], shared: PodSpec['securityContext'] = {}) =>
    config({ ...(own ? { securityContext: own } : {}) }, { securityContext: shared }).linux?.securityContext
  t.true(security({})?.maskedPaths.includes('/proc/kcore'))
  t.true(security({})?.readonlyPaths.includes('/proc/sys'))
  t.deepEqual(security({ privileged: true })?.maskedPaths, [])
  t.like(security({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true }), {
    noNewPrivs: true,
    readonlyRootfs: true,
  })
  t.false(security({})?.noNewPrivs)
  t.is(security({})?.seccomp, undefined)
  t.is(security({}, { seccompProfile: { type: 'RuntimeDefault' } })?.seccomp?.profileType, RuntimeDefault)
  const local = security({ seccompProfile: { type: 'Localhost', localhostProfile: 'a/b.json' } })?.seccomp
  t.deepEqual(local, { profileType: Localhost, localhostRef: '/data/seccomp/a/b.json' })
  t.is(security({ privileged: true }, { seccompProfile: { type: 'RuntimeDefault' } })?.seccomp, undefined)
})

test('security: runAsNonRoot refuses a configuration that says root', (t) => {
  const refused = () => config({ securityContext: { runAsNonRoot: true, runAsUser: 0 } })
  t.throws(refused, { message: /breaks non-root policy/ })
  t.notThrows(() => config({ securityContext: { runAsNonRoot: true, runAsUser: 1 } }))
})

test('the stop signal of the pod, or the image’s', (t) => {
  t.is(config({ lifecycle: { stopSignal: 'SIGUSR1' } }).stopSignal, cri.Signal.SIGNAL_SIGUSR1)
  t.is(config({}).stopSignal, cri.Signal.SIGNAL_RUNTIME_DEFAULT)
})
