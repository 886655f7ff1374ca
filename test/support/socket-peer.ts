/** Unix sockets that Node has no API for: datagrams, and descriptors that come with a message. See socket-peer.c. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface SocketPeer extends AsyncDisposable {
  path: string
  /** The next line that it prints. */
  next(): Promise<string>
}

/** Compiles the peer into a folder, as `socket-peer`; what it returns starts one that listens on `path`. */
export function socketPeers(folder: string) {
  const program = join(folder, 'socket-peer')
  // Static: a container's file system holds no libraries.
  execFileSync('cc', [
    '-O1',
    '-static',
    '-o',
    program,
    fileURLToPath(new URL('socket-peer.c', import.meta.url)),
  ])
  return async (kind: 'descriptor' | 'datagrams', path: string): Promise<SocketPeer> => {
    const child = spawn(program, [kind, path], { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const next = async () => {
      const { value, done } = await lines.next()
      if (done) throw new Error('the socket peer ended')
      return value
    }
    await next() // ready
    return {
      path,
      next,
      async [Symbol.asyncDispose]() {
        if (child.exitCode !== null) return
        const ended = once(child, 'exit')
        child.kill('SIGKILL')
        await ended
      },
    }
  }
}
