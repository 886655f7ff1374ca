import test from 'ava'
import fc from 'fast-check'
import { Counter, exposition, Gauge, Histogram } from '../../../src/cli/metrics/metric.ts'

test('the text that Prometheus reads', (t) => {
  const counter = new Counter({ name: 'calls_total', help: 'Calls\nby "method".', labels: ['method'] })
  counter.add({ method: 'a"\\\n' })
  counter.add({ method: 'b' }, 2)
  counter.add({ method: 'b' })
  const gauge = new Gauge({ name: 'open', help: 'Open.', labels: [] })
  gauge.add({}, 3)
  gauge.add({}, -1)
  const histogram = new Histogram({ name: 'took_seconds', help: 'Took.', labels: [] }, [0.1, 1])
  for (const value of [0.1, 0.5, 7]) histogram.observe({}, value)
  t.deepEqual(exposition([counter, gauge, histogram]).split('\n'), [
    '# HELP calls_total Calls\\nby "method".',
    '# TYPE calls_total counter',
    'calls_total{method="a\\"\\\\\\n"} 1',
    'calls_total{method="b"} 3',
    '# HELP open Open.',
    '# TYPE open gauge',
    'open 2',
    '# HELP took_seconds Took.',
    '# TYPE took_seconds histogram',
    'took_seconds_bucket{le="0.1"} 1',
    'took_seconds_bucket{le="1"} 2',
    'took_seconds_bucket{le="+Inf"} 3',
    'took_seconds_sum 7.6',
    'took_seconds_count 3',
    '',
  ])
})

test('buckets of a histogram grow to its count, whatever is observed', (t) => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 100, noNaN: true })), (values) => {
      const histogram = new Histogram({ name: 'h', help: '', labels: ['l'] }, [1, 10, 50])
      for (const value of values) histogram.observe({ l: 'x' }, value)
      const series = [...histogram.series()]
      const buckets = series.flatMap(([suffix, , value]) => (suffix === '_bucket' ? [value] : []))
      const expected = [1, 10, 50, Number.POSITIVE_INFINITY].map(
        (bound) => values.filter((value) => value <= bound).length,
      )
      return values.length === 0 ? series.length === 0 : JSON.stringify(buckets) === JSON.stringify(expected)
    }),
  )
  t.pass()
})

test('a label cannot end its quotes', (t) => {
  fc.assert(
    fc.property(fc.string(), (method) => {
      const counter = new Counter({ name: 'c_total', help: '', labels: ['method'] })
      counter.add({ method })
      const [[, labels = ''] = []] = [...counter.series()]
      return /^\{method="(?:[^"\\\n]|\\["\\n])*"\}$/.test(labels)
    }),
  )
  t.pass()
})
