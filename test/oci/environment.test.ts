import test from 'ava'
import { programEnvironment } from '../../src/oci/environment.ts'

test('of a name that is there twice the last value counts, in the place of the first', (t) => {
  t.deepEqual(programEnvironment(['A=1', 'HOME=/h', 'B=', 'A=2=3']), {
    env: ['A=2=3', 'HOME=/h', 'B='],
    needsHome: false,
  })
})

test('HOME is looked up when it is missing, and when it is empty', (t) => {
  t.deepEqual(programEnvironment(['A=1']), { env: ['A=1'], needsHome: true })
  t.deepEqual(programEnvironment(['HOME=/x', 'A=1', 'HOME=']), { env: ['A=1'], needsHome: true })
  t.deepEqual(programEnvironment(), { env: [], needsHome: true })
})
