import { type Clock, KeelsonError } from '../../base/index.ts'
import { signalNumber } from '../../oci/signals.ts'

/** What people and managers end a command with. */
const ending = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const

/** How long what is being made may still take to be there and get the signal itself. */
const patienceMs = 2000

/**
 * Signals while something is being made. The program may run before we hear of it, and then the signal was meant for it:
 * `stop` hands out what came. Only when it takes longer (a hook that hangs), or at a second signal, what was begun is
 * taken back.
 */
export interface Interrupts extends Disposable {
  readonly signal: AbortSignal
  /** The same for a step that knows no signal. */
  orStop<Value>(step: Promise<Value>): Promise<Value>
  /** Numbers of the signals that came. */
  stop(): number[]
}

export function interrupts(clock: Clock): Interrupts {
  const controller = new AbortController()
  const { signal } = controller
  const came: NodeJS.Signals[] = []
  let cancel = () => {}
  const abort = (name: NodeJS.Signals) => {
    stop() // whoever does not want to wait for what is taken back sends another
    controller.abort(new KeelsonError('CANCELLED', `${name} ended it before the program ran`))
  }
  const note = (name: NodeJS.Signals) => {
    came.push(name)
    if (came.length > 1) abort(name)
    else cancel = clock.after(patienceMs, () => abort(name))
  }
  const stop = () => {
    cancel()
    for (const name of ending) process.off(name, note)
    return came.map(signalNumber)
  }
  for (const name of ending) process.on(name, note)
  return {
    signal,
    stop,
    orStop(step) {
      const stopped = new Promise<never>((_, reject) => {
        if (signal.aborted) reject(signal.reason)
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      })
      stopped.catch(() => undefined)
      step.catch(() => undefined) // what comes of it when it was left
      return Promise.race([step, stopped])
    },
    [Symbol.dispose]: () => void stop(),
  }
}
