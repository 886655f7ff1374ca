import test, { type ExecutionContext } from 'ava'
import { type CriToolName, findCriTool } from '../../scripts/cri-tools.mjs'
import { hasBusybox } from './bundle.ts'
import { findPeer } from './peers.ts'
import { serialRootTest } from './root.ts'

/**
 * Tests of a machine with `keelson cri`, one at a time: a skip that names what is missing where the tools or the peers are not there.
 */
export function criHostTests(tools: readonly CriToolName[]): {
  criTest: (title: string, body: (t: ExecutionContext) => Promise<void>) => void
} {
  const absent = tools.filter((name) => findCriTool(name) === undefined)
  const lacking = [
    ...(absent.length > 0 ? [`${absent.join(', ')}: node scripts/cri-tools.mjs, with Go 1.26`] : []),
    ...(findPeer('docker-registry') ? [] : ['docker-registry: node scripts/peers.mjs']),
    ...(hasBusybox ? [] : ['busybox-static']),
  ].join(' and ')
  if (lacking === '') return { criTest: serialRootTest }
  return { criTest: (title, body) => test.skip(`${title} (needs ${lacking})`, body) }
}
