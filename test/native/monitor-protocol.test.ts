/** The monitor's side of its sockets, against clients that send what chance has it: no crash, no hang, no leak. */
import test from 'ava'
import { buildSanitized, runCases } from '../support/sanitized.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

test('clients of a monitor and frames of every socket, by chance', async (t) => {
  t.timeout(900_000)
  await using directory = await temporaryDirectory()
  const sources = ['init/message.c', 'init/log.c', 'init/clock.c']
  const said = runCases(buildSanitized(directory.path, 'monitor-protocol', sources), 2_000)
  t.regex(said, /^\d+ cases$/)
  t.log(said)
})
