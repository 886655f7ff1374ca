import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const run = promisify(execFile)
const program = fileURLToPath(new URL('../support/node-in-own-namespace.ts', import.meta.url))

rootTest(
  'in the network namespace of its own process: pods, Services, and nothing left afterwards',
  async (t) => {
    await using directory = await temporaryDirectory()
    const args = ['--net', '--', process.execPath, '--import', 'tsx', program, directory.path]
    const { stdout } = await run('unshare', args)
    const { answers, before, after } = JSON.parse(stdout)
    t.deepEqual(answers, {
      hostToPod: ['pod saw 10.99.0.1'],
      hostToService: ['pod saw 10.99.0.1'],
      podToService: ['pod saw 10.99.0.1'],
      podToNodeByService: ['node saw 10.99.0.2'],
      hostToNodeByService: ['node saw 10.99.0.1'],
    })
    t.deepEqual(after, before)
  },
)
