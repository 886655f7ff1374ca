/**
 * Counters, gauges and histograms, and their text for Prometheus (exposition format 0.0.4). A metric has a fixed name,
 * help and label names; its series appear with their first value. A gauge may instead be asked at each scrape.
 */
export interface Definition<Label extends string = string> {
  readonly name: string
  readonly help: string
  readonly labels: readonly Label[]
}

export interface Metric {
  readonly definition: Definition
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** Lines without name: `{a="b"} 1`, after a suffix where there is one. */
  series(): Iterable<readonly [suffix: string, labels: string, value: number]>
}

type Labels<Label extends string> = Readonly<Record<Label, string>>

export class Counter<Label extends string = never> implements Metric {
  readonly type = 'counter'
  readonly definition: Definition<Label>
  readonly #values = new Map<string, number>()

  constructor(definition: Definition<Label>) {
    this.definition = definition
    if (definition.labels.length === 0) this.#values.set('', 0)
  }

  add(labels: Labels<Label>, value = 1): void {
    const key = labelText(this.definition.labels, labels)
    this.#values.set(key, (this.#values.get(key) ?? 0) + value)
  }

  *series(): Iterable<readonly [string, string, number]> {
    for (const [labels, value] of this.#values) yield ['', labels, value]
  }
}

export class Gauge<Label extends string = never> implements Metric {
  readonly type: 'gauge' | 'counter'
  readonly definition: Definition<Label>
  #values = new Map<string, number>()

  /** `counter`: what is set only ever grows, for whoever counted it. */
  constructor(definition: Definition<Label>, type: 'gauge' | 'counter' = 'gauge') {
    this.definition = definition
    this.type = type
  }

  set(labels: Labels<Label>, value: number): void {
    this.#values.set(labelText(this.definition.labels, labels), value)
  }

  add(labels: Labels<Label>, value: number): void {
    const key = labelText(this.definition.labels, labels)
    this.#values.set(key, (this.#values.get(key) ?? 0) + value)
  }

  *series(): Iterable<readonly [string, string, number]> {
    for (const [labels, value] of this.#values) yield ['', labels, value]
  }
}

interface Observed {
  counts: number[]
  sum: number
}

export class Histogram<Label extends string = never> implements Metric {
  readonly type = 'histogram'
  readonly definition: Definition<Label>
  readonly #bounds: readonly number[]
  readonly #values = new Map<string, Observed>()

  /** `bounds` ascend; what is above the last is counted too. */
  constructor(definition: Definition<Label>, bounds: readonly number[]) {
    this.definition = definition
    this.#bounds = bounds
  }

  observe(labels: Labels<Label>, value: number): void {
    const key = labelText(this.definition.labels, labels)
    const seen = this.#values.get(key) ?? { counts: new Array(this.#bounds.length + 1).fill(0), sum: 0 }
    const bucket = this.#bounds.findIndex((bound) => value <= bound)
    const at = bucket < 0 ? this.#bounds.length : bucket
    seen.counts[at] = (seen.counts[at] ?? 0) + 1
    seen.sum += value
    this.#values.set(key, seen)
  }

  *series(): Iterable<readonly [string, string, number]> {
    for (const [labels, { counts, sum }] of this.#values) {
      let total = 0
      for (const [at, count] of counts.entries()) {
        total += count
        yield ['_bucket', withBound(labels, `${this.#bounds[at] ?? '+Inf'}`), total]
      }
      yield ['_sum', labels, sum]
      yield ['_count', labels, total]
    }
  }
}

/** All of them as one text. */
export function exposition(metrics: readonly Metric[]): string {
  return metrics
    .map((metric) => {
      const { name, help } = metric.definition
      const lines = [...metric.series()].map(
        ([suffix, labels, value]) => `${name}${suffix}${labels} ${value}\n`,
      )
      return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${metric.type}\n${lines.join('')}`
    })
    .join('')
}

function labelText<Label extends string>(names: readonly Label[], labels: Labels<Label>): string {
  if (names.length === 0) return ''
  const pairs = names.map((name) => `${name}="${escaped(labels[name]).replaceAll('"', '\\"')}"`)
  return `{${pairs.join(',')}}`
}

function withBound(labels: string, bound: string): string {
  return labels === '' ? `{le="${bound}"}` : `${labels.slice(0, -1)},le="${bound}"}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}
