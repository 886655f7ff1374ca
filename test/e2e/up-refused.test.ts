/** What `keelson up` must leave as it was when its control plane cannot start. Needs root. */
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { TestCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { rootTest } from '../support/root.ts'

rootTest('a port in use is named, and the node that was already on its way leaves', async (t) => {
  await using cluster = await TestCluster.create('refused')
  const port = Number(cluster.flags[cluster.flags.indexOf('--port') + 1])
  const other = createServer().listen(port, '0.0.0.0')
  await once(other, 'listening')
  const { code, stderr } = await cluster.keelson('up', '-d')
  other.close()
  t.is(code, 1)
  t.regex(stderr, new RegExp(`^keelson: .*:${port}\\b.*`, 'm'))
  t.notRegex(stderr, /node:/, 'the node began before it was told to')
  await eventually('no process of the cluster', () => processesWith(cluster.dataDirectory).length === 0)
  t.is(readFileSync(`${cluster.dataDirectory}/log/node.log`, 'utf8'), 'keelson: the start was given up\n')
})

function processesWith(argument: string): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(argument)
    } catch {
      return false // it ended meanwhile
    }
  })
}
