/**
 * keelson-oci as a start-up snapshot of V8: scripts/snapshot.mjs runs this once, with every command loaded and those
 * that matter rehearsed, and what is in memory then is where each start begins. No module may keep what it read of the machine
 * on the way (the environment, a clock, a file), since that would be the build's.
 */
import { startupSnapshot } from 'node:v8'
import { commands } from './oci/commands.ts'
import { main } from './oci/program.ts'
import { rehearse } from './oci/rehearsal.ts'

void make()

async function make(): Promise<void> {
  await Promise.all([...Object.values(commands).map((load) => load()), import('../oci/index.ts')])
  const codes = await rehearse()
  // It is as good without, but for the time of a command. A test says when the addon's place is not filled any more.
  if (codes.some((code) => code !== 0)) process.stderr.write(`snapshot: the rehearsal ended with ${codes}\n`)
  startupSnapshot.setDeserializeMainFunction(() => {
    void main(process.argv.slice(1)).then((code) => process.exit(code))
  })
}
