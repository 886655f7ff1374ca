/**
 * An upgrade and a downgrade of `keelson cri` with pods running: the version before this one is built from its commit.
 * That takes minutes, so only the full run does it; what the versions share is checked by recorded bytes in
 * test/pod/records.test.ts and test/oci/frames.test.ts.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { Cleanup } from '../../src/base/index.ts'
import { CriEndpoint, call, launcher } from '../support/cri-endpoint.ts'
import { serialRootTest } from '../support/root.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const title = 'pods go on through an upgrade from the version before, and back'

if (process.env['KEELSON_TEST_FULL'] === '1') serialRootTest(title, throughVersions)
else test.skip(`${title} (needs make test-full)`, () => {})

async function throughVersions(t: ExecutionContext): Promise<void> {
  t.timeout(900_000)
  await using undo = new Cleanup()
  const previous = await previousVersion()
  const before = await buildAt(previous, undo)
  t.log(`the version before is ${previous}`)
  const endpoint = await undo.use(CriEndpoint.create('upgrade', { byFlags: true }))
  await endpoint.loadBusybox()
  await endpoint.start({}, before)
  const made = new Map<string, { podId: string; id: string; pid: number }>()
  const make = async (name: string) => {
    const podId = await endpoint.pod(name)
    const id = await endpoint.run(podId, 'main')
    made.set(name, { podId, id, pid: await endpoint.hostPid(id) })
  }
  await make('old')
  for (const [name, program] of [
    ['new', launcher],
    ['again', before],
  ] as const) {
    await endpoint.stop()
    await endpoint.start({}, program)
    await make(name)
    for (const [known, { podId, id, pid }] of made) {
      t.true(await endpoint.podIsReady(podId), `${known} under ${name}`)
      t.true((await endpoint.hostPid(id)) === pid, `${known} under ${name}`)
      const words = { containerId: id, cmd: ['hostname'], timeout: 10n }
      t.is((await endpoint.runtime.execSync(words, call)).stdout.toString(), `${known}\n`)
    }
  }
  const ended = made.get('new')
  await endpoint.runtime.stopContainer({ containerId: ended?.id ?? '', timeout: 0n }, call)
  t.is((await endpoint.status(ended?.id ?? '')).exitCode, 137)
  for (const { podId } of made.values()) await endpoint.removePod(podId)
}

/** The tag before this commit; where there are no tags, the commit before. `KEELSON_TEST_PREVIOUS` names another. */
async function previousVersion(): Promise<string> {
  const named = process.env['KEELSON_TEST_PREVIOUS']
  if (named) return named
  const git = async (...words: string[]) => (await run('git', words, { cwd: root })).stdout.trim()
  return git('describe', '--tags', '--abbrev=0', 'HEAD^').catch(() => git('rev-parse', 'HEAD^'))
}

/** Launcher of a build of that commit. */
async function buildAt(commit: string, undo: Cleanup): Promise<string> {
  const folder = await mkdtemp('/var/tmp/keelson-previous-')
  undo.defer(() => rm(folder, { recursive: true, force: true }))
  const tree = join(folder, 'tree')
  await run('git', ['worktree', 'add', '--detach', tree, commit], { cwd: root })
  undo.defer(async () => void (await run('git', ['worktree', 'remove', '--force', tree], { cwd: root })))
  await run('cp', ['-a', join(root, 'node_modules'), join(tree, 'node_modules')])
  for (const script of ['install', 'build'])
    await run('npm', ['run', '--silent', script], { cwd: tree, maxBuffer: 64 * 2 ** 20 })
  return join(tree, 'bin/keelson')
}
