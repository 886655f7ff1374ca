/** Time, handed in so that tests may hold it. Wall time for records, monotonic time for durations. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number
  /** Milliseconds since some fixed point; never goes back. */
  monotonicMs(): number
  /** Calls back once after `delayMs`; the returned function cancels. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): () => void
  /** Resolves after `delayMs`, rejects with the signal's reason when aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    return timerFor(delayMs, callback, (timer) => timer.unref())
  },
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const cancel = timerFor(delayMs, done)
      signal?.addEventListener('abort', stop, { once: true })
      function done() {
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      function stop() {
        cancel()
        reject(signal?.reason)
      }
    })
  },
}

/** Longer ones fire at once: 2^31 - 1 ms are 24 days, and a pod may be given a year to end. */
const timerMaxMs = 2 ** 31 - 1

function timerFor(delayMs: number, callback: () => void, made?: (timer: NodeJS.Timeout) => void): () => void {
  let left = delayMs
  let timer: NodeJS.Timeout
  const next = () => {
    const part = Math.min(left, timerMaxMs)
    left -= part
    timer = setTimeout(left > 0 ? next : callback, part)
    made?.(timer)
  }
  next()
  return () => clearTimeout(timer)
}
