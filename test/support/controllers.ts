import type { ExecutionContext } from 'ava'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { startControllers } from '../../src/control/controllers/index.ts'
import { FakeApi } from './fake-api.ts'

/** Every controller at work on an API in memory, until the test ends. */
export async function apiWithControllers(t: ExecutionContext): Promise<FakeApi> {
  const api = new FakeApi()
  const abort = new AbortController()
  const { client } = api
  const running = await startControllers({
    client,
    clock: systemClock,
    log: silentLogger,
    signal: abort.signal,
  })
  t.teardown(async () => {
    abort.abort()
    await running[Symbol.asyncDispose]()
  })
  return api
}
