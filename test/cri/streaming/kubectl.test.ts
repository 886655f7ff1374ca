/**
 * Real kubectl against the streaming server, through `proxyUpgrade` as the API server and the kubelet use it. The API
 * is a stub that knows one pod; its "container" is a process of this machine.
 */
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import type { ClientStreams, WantedStreams } from '../../../cri/service.ts'
import { proxyUpgrade, type StreamingServer, serveStreaming } from '../../../cri/streaming/index.ts'
import { findKubectls } from '../../support/kubectl.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const kubectls = findKubectls()
if (kubectls.size === 0) test.skip('kubectl exec and port-forward (no kubectl here)', () => undefined)

/** Runs the command on this machine. */
async function runHere(
  command: string[],
  { stdin, stdout, stderr }: ClientStreams,
): Promise<{ exitCode: number }> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { stdio: 'pipe' })
  child.stdin.on('error', () => undefined)
  if (stdin) stdin.pipe(child.stdin)
  else child.stdin.end()
  if (stdout) child.stdout.pipe(stdout, { end: false })
  if (stderr) child.stderr.pipe(stderr, { end: false })
  const [exitCode] = await once(child, 'close')
  return { exitCode: Number(exitCode) }
}

function wantedOf(query: URLSearchParams): WantedStreams {
  const is = (name: string) => query.get(name) === 'true'
  return { stdin: is('stdin'), stdout: is('stdout'), stderr: is('stderr'), tty: is('tty') }
}

async function startApi(t: ExecutionContext): Promise<string> {
  const streaming = await serveStreaming()
  const server = createServer(({ url = '' }, response) => {
    const body = answers[new URL(url, 'http://x').pathname]
    response.writeHead(body ? 200 : 404, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body ?? { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404 }))
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const target = new URL(targetOf(streaming, new URL(request.url ?? '', 'http://x')))
    void proxyUpgrade({ request, socket, head, target })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await streaming[Symbol.asyncDispose]()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function targetOf(streaming: StreamingServer, { pathname, searchParams }: URL): string {
  if (pathname.endsWith('/exec')) {
    const command = searchParams.getAll('command')
    return streaming.exec(wantedOf(searchParams), (streams) => runHere(command, streams))
  }
  return streaming.portForward([], async (port) => connect({ port, host: '127.0.0.1', allowHalfOpen: true }))
}

const podResource = { name: 'pods', singularName: 'pod', namespaced: true, kind: 'Pod', verbs: ['get'] }
const answers: Record<string, unknown> = {
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
  '/api/v1': { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: 'v1', resources: [podResource] },
  '/api/v1/namespaces/default/pods/web': {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'web', namespace: 'default' },
    spec: { containers: [{ name: 'main', image: 'x' }] },
    status: { phase: 'Running' },
  },
}

for (const [name, program] of kubectls) {
  test.serial(`${name} exec: stdin, stdout, stderr, exit code, 4 MiB each way`, async (t) => {
    await using home = await temporaryDirectory()
    const api = await startApi(t)
    const kubectl = (args: string[], input?: Buffer) => run(program, api, home.path, args, input)
    const plain = await kubectl(['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3'])
    t.is(plain.stdout.toString(), 'out\n')
    t.regex(plain.stderr, /^err\n/)
    t.is(plain.code, 3)
    const fine = await kubectl(['exec', '-i', 'web', '--', 'wc', '-c'], Buffer.from('12345'))
    t.deepEqual([fine.stdout.toString().trim(), fine.code], ['5', 0], fine.stderr)
    const bytes = randomBytes(4 << 20)
    const echoed = await kubectl(['exec', '-i', 'web', '--', 'cat'], bytes)
    const hash = (data: Buffer) => createHash('sha256').update(data).digest('hex')
    t.is(hash(echoed.stdout), hash(bytes), echoed.stderr)
  })

  test.serial(`${name} port-forward`, async (t) => {
    await using home = await temporaryDirectory()
    const api = await startApi(t)
    const far = createTcpServer((socket) => socket.end('from afar')).listen(0, '127.0.0.1')
    await once(far, 'listening')
    t.teardown(() => far.close())
    const { port } = far.address() as AddressInfo
    const child = start(program, api, home.path, ['port-forward', 'pod/web', `:${port}`])
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const local = Number(/127\.0\.0\.1:(\d+)/.exec(line.toString())?.[1])
    for (let i = 0; i < 3; i++) t.is(await text(connect(local, '127.0.0.1')), 'from afar')
    child.kill()
    await once(child, 'close')
  })
}

function start(program: string, server: string, home: string, args: string[]) {
  const env = { PATH: process.env['PATH'], HOME: home, KUBECTL_KUBERC: 'false' }
  return spawn(program, ['--server', server, ...args], { env, stdio: 'pipe' })
}

async function run(program: string, server: string, home: string, args: string[], input?: Buffer) {
  const child = start(program, server, home, args)
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const stdout: Buffer[] = []
  let stderr = ''
  child.stdout.on('data', (chunk) => stdout.push(chunk))
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const [code] = await once(child, 'close')
  return { stdout: Buffer.concat(stdout), stderr, code: Number(code) }
}
