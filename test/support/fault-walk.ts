import { existsSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { readCgroupLayout } from '../../src/oci/index.ts'
import type { CriEndpoint } from './cri-endpoint.ts'

/** A call of a client that the server may die in. */
export interface Walk<Prepared> {
  /** What the call needs; not part of the walk. */
  prepare(endpoint: CriEndpoint): Promise<Prepared>
  /** The call. It is made once with a server that dies in it, and once more with the next server. */
  act(endpoint: CriEndpoint, prepared: Prepared): Promise<unknown>
  /** What must hold after the second, and then what takes everything away. */
  settle(t: ExecutionContext, endpoint: CriEndpoint, prepared: Prepared): Promise<void>
}

/** Before each step too where time is no matter: what lies between two steps is nearly always nothing. */
const sides: ('after' | 'before')[] =
  process.env['KEELSON_TEST_FULL'] === '1' ? ['after', 'before'] : ['after']
let orders = 0

/**
 * Kills the server by SIGKILL at every step that the call takes, one after the other. Each time the next server must
 * find its way, the call repeated must do what it is for, and nothing may be left when all is removed. Returns the steps.
 */
export async function walkFaults<Prepared>(
  t: ExecutionContext,
  endpoint: CriEndpoint,
  walk: Walk<Prepared>,
): Promise<string[]> {
  t.timeout(600_000) // a server is started for each step
  const steps = await trace(t, endpoint, walk)
  t.true(steps.length > 0, 'there are steps to walk')
  for (const side of sides) {
    for (const [index, step] of steps.entries()) {
      const at = `${side} step ${index + 1}, ${step}`
      try {
        const prepared = await walk.prepare(endpoint)
        await order(endpoint, `${side} ${index + 1}`)
        await t.throwsAsync(Promise.resolve(walk.act(endpoint, prepared)), undefined, at)
        await endpoint.ended()
        await order(endpoint, '')
        await endpoint.start(endpoint.faults)
        await walk.act(endpoint, prepared)
        await walk.settle(t, endpoint, prepared)
        t.deepEqual(await leftOf(endpoint), [], at)
      } catch (error) {
        throw new Error(`killed ${at}: ${error instanceof Error ? error.message : error}`, { cause: error })
      }
    }
  }
  return steps
}

/** The steps that the call takes when nothing goes wrong, in their order. */
async function trace<Prepared>(
  t: ExecutionContext,
  endpoint: CriEndpoint,
  walk: Walk<Prepared>,
): Promise<string[]> {
  const prepared = await walk.prepare(endpoint)
  const noted = `${endpoint.faultFile}.steps`
  await rm(noted, { force: true })
  await order(endpoint, 'trace')
  await walk.act(endpoint, prepared)
  const steps = await readFile(noted, 'utf8')
  await order(endpoint, '')
  await walk.settle(t, endpoint, prepared)
  t.deepEqual(await leftOf(endpoint), [], 'without a fault')
  return [...steps.matchAll(/^after (.*)$/gm)].map(([, step = '']) => step)
}

async function order({ faultFile }: CriEndpoint, text: string): Promise<void> {
  await writeFile(faultFile, text === '' ? '' : `${text} #${orders++}`)
}

/** What one pod leaves in directories and cgroups while it is there, and nobody else does. */
async function leftOf({ runDirectory, dataDirectory, instance }: CriEndpoint): Promise<string[]> {
  const { v1, v2 } = readCgroupLayout()
  const folders = [
    ...['containers', 'pods'].map((name) => join(runDirectory, name)),
    join(dataDirectory, 'node/images/image/snapshots'),
    ...[...v1, ...(v2 ? [v2] : [])].map(({ mountPoint }) => join(mountPoint, instance)),
  ]
  const found = await Promise.all(
    folders.map(async (folder) =>
      existsSync(folder) ? (await readdir(folder)).map((name) => join(folder, name)) : [],
    ),
  )
  return found.flat().filter((path) => !path.endsWith(`${instance}/monitors`) && /[0-9a-f]{64}$/.test(path))
}
