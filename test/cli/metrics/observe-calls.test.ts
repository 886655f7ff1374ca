import test from 'ava'
import { systemClock as clock, KeelsonError, type LogFields, silentLogger } from '../../../src/base/index.ts'
import { CriMetrics } from '../../../src/cli/metrics/cri-metrics.ts'
import { observeCalls } from '../../../src/cli/metrics/observe-calls.ts'

const service = {
  version: async (fails?: unknown) => {
    if (fails) throw fails
    return 'v1'
  },
  async *streamPods(fails?: unknown) {
    yield 1
    if (fails) throw fails
    yield 2
  },
}

function observed() {
  const lines: [level: string, fields: LogFields | undefined][] = []
  const note = (level: string) => (_msg: string, fields?: LogFields) => void lines.push([level, fields])
  const log = { ...silentLogger, debug: note('debug'), warn: note('warn') }
  const metrics = new CriMetrics()
  return { service: observeCalls(service, { clock, log, metrics }), lines, metrics }
}

test('calls are counted by what they come to, and answers and failures pass through', async (t) => {
  const { service, metrics, lines } = observed()
  t.is(await service.version(), 'v1')
  await t.throwsAsync(service.version(new KeelsonError('NOT_FOUND', 'no')), { message: 'no' })
  await t.throwsAsync(service.version(new Error('a mistake')))
  const counts = [...metrics.requests.series()].map(([, labels, value]) => `${labels} ${value}`)
  t.deepEqual(counts, [
    '{method="Version",code="OK"} 1',
    '{method="Version",code="NOT_FOUND"} 1',
    '{method="Version",code="UNKNOWN"} 1',
  ])
  t.deepEqual(
    lines.map(([level, fields]) => [level, fields?.['code']]),
    [
      ['debug', 'OK'],
      ['debug', 'NOT_FOUND'],
      ['warn', 'UNKNOWN'],
    ],
  )
})

test('a stream is under way until its end, its failure, or its reader leaves', async (t) => {
  const { service, metrics } = observed()
  const inFlight = () => [...metrics.requestsInFlight.series()][0]?.[2] ?? 0
  for await (const item of service.streamPods()) t.is(inFlight(), 1, `${item}`)
  for await (const _ of service.streamPods()) break
  await t.throwsAsync(async () => {
    for await (const _ of service.streamPods(new KeelsonError('UNAVAILABLE', 'gone'))) t.is(inFlight(), 1)
  })
  t.is(inFlight(), 0)
  t.deepEqual(
    [...metrics.requests.series()].map(([, labels, value]) => `${labels} ${value}`),
    ['{method="StreamPods",code="OK"} 2', '{method="StreamPods",code="UNAVAILABLE"} 1'],
  )
})
