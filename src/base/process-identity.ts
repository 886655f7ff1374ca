import { readFileSync } from 'node:fs'

let cachedBootId: string | undefined

/** Changes with every boot (random(4)): pids, start times and what was not yet on disk mean nothing across one. */
export function bootId(): string {
  cachedBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return cachedBootId
}

/** For memory that outlives a boot: that of a start-up snapshot. */
export function forgetBootId(): void {
  cachedBootId = undefined
}

export interface ProcessStat {
  /** One letter; `Z` has ended and only waits for its parent. */
  state: string
  /** Clock ticks after boot. With the pid and the boot id it names one process for ever. */
  startTicks: string
}

/** Fields 3 and 22 of /proc/PID/stat (proc_pid_stat(5)). ENOENT or ESRCH when there is no such process. */
export function processStat(pid: number): ProcessStat {
  const line = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The program's name, field 2, is in brackets and may hold anything: count from the last bracket.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', startTicks: fields[19] ?? '' }
}
