import { sendDatagram } from '../kernel/index.ts'

/**
 * Tells the service manager that started us how we are (sd_notify(3)). One that cannot be reached is no reason to
 * end: what it was to be told is true all the same.
 */
export function tellManager(socket: string | undefined, state: 'READY=1' | 'STOPPING=1'): void {
  if (socket === undefined || !/^[/@]/.test(socket)) return
  try {
    sendDatagram(socket, state)
  } catch {}
}
