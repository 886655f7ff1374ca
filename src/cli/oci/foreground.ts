import type { Readable, Writable } from 'node:stream'
import { makeRaw } from '../../kernel/index.ts'
import type { TerminalSize } from '../../oci/index.ts'
import { signalNumber } from '../../oci/signals.ts'

/**
 * What the foreground commands do while their process runs: signals sent to us go on to it, and with a terminal
 * ours is put into raw mode and copied to and fro.
 */

/** All that a program may get sent and that Node lets us catch; SIGCHLD, SIGPIPE and SIGURG concern only us. */
const forwarded = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGTERM',
  'SIGCONT',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGVTALRM',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGIO',
  'SIGPWR',
] as const

export function forwardSignals(send: (signal: number) => void): Disposable {
  const listeners = forwarded.map((name) => {
    const listener = () => send(signalNumber(name))
    process.on(name, listener)
    return () => process.off(name, listener)
  })
  return {
    [Symbol.dispose]() {
      for (const remove of listeners) remove()
    },
  }
}

export interface TerminalStreams {
  stdin?: Writable
  stdout?: Readable
  resize: (size: TerminalSize) => void
}

/** Resolves `drained` when the far side has closed; disposing restores our own terminal. */
export function copyTerminal(streams: TerminalStreams): Disposable & { drained: Promise<void> } {
  const { stdin, stdout } = process
  const resize = () => {
    if (stdout.isTTY) streams.resize({ columns: stdout.columns, rows: stdout.rows })
  }
  const restore = stdin.isTTY ? makeRaw(stdin.fd) : undefined
  resize()
  stdout.on('resize', resize)
  if (streams.stdin) stdin.pipe(streams.stdin)
  streams.stdout?.pipe(stdout, { end: false })
  const drained = new Promise<void>((done) => {
    if (streams.stdout) streams.stdout.once('close', done).once('end', done).once('error', done)
    else done()
  })
  return {
    drained,
    [Symbol.dispose]() {
      stdout.off('resize', resize)
      stdin.unpipe()
      stdin.pause()
      restore?.()
    },
  }
}
