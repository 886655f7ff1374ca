import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ClientStreams, StreamSession, WantedStreams } from '../service.ts'
import { firstSizeWithinMs, ResizeFeed } from './resize.ts'
import type { SpdyChannel } from './spdy-channel.ts'
import { acceptSpdy } from './spdy-connection.ts'
import { switchToSpdy } from './spdy-upgrade.ts'
import { runSession, statusJson, statusText } from './status.ts'

const versions = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io']
const openWithinMs = 30_000

/** exec and attach over SPDY/3.1 (sub-protocols v1 to v4): the client opens one stream per purpose. */
export async function serveSpdyCommand(
  upgrade: { request: IncomingMessage; socket: Duplex; head: Buffer },
  wanted: WantedStreams,
  session: StreamSession,
  onError: (error: Error) => void,
): Promise<void> {
  const version = switchToSpdy(upgrade, versions)
  if (version === undefined) return
  const gone = new AbortController()
  upgrade.socket.once('close', () => gone.abort())
  const channels = new Map<string, SpdyChannel>()
  const needed = neededChannels(wanted, version)
  let complete = () => {}
  const opened = new Promise<void>((resolve) => {
    complete = resolve
  })
  const connection = acceptSpdy(
    upgrade.socket,
    async (channel) => {
      await channel.accept()
      channels.set(channel.header('streamtype'), channel)
      if (needed.every((name) => channels.has(name))) complete()
    },
    onError,
  )
  if (!(await inTime(opened, gone.signal))) return void upgrade.socket.destroy()
  const sizes = new ResizeFeed()
  channels.get('resize')?.on('data', (chunk: Buffer) => sizes.feed(chunk))
  if (channels.has('resize')) await sizes.firstWithin(firstSizeWithinMs)
  const ending = await runSession(session, clientStreams(channels, wanted, sizes, gone.signal))
  await finish(
    channels,
    version === 'v4.channel.k8s.io' ? statusJson(ending) : statusText(ending),
    gone.signal,
  )
  connection.close()
}

function neededChannels({ stdin, stdout, stderr, tty }: WantedStreams, version: string): string[] {
  const resize = tty && (version.startsWith('v3') || version.startsWith('v4'))
  return [
    'error',
    ...(stdin ? ['stdin'] : []),
    ...(stdout ? ['stdout'] : []),
    ...(stderr && !tty ? ['stderr'] : []),
    ...(resize ? ['resize'] : []),
  ]
}

/** A timer of its own, cleared: AbortSignal.timeout would keep all that hangs on it for its whole time. */
function inTime(opened: Promise<void>, gone: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isOpen: boolean) => {
      clearTimeout(late)
      gone.removeEventListener('abort', left)
      resolve(isOpen)
    }
    const left = () => end(false)
    const late = setTimeout(left, openWithinMs)
    gone.addEventListener('abort', left)
    opened.then(() => end(true))
  })
}

function clientStreams(
  channels: ReadonlyMap<string, SpdyChannel>,
  wanted: WantedStreams,
  sizes: ResizeFeed,
  signal: AbortSignal,
): ClientStreams {
  const stdin = wanted.stdin ? channels.get('stdin') : undefined
  const stdout = channels.get('stdout')
  const stderr = channels.get('stderr')
  for (const output of [stdout, stderr, channels.get('error')]) output?.resume()
  return {
    ...(stdin ? { stdin } : {}),
    ...(stdout ? { stdout } : {}),
    ...(stderr ? { stderr } : {}),
    onResize: (listener) => sizes.onResize(listener),
    signal,
  }
}

/** Output first, then the status, then the end: a client takes the status for the last word. */
async function finish(
  channels: ReadonlyMap<string, SpdyChannel>,
  status: string,
  gone: AbortSignal,
): Promise<void> {
  await Promise.all([end(channels.get('stdout'), gone), end(channels.get('stderr'), gone)])
  const error = channels.get('error')
  if (status !== '') error?.write(status)
  await end(error, gone)
}

function end(channel: SpdyChannel | undefined, gone: AbortSignal): Promise<void> {
  if (!channel || channel.destroyed || gone.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    channel.once('close', () => resolve())
    gone.addEventListener('abort', () => resolve(), { once: true })
    channel.end(() => resolve())
  })
}
