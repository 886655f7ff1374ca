/**
 * Tells when the kernel is done with every network namespace that ended before: it ends them in the background, one batch
 * after the other. The marker is a namespace that holds one end of a veth pair; once it was ended as the last one, the
 * other end goes when its turn has come. (What the allocator counts is no measure: it frees a batch with the next one.)
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readlinkSync } from 'node:fs'
import type { Clock } from '../../src/base/index.ts'

const deadlineMs = 10_000
const pollMs = 2

export interface NamespaceMarker extends AsyncDisposable {
  /** Ends the marker's namespace; resolves when it and all that ended before are gone. */
  end(): Promise<void>
}

export async function startNamespaceMarker(clock: Clock): Promise<NamespaceMarker> {
  const holder = spawn('unshare', ['--net', 'sleep', '600'], { stdio: 'ignore' })
  const ended = once(holder, 'exit')
  const link = `kb${process.pid}`
  const end = async () => {
    holder.kill('SIGKILL')
    await ended
    await until(clock, () => !existsSync(`/sys/class/net/${link}`))
  }
  try {
    await until(clock, () => readlinkSync(`/proc/${holder.pid}/ns/net`) !== readlinkSync('/proc/self/ns/net'))
    execFileSync('ip', [
      'link',
      'add',
      link,
      'type',
      'veth',
      'peer',
      'name',
      'marker',
      'netns',
      `${holder.pid}`,
    ])
    return { end, [Symbol.asyncDispose]: end }
  } catch (error) {
    await end()
    throw error
  }
}

async function until(clock: Clock, done: () => boolean): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!done()) {
    if (performance.now() > endMs) throw new Error(`a network namespace is left after ${deadlineMs} ms`)
    await clock.sleep(pollMs)
  }
}
