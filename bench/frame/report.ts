import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import type { Bench, Measured, Unit } from './row.ts'

interface Figure {
  bench: string
  variant: string
  n: number
  median: number
  p95: number
  min: number
  unit: Unit
  peerVersion: string
  /** median / the first peer's median of the same run; null in a peer's own row. */
  ratio: number | null
  /** The same for every peer. */
  ratios?: Record<string, number>
  date: string
  commit: string
  load: string
  kernel: string
  node: string
  order: string
}

/** One JSON object a line (reference: the results file of the project's measuring rules). */
export function printJson(bench: Bench, measured: readonly Measured[]): void {
  for (const figure of figures(bench, measured)) process.stdout.write(`${JSON.stringify(figure)}\n`)
}

export function printTable(bench: Bench, measured: readonly Measured[], notices: readonly string[]): void {
  const all = figures(bench, measured)
  const rows = [
    ['row', 'variant', 'n', 'min', 'median', 'p95', 'unit', 'ratio'],
    ...all.map((one) => [
      one.bench,
      one.variant,
      String(one.n),
      three(one.min),
      three(one.median),
      three(one.p95),
      one.unit,
      Object.entries(one.ratios ?? {})
        .map(([peer, ratio]) => `${three(ratio)} of ${peer}`)
        .join(', '),
    ]),
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  const [first] = all
  const lines = [
    `${bench.name}: ${new Set(measured.map(({ row }) => row.version)).size} programs in turn, random order, 25 ms gaps`,
    ...[...new Set(measured.map(({ row }) => row.version))].map((version) => `  ${version}`),
    ...(first
      ? [`  kernel ${first.kernel}, node ${first.node}, load ${first.load}, commit ${first.commit}`]
      : []),
    ...bench.about.map((text) => `  ${text}`),
    ...notices.map((text) => `  left out: ${text}`),
    '',
    ...rows.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    ),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function figures(bench: Bench, measured: readonly Measured[]): Figure[] {
  const shared = {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    load: readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' '),
    kernel: release(),
    node: process.version,
    order: 'random',
  }
  const wall = measured.map((one) => ({ one, id: one.id, unit: one.unit, values: one.values }))
  const timed = measured.filter(({ unit }) => unit === 'ms' || unit === 'ops/s')
  const cpu = timed.flatMap((one) =>
    one.cpuMs === undefined || one.id !== one.row.id
      ? []
      : [{ one, id: `${one.id}.cpu`, unit: 'cpu-ms' as const, values: one.values.map(() => one.cpuMs ?? 0) }],
  )
  const every = [...wall, ...cpu]
  return every.map(({ one, id, unit, values }) => {
    const peers = every.filter((other) => other.id === id && bench.peers.includes(other.one.row.variant))
    const isPeer = bench.peers.includes(one.row.variant)
    const ordered = bench.peers.flatMap((name) => peers.filter((other) => other.one.row.variant === name))
    const ratios = isPeer
      ? {}
      : Object.fromEntries(
          ordered.map((peer) => [
            peer.one.row.variant,
            round(quantile(values, 0.5) / quantile(peer.values, 0.5)),
          ]),
        )
    const against = isPeer ? one.row.version : ordered[0]?.one.row.version
    return {
      bench: id,
      variant: one.row.variant,
      n: values.length,
      median: round(quantile(values, 0.5)),
      p95: round(quantile(values, 0.95)),
      min: round(quantile(values, 0)),
      unit,
      peerVersion: against ?? 'none',
      ratio: Object.values(ratios)[0] ?? null,
      ...(Object.keys(ratios).length > 0 ? { ratios } : {}),
      ...shared,
    }
  })
}

/** Nearest rank. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN
}

function round(value: number): number {
  return Number(value.toPrecision(4))
}

function three(value: number): string {
  return Number(value.toPrecision(3)).toString()
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return 'unknown'
  }
}
