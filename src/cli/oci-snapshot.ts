/**
 * keelson-oci as a start-up snapshot of V8: scripts/snapshot.mjs runs this once, with every command loaded, and what
 * is in memory then is where each start begins. No module may keep what it read of the machine on the way (the
 * environment, a clock, a file), since that would be the build's.
 */
import { startupSnapshot } from 'node:v8'
import { commands } from './oci/commands.ts'
import { main } from './oci/program.ts'

void Promise.all([...Object.values(commands).map((load) => load()), import('../oci/index.ts')]).then(() =>
  startupSnapshot.setDeserializeMainFunction(() => {
    void main(process.argv.slice(1)).then((code) => process.exit(code))
  }),
)
