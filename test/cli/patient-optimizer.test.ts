import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'

test('this V8 knows what it is told', async (t) => {
  const source = JSON.stringify(import.meta.resolve('../../src/cli/patient-optimizer.ts'))
  const script = `import { optimizeLater } from ${source}; optimizeLater(); console.log('on')`
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    ...['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', script],
  ])
  t.is(stdout, 'on\n')
  t.is(stderr, '') // where it names a flag that it does not know
})
