/**
 * The frame of every benchmark: rows that take turns in random order with gaps between, so that no row profits from
 * what the one before it left in the kernel (an RCU grace period just over makes the next cgroup move cheap), and one
 * output format. A file bench/NAME.ts calls `runBench` and nothing else runs it.
 */
import { parseArgs } from 'node:util'
import { type CpuMeter, cpuMeter } from './cpu.ts'
import { printJson, printTable } from './report.ts'
import type { Bench, Measured, Part, Row, Unit } from './row.ts'

const warmUpRounds = 3
const gapMs = 25
/** No bench may hold a shared machine for longer; `--quick` ends with the rounds it has by then. */
const deadlineMs = 15 * 60_000
/** The rounds that are done by then are enough: one more must end before the deadline. */
const enoughRoundsMs = 10 * 60_000
const quickMs = 45_000
/** A turn that takes longer hangs: the bench ends and says which. */
const turnMs = 240_000

export async function runBench(bench: Bench): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean' },
      json: { type: 'boolean' },
      only: { type: 'string', multiple: true },
    },
  })
  const notices: string[] = []
  const notice = (text: string) => {
    notices.push(text)
    process.stderr.write(`bench ${bench.name}: ${text}\n`)
  }
  const quick = values.quick ?? false
  const json = values.json ?? false
  // Before the rows: the daemons they start inherit the group that is counted.
  const meter = cpuMeter()
  try {
    const every = await bench.rows({ quick, json, notice })
    const rows = every.filter(({ id }) => values.only?.some((wanted) => id.startsWith(wanted)) ?? true)
    if (rows.length === 0)
      throw new Error(`no row begins so: there are ${every.map(({ id }) => id).join(', ')}`)
    const rounds = quick ? Math.max(5, Math.ceil(bench.rounds / 10)) : bench.rounds
    const enoughMs = performance.now() + (quick ? quickMs : enoughRoundsMs)
    const measured = await takeTurns(rows, rounds, { meter, signal: stopSignal(), enoughMs, notice })
    if (json) printJson(bench, measured)
    else printTable(bench, measured, notices)
  } finally {
    await bench.finish?.()
    await meter?.leave()
  }
}

/** Ctrl-C and the deadline end the bench between two turns, so that it removes what it made. */
function stopSignal(): AbortSignal {
  const interrupt = new AbortController()
  process.once('SIGINT', () => interrupt.abort(new Error('interrupted')))
  return AbortSignal.any([interrupt.signal, AbortSignal.timeout(deadlineMs)])
}

async function takeTurns(
  rows: readonly Row[],
  rounds: number,
  { meter, signal, enoughMs, notice }: Turns,
): Promise<Measured[]> {
  const turns = rows.map((row) => ({ row, parts: new Map<string, Taken>(), count: 0, cpuNs: 0n }))
  for (let round = -warmUpRounds; round < rounds; round++) {
    if (round > 0 && performance.now() > enoughMs) {
      notice(`the machine is slow: ended after ${round} of ${rounds} rounds`)
      break
    }
    for (const one of shuffled(turns)) {
      if (round % (one.row.every ?? 1) !== 0) continue
      signal.throwIfAborted()
      await pause(gapMs)
      await one.row.before?.()
      const cpu = meter?.read()
      const parts = await bounded(one.row, timed(one.row))
      await bounded(one.row, one.row.after?.())
      if (round < 0) continue
      one.count++
      for (const part of parts) take(one.parts, part)
      if (meter && cpu !== undefined) one.cpuNs += meter.read() - cpu
    }
  }
  return turns.flatMap(({ row, parts, count, cpuNs }) => {
    const cpuMs = meter ? Number(cpuNs / BigInt(Math.max(1, count))) / 1e6 : undefined
    return [...parts].map(([id, { unit, values }]) => ({ row, id, unit, values, cpuMs }))
  })
}

interface Taken {
  unit: Unit
  values: number[]
}

function take(parts: Map<string, Taken>, { id, unit, value }: Part): void {
  const taken = parts.get(id) ?? { unit, values: [] }
  parts.set(id, taken)
  taken.values.push(value)
}

interface Turns {
  meter: CpuMeter | undefined
  signal: AbortSignal
  /** Time (performance.now) at which the rounds so far are enough. */
  enoughMs: number
  notice: (text: string) => void
}

/** Fails with the row's name when its turn never ends. */
async function bounded<T>({ id, variant }: Row, turn: T | Promise<T>): Promise<T> {
  const timer = { stop: () => {} }
  const late = new Promise<never>((_, reject) => {
    const timeout = setTimeout(
      () => reject(new Error(`${id} of ${variant} hangs: no end after ${turnMs / 1000} s`)),
      turnMs,
    )
    timer.stop = () => clearTimeout(timeout)
  })
  try {
    return await Promise.race([turn, late])
  } finally {
    timer.stop()
  }
}

async function timed(row: Row): Promise<readonly Part[]> {
  const start = process.hrtime.bigint()
  const given = await row.run()
  if (Array.isArray(given)) return given as readonly Part[]
  const value = typeof given === 'number' ? given : Number(process.hrtime.bigint() - start) / 1e6
  return [{ id: row.id, unit: row.unit ?? 'ms', value }]
}

function shuffled<T>(list: readonly T[]): T[] {
  const copy = [...list]
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    const [a, b] = [copy[i] as T, copy[j] as T]
    copy[i] = b
    copy[j] = a
  }
  return copy
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
