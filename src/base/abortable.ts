/**
 * The work's own result, or the signal's reason as soon as it is aborted. The work itself goes on; a result or failure
 * that comes later is nobody's. Nothing stays registered with a signal that lives longer than the work.
 */
export function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
