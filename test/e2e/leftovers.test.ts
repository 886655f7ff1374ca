/** After `down` the machine is as it was: compared item by item, on a network that only this cluster used. */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { ExecutionContext } from 'ava'
import { allReady, IsolatedCluster, manifestPath, servicePath } from '../support/isolated-cluster.ts'
import { stackTest } from '../support/shared-cluster.ts'
import { differences, findTraces, type Traces } from '../support/traces.ts'

stackTest('`down` leaves nothing but the state on disk', async (t) => {
  await using cluster = await IsolatedCluster.create('left')
  await cluster.serveImages()
  const before = await findTraces(cluster)
  t.deepEqual(before.processes, [])
  await cluster.up()
  await cluster.ask('create', '-f', manifestPath, '-f', servicePath)
  await cluster.podsUntil('two ready pods', allReady(2))
  seesWhatRuns(t, await findTraces(cluster))
  const { code, stderr } = await cluster.keelson('down')
  t.is(code, 0, stderr)
  t.regex(stderr, /2 pods removed/)
  t.deepEqual(differences(before, await findTraces(cluster)), [])
  t.false(existsSync(cluster.runDirectory))
  t.true(existsSync(cluster.kubeconfig), 'the state is kept')
})

stackTest('`down` after kill -9 of everything, monitors included, leaves nothing either', async (t) => {
  await using cluster = await IsolatedCluster.create('wreck')
  await cluster.serveImages()
  const before = await findTraces(cluster)
  await cluster.up()
  await cluster.ask('create', '-f', manifestPath, '-f', servicePath)
  await cluster.podsUntil('two ready pods', allReady(2))
  for (const process_ of (await findTraces(cluster)).processes) kill(Number(process_.split(' ')[0]))
  const { code, stderr } = await cluster.keelson('down')
  t.is(code, 0, stderr)
  t.deepEqual(differences(before, await findTraces(cluster)), [])
})

stackTest('`down` where nothing ever ran, and where the state is gone, changes nothing', async (t) => {
  await using cluster = await IsolatedCluster.create('never')
  const before = await findTraces(cluster)
  const first = await cluster.keelson('down')
  t.is(first.code, 0, first.stderr)
  t.deepEqual(differences(before, await findTraces(cluster)), [])
  await rm(cluster.dataDirectory, { recursive: true, force: true })
  t.is((await cluster.keelson('down')).code, 0)
  t.deepEqual(differences(before, await findTraces(cluster)), [])
})

/** So that an empty list afterwards means something. */
function seesWhatRuns(t: ExecutionContext, traces: Traces): void {
  t.true(traces.processes.length >= 2 + 2 * 2, 'server, node, two monitors, two containers')
  t.true(traces.cgroups.length >= 1)
  t.regex(traces.nftables, /10\.43\./)
  t.regex(traces.routes, /10\.42\.0\.\d+ dev/)
  t.regex(traces.addresses, /10\.42\.0\.1/)
  t.is(traces.sysctls['./ipv4/ip_forward'], '1')
  t.true(traces.runFiles.length > 5)
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it ended with another
  }
}
