import test from 'ava'
import { humanDuration } from '../../../../src/control/apiserver/present/column.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

for (const [ms, text] of [
  [0, '0s'],
  [-5 * second, '<invalid>'],
  [119 * second, '119s'],
  [2 * minute, '2m'],
  [2 * minute + 5 * second, '2m5s'],
  [10 * minute + 5 * second, '10m'],
  [3 * hour + 20 * minute, '3h20m'],
  [9 * hour, '9h'],
  [49 * hour, '2d1h'],
  [12 * day, '12d'],
  [800 * day, '2y70d'],
] as const) {
  test(`${ms} ms is ${text}`, (t) => t.is(humanDuration(ms), text))
}
