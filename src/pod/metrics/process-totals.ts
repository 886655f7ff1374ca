import { readdir, readFile, readlink } from 'node:fs/promises'

export interface ProcessTotals {
  processes: bigint
  /** Open in all of them, each in each. */
  files: bigint
  sockets: bigint
  /** Of the first process, by names such as `max_open_files`; without those that have no limit. */
  softLimits: ReadonlyMap<string, bigint>
}

/** What processes hold open, from procfs. One that ends meanwhile counts as holding nothing. */
export async function processTotals(pids: readonly number[]): Promise<ProcessTotals> {
  let files = 0
  let sockets = 0
  for (const pid of pids) {
    const targets = await openFiles(`/proc/${pid}/fd`)
    files += targets.length
    sockets += targets.filter((target) => target.startsWith('socket:')).length
  }
  const limits =
    pids[0] === undefined ? '' : await readFile(`/proc/${pids[0]}/limits`, 'utf8').catch(() => '')
  return {
    processes: BigInt(pids.length),
    files: BigInt(files),
    sockets: BigInt(sockets),
    softLimits: parseSoftLimits(limits),
  }
}

async function openFiles(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => [])
  return Promise.all(names.map((name) => readlink(`${directory}/${name}`).catch(() => '')))
}

/** Text of /proc/PID/limits (proc_pid_limits(5)): `Max open files   1024   4096   files`. Pure. */
export function parseSoftLimits(text: string): Map<string, bigint> {
  const found = [...text.matchAll(/^(Max .*?) {2,}(\d+) /gm)]
  return new Map(
    found.map(([, name = '', soft = '0']) => [name.toLowerCase().replaceAll(' ', '_'), BigInt(soft)]),
  )
}
