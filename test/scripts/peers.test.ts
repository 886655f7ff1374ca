import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { findPeer, type PeerName, peerEnvironment } from '../support/peers.ts'

const script = fileURLToPath(new URL('../../scripts/peers.mjs', import.meta.url))
const registry = findPeer('docker-registry')
const testWithRegistry = registry === undefined ? test.skip : test

testWithRegistry('a peer that is there is found, runs in its environment, and is not fetched again', (t) => {
  const env = peerEnvironment(['docker-registry'])
  t.is(spawnSync(registry ?? '', ['--version'], { env }).status, 0)
  const { status, stderr } = spawnSync(process.execPath, [script, 'docker-registry'], {
    encoding: 'utf8',
    // With no apt-get to be found, only what is there already can succeed.
    env: { PATH: join(registry ?? '', '..', 'nowhere') },
  })
  t.is(stderr, '')
  t.is(status, 0)
})

test('an unknown peer is named, with the known ones', (t) => {
  const { status, stderr } = spawnSync(process.execPath, [script, 'docker-registri'], { encoding: 'utf8' })
  t.is(status, 1)
  t.regex(stderr, /^peers: docker-registri is missing: known are .*containerd/)
})

test('PATH of peers holds only folders that exist, system folders apart, and none of npm', (t) => {
  const names: PeerName[] = ['containerd', 'runc', 'crun', 'iptables', 'cni-bridge']
  const folders = peerEnvironment(names)['PATH']?.split(delimiter) ?? []
  t.deepEqual(
    folders.filter((folder) => folder.includes('node_modules')),
    [],
  )
  for (const name of names) {
    const path = findPeer(name)
    if (path !== undefined) t.true(folders.includes(join(path, '..')) && existsSync(path))
  }
})
