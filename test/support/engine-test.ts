import test, { type ExecutionContext } from 'ava'
import { hasBusybox } from './bundle.ts'
import { findPeer, type PeerName } from './peers.ts'
import { rootTest } from './root.ts'

export type TestBody = (t: ExecutionContext) => Promise<void> | void

/** For tests of an engine with our runtime below it: a skip that names what is missing where it cannot be had. */
export function engineTests(peers: readonly PeerName[]): {
  present: boolean
  engineTest: (title: string, body: TestBody) => void
} {
  const absent = peers.filter((name) => findPeer(name) === undefined)
  const missing = [
    ...(absent.length > 0 ? [`${absent.join(', ')}: node scripts/peers.mjs`] : []),
    ...(hasBusybox ? [] : ['busybox-static']),
  ]
  return {
    present: missing.length === 0 && process.getuid?.() === 0,
    engineTest: (title, body) =>
      missing.length === 0
        ? rootTest(title, body)
        : test.skip(`${title} (needs ${missing.join(' and ')})`, body),
  }
}

/** Heavy variants: `make test-full` only, and counted as skipped otherwise. */
export const isFullRun = process.env['KEELSON_TEST_FULL'] === '1'
