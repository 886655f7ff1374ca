import test, { type ExecutionContext } from 'ava'
import { hasBusybox } from './bundle.ts'
import { findPeer, type PeerName } from './peers.ts'
import { rootTest } from './root.ts'

export type TestBody = (t: ExecutionContext) => Promise<void> | void

/**
 * For tests of an engine with our runtime below it, or on a machine that is booted for it: a skip that names what is
 * missing where it cannot be had. Heavy ones are skipped unless KEELSON_TEST_FULL is set (`make test-full`).
 */
export function engineTests(
  peers: readonly PeerName[],
  { isHeavy = false } = {},
): {
  present: boolean
  engineTest: (title: string, body: TestBody) => void
} {
  const lack = isHeavy && process.env['KEELSON_TEST_FULL'] !== '1' ? 'make test-full' : missing(peers)
  return {
    present: lack === '' && process.getuid?.() === 0,
    engineTest: (title, body) =>
      lack === '' ? rootTest(title, body) : test.skip(`${title} (needs ${lack})`, body),
  }
}

function missing(peers: readonly PeerName[]): string {
  const absent = peers.filter((name) => findPeer(name) === undefined)
  return [
    ...(absent.length > 0 ? [`${absent.join(', ')}: node scripts/peers.mjs`] : []),
    ...(hasBusybox ? [] : ['busybox-static']),
  ].join(' and ')
}
