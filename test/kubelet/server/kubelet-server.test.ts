import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../../src/base/index.ts'
import { ensurePki, type Pki } from '../../../src/control/pki/index.ts'
import { Scene } from '../../support/kubelet-scene.ts'
import { scratchDirectory } from '../../support/scratch-directory.ts'
import { selfSigned } from '../../support/self-signed.ts'

interface Identity {
  certificate: string
  key: string
}

interface Answer {
  status: number
  body: string
  headers: IncomingHttpHeaders
}

async function setUp(t: ExecutionContext) {
  const directory = join(await scratchDirectory(t), 'pki')
  const pki = await ensurePki({ directory, serviceCidr: '10.43.0.0/16', clock: systemClock })
  const serving = await pki.kubelet('n1', ['127.0.0.1'])
  const scene = await Scene.open(t, { serverTls: { ...serving, clientCa: pki.authority } })
  scene.cri.images.add('nginx:1.7.9')
  const ask = (path: string, identity?: Identity) => get(scene, pki, path, identity)
  return { scene, pki, ask, admin: pki.kubeletClient }
}

function options(scene: Scene, pki: Pki, path: string, identity?: Identity) {
  const tls = identity ? { cert: identity.certificate, key: identity.key } : {}
  return {
    host: '127.0.0.1',
    port: scene.kubelet?.port,
    path,
    ca: pki.authority,
    ...tls,
    agent: false as const,
  }
}

function get(scene: Scene, pki: Pki, path: string, identity?: Identity): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(options(scene, pki, path, identity), (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          body: Buffer.concat(chunks).toString(),
          headers: response.headers,
        }),
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}

const nginx = { name: 'nginx', image: 'nginx:1.7.9' }

async function writeLog(scene: Scene, uid: string, attempt: number, text: string): Promise<string> {
  const directory = join(scene.dataDirectory, 'logs/pods', `default_web_${uid}`, 'nginx')
  await mkdir(directory, { recursive: true })
  const path = join(directory, `${attempt}.log`)
  await writeFile(path, text)
  return path
}

const line = (text: string) => `2026-01-01T00:00:01.000000000Z stdout F ${text}\n`

test('who may call: nobody without a certificate of the cluster, and of those only masters', async (t) => {
  const { pki, ask, admin } = await setUp(t)
  t.is((await ask('/healthz')).status, 401)
  const foreign = await selfSigned()
  t.is((await ask('/healthz', { certificate: foreign.cert, key: foreign.key })).status, 401)
  const node = await ask('/pods', await pki.kubelet('n2', []))
  t.is(node.status, 403)
  t.regex(node.body, /system:node:n2/)
  t.like(await ask('/healthz', admin), { status: 200, body: 'ok' })
  t.is((await ask('/pods', pki.admin)).status, 200)
})

test('unknown paths and methods, and streams without an upgrade', async (t) => {
  const { ask, admin } = await setUp(t)
  t.is((await ask('/nothing', admin)).status, 404)
  t.is((await ask('/containerLogs/default', admin)).status, 404)
  t.is((await ask('/containerLogs/%zz', admin)).status, 400)
  t.like(await ask('/exec/default/web/nginx', admin), { status: 400, body: 'Upgrade request required' })
  t.is((await ask('/containerLogs/default/none/nginx', admin)).status, 404)
})

test('/pods lists what this node runs', async (t) => {
  const { scene, ask, admin } = await setUp(t)
  await scene.create('web', { containers: [nginx] })
  const { body, headers } = await ask('/pods', admin)
  t.is(headers['content-type'], 'application/json')
  t.like(JSON.parse(body), { kind: 'PodList', items: [{ metadata: { name: 'web' } }] })
})

test('/containerLogs: contents, options, the run before, and why there is none', async (t) => {
  const { scene, ask, admin } = await setUp(t)
  const pod = await scene.create('web', { containers: [nginx] })
  const uid = pod.metadata.uid ?? ''
  await writeLog(scene, uid, 0, line('first') + line('second'))
  const path = '/containerLogs/default/web/nginx'
  t.like(await ask(path, admin), { status: 200, body: 'first\nsecond\n' })
  t.is(
    (await ask(`${path}?tailLines=1&timestamps=true`, admin)).body,
    '2026-01-01T00:00:01.000000000Z second\n',
  )
  t.like(await ask(`${path}?tailLines=x`, admin), { status: 400 })
  t.regex((await ask(`${path}?previous=true`, admin)).body, /previous terminated container "nginx"/)
  t.regex((await ask('/containerLogs/default/web/other', admin)).body, /other is not valid for pod web/)
  scene.cri.exit(scene.cri.running('nginx').id, 1)
  await scene.rest()
  await writeLog(scene, uid, 1, line('again'))
  t.is((await ask(path, admin)).body, 'again\n')
  t.is((await ask(`${path}?previous=true`, admin)).body, 'first\nsecond\n')
  await scene.create('waiting', { containers: [{ name: 'x', image: 'absent:1' }] })
  const { status, body } = await ask('/containerLogs/default/waiting/x', admin)
  t.is(status, 400)
  t.regex(body, /waiting to start: (ErrImagePull|ImagePullBackOff)/)
})

test('/containerLogs follows until the container ends', async (t) => {
  const { scene, ask, admin } = await setUp(t)
  const pod = await scene.create('web', { restartPolicy: 'Never', containers: [nginx] })
  const path = await writeLog(scene, pod.metadata.uid ?? '', 0, line('first'))
  const following = ask('/containerLogs/default/web/nginx?follow=true', admin)
  await new Promise((resolve) => setTimeout(resolve, 50))
  await appendFile(path, line('second'))
  scene.cri.exit(scene.cri.running('nginx').id, 0)
  t.is((await following).body, 'first\nsecond\n')
})

/** A streaming server as a runtime has one: takes any upgrade, says what was asked, echoes the rest. */
async function streamingServer(t: ExecutionContext): Promise<string> {
  const server = createServer()
  server.on('upgrade', (asked, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${asked.headers.upgrade}\r\n\r\n`,
    )
    socket.write(`${asked.url} `)
    socket.pipe(socket)
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function upgrade(
  scene: Scene,
  pki: Pki,
  path: string,
  identity?: Identity,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1' }
    const asked = request({ ...options(scene, pki, path, identity), method: 'POST', headers })
    asked.on('error', reject)
    asked.on('response', (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    asked.on('upgrade', (response, socket, head) => {
      let text = head.toString()
      socket.on('data', (chunk) => {
        text += chunk
        if (text.endsWith('hello')) socket.end()
      })
      socket.on('close', () => resolve({ status: response.statusCode ?? 0, text }))
      socket.on('error', reject)
      socket.write('hello')
    })
    asked.end()
  })
}

test('exec, attach and port-forward ask the runtime and pass the bytes both ways', async (t) => {
  const { scene, pki, admin } = await setUp(t)
  const base = await streamingServer(t)
  const asked: unknown[] = []
  const answer = (path: string) => async (one: unknown) => {
    asked.push(one)
    return { url: `${base}/${path}/token` }
  }
  Object.assign(scene.cri.runtime, {
    exec: answer('exec'),
    attach: answer('attach'),
    portForward: answer('portforward'),
  })
  const pod = await scene.create('web', { containers: [nginx] })
  const { id, sandboxId } = scene.cri.running('nginx')
  const exec = await upgrade(
    scene,
    pki,
    '/exec/default/web/nginx?command=ls&command=-l&input=1&output=1&error=1',
    admin,
  )
  t.deepEqual(exec, { status: 101, text: '/exec/token hello' })
  const attach = await upgrade(
    scene,
    pki,
    `/attach/default/web/${pod.metadata.uid}/nginx?stdout=true&stderr=true&tty=true`,
    admin,
  )
  t.is(attach.text, '/attach/token hello')
  t.is(
    (await upgrade(scene, pki, '/portForward/default/web?port=80', admin)).text,
    '/portforward/token hello',
  )
  t.deepEqual(asked, [
    { containerId: id, cmd: ['ls', '-l'], tty: false, stdin: true, stdout: true, stderr: true },
    { containerId: id, tty: true, stdin: false, stdout: true, stderr: false },
    { podSandboxId: sandboxId, port: [80] },
  ])
})

test('a stream that cannot be is refused before anything is asked of the runtime', async (t) => {
  const { scene, pki, admin } = await setUp(t)
  await scene.create('web', { containers: [nginx] })
  t.is((await upgrade(scene, pki, '/exec/default/web/nginx?command=ls')).status, 401)
  t.is((await upgrade(scene, pki, '/exec/default/none/nginx?command=ls', admin)).status, 404)
  t.is((await upgrade(scene, pki, '/exec/default/web/other-uid/nginx?command=ls', admin)).status, 404)
  t.is((await upgrade(scene, pki, '/exec/default/web/none?command=ls', admin)).status, 404)
  t.is((await upgrade(scene, pki, '/exec/default/web/nginx?command=ls', admin)).status, 501)
})

test('a port that is taken is said', async (t) => {
  const { scene } = await setUp(t)
  const second = Scene.open(t, { port: scene.kubelet?.port ?? 0 })
  await t.throwsAsync(second, { code: 'ALREADY_EXISTS' })
})
