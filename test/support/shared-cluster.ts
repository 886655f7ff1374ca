import { existsSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { busyboxPath } from './busybox-image.ts'
import { IsolatedCluster } from './isolated-cluster.ts'
import { findKubectls } from './kubectl.ts'
import { registryProgram } from './registry.ts'

export type ClusterTest = (
  title: string,
  body: (t: ExecutionContext, cluster: IsolatedCluster) => Promise<void>,
) => void

/** What this machine lacks for a whole cluster; a test without it is skipped by name. */
export function lacking(): string | undefined {
  if (process.getuid?.() !== 0) return 'root'
  if (!existsSync(busyboxPath)) return 'busybox-static'
  if (registryProgram() === undefined) return 'docker-registry'
  return findKubectls().has('kubectl') ? undefined : 'kubectl'
}

/** A test that makes what it needs itself, or a skip that says what is absent. */
export function stackTest(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  const absent = lacking()
  if (absent) test.serial.skip(`${title} (needs ${absent})`, () => undefined)
  else test.serial(title, body)
}

/** One cluster for all tests of a file, which come in their order; it is taken down whatever happens. */
export function sharedCluster(name: string): ClusterTest {
  let cluster: IsolatedCluster | undefined
  if (lacking() === undefined) {
    test.before('keelson up', async () => {
      cluster = await IsolatedCluster.start(name)
    })
    test.after.always('keelson down', async () => {
      await cluster?.[Symbol.asyncDispose]()
    })
  }
  return (title, body) =>
    stackTest(title, async (t) => {
      if (cluster === undefined) throw new Error('there is no cluster')
      await body(t, cluster)
    })
}
