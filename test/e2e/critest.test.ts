/**
 * The conformance suite of CRI against `keelson cri` as somebody would start it. What passed when
 * docs/reference/critest.md was written has to pass; KEELSON_CRITEST_TABLE=write writes it anew.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { criHostTests } from '../support/cri-host-test.ts'
import { type CriHost, startCriHost } from '../support/critest-host.ts'
import { runCritest, type Spec } from '../support/critest-run.ts'
import { passedIn, renderTable } from '../support/critest-table.ts'

const tablePath = fileURLToPath(new URL('../../docs/reference/critest.md', import.meta.url))
const isWriting = process.env['KEELSON_CRITEST_TABLE'] === 'write'
/** Side by side takes less time; one after the other is how most people run it. Its makers try thrice, we twice. */
const isWhole = isWriting || process.env['KEELSON_TEST_FULL'] === '1'
const order = isWhole ? [] : ['-parallel=4', '-ginkgo.flake-attempts=2']
const websockets = ['-websocket-exec', '-websocket-attach', '-websocket-portforward']

const { criTest } = criHostTests(['critest', 'ginkgo'])

criTest('critest: what is said to pass does, also over WebSockets', async (t) => {
  t.timeout(900_000)
  await using node = await startCriHost('critest')
  const specs = await runCritest(node, order)
  const overWebSocket = await runCritest(node, [...websockets, '-ginkgo.focus=Streaming'])
  if (isWriting) await writeFile(tablePath, renderTable(specs, overWebSocket))
  const promised = passedIn(await readFile(tablePath, 'utf8'))
  t.true(promised.plain.length > 110)
  t.deepEqual(broken(promised.plain, specs), [])
  t.deepEqual(broken(promised.overWebSocket, overWebSocket), [])
  t.deepEqual(await leftOn(node), [])
})

criTest('critest -benchmark measures containers, pods and images', async (t) => {
  t.timeout(300_000)
  await using node = await startCriHost('cribench')
  const params = join(node.host.folder, 'params.yaml')
  const numbers = { containersNumber: 3, containersNumberParallel: 2, podsNumber: 3, podsNumberParallel: 2 }
  await writeFile(params, JSON.stringify({ ...numbers, imagesNumber: 2, imagesNumberParallel: 1 }))
  const output = join(node.host.folder, 'benchmark')
  await mkdir(output)
  const words = [`-benchmarking-params-file=${params}`, `-benchmarking-output-dir=${output}`]
  const specs = await runCritest(node, ['-benchmark', ...words])
  t.deepEqual(
    specs.map(({ result }) => result),
    specs.map(() => 'passed'),
  )
  t.is(specs.length, 5)
  const files = await readdir(output)
  t.is(files.length, 4, files.join(' '))
  const pods = JSON.parse(await readFile(join(output, 'pod_benchmark_data.json'), 'utf8'))
  t.is(pods.datapoints.length, 3)
})

/** Promised specs that did not pass, with the reason. */
function broken(promised: readonly string[], specs: readonly Spec[]): string[] {
  const seen = new Map(specs.map((spec) => [spec.name, spec]))
  return promised
    .filter((name) => seen.get(name)?.result !== 'passed')
    .map((name) => `${name}: ${seen.get(name)?.reason ?? 'it did not run'}`)
}

/** Every spec takes away what it made. */
async function leftOn(node: CriHost): Promise<string[]> {
  const { stdout } = await node.crictl(['pods', '--quiet'])
  return stdout.split('\n').filter((line) => line !== '')
}
