import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import type { OwnedFd } from '../../src/kernel/index.ts'

/** Real traffic between network namespaces, by small Node programs started inside them. */
export interface Endpoint {
  protocol?: 'tcp' | 'udp'
  host: string
  port: number
}

const run = promisify(execFile)

const serverProgram = `
  const [protocol, host, port, name] = process.argv.slice(1)
  const answer = (remote) => name + ' saw ' + remote.replace('::ffff:', '')
  if (protocol === 'tcp')
    require('node:net').createServer((s) => { s.on('error', () => {}); s.end(answer(s.remoteAddress)) })
      .listen(Number(port), host, () => console.log('ready'))
  else {
    const socket = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4')
    socket.on('message', (m, from) => socket.send(answer(from.address), from.port, from.address))
    socket.bind(Number(port), host, () => console.log('ready'))
  }`

const clientProgram = `
  const [protocol, host, port, count, local, timeoutMs] = process.argv.slice(1)
  const tcp = () => new Promise((resolve) => {
    let text = ''
    const socket = require('node:net').connect({ host, port: Number(port), ...(local ? { localAddress: local } : {}) })
    const stop = setTimeout(() => { socket.destroy(); resolve('ETIMEDOUT') }, Number(timeoutMs))
    socket.on('data', (data) => { text += data })
    socket.on('error', (error) => { clearTimeout(stop); resolve(error.code) })
    socket.on('end', () => { clearTimeout(stop); resolve(text) })
  })
  const udp = () => new Promise((resolve) => {
    const socket = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4')
    const end = (text) => { clearTimeout(stop); socket.close(); resolve(text) }
    const stop = setTimeout(() => end('ETIMEDOUT'), Number(timeoutMs))
    socket.on('message', (message) => end(message.toString()))
    socket.on('error', (error) => end(error.code))
    if (local) socket.bind(Number(local))
    socket.connect(Number(port), host, () => socket.send('?', (error) => { if (error) end(error.code) }))
  })
  ;(async () => {
    for (let i = 0; i < Number(count); i++) console.log(await (protocol === 'tcp' ? tcp() : udp()))
    process.exit(0)
  })()`

/** Listens inside a namespace and answers `<name> saw <address of the client>`; ends with the scope. */
export async function serve(
  net: OwnedFd,
  name: string,
  { protocol = 'tcp', host, port }: Endpoint,
): Promise<AsyncDisposable> {
  const child = spawn(
    'nsenter',
    [...enter(net), process.execPath, '-e', serverProgram, protocol, host, `${port}`, name],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(failed)])
  return {
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

/**
 * Of UDP, `localPort` keeps one port for all questions; of TCP, `localAddress` is the address to come from.
 * Asks `count` times over new connections; each answer is the server's text or the name of what went wrong.
 */
export async function ask(
  net: OwnedFd,
  { protocol = 'tcp', host, port }: Endpoint,
  { count = 1, localAddress = '', localPort = 0, timeoutMs = 8000 } = {},
): Promise<string[]> {
  const args = [
    process.execPath,
    '-e',
    clientProgram,
    protocol,
    host,
    `${port}`,
    `${count}`,
    localAddress || `${localPort || ''}`,
    `${timeoutMs}`,
  ]
  const { stdout } = await run('nsenter', [...enter(net), ...args])
  return stdout.trim().split('\n')
}

/** A descriptor of -1 stands for the namespace of the process. */
function enter({ fd }: Pick<OwnedFd, 'fd'>): string[] {
  if (fd < 0) return ['--']
  return [`--net=/proc/${process.pid}/fd/${fd}`, '--']
}

function failed(): never {
  throw new Error('the server ended before it listened')
}
