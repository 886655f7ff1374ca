// A registry on loopback (Debian's docker-registry with a configuration of our own) and a push by plain HTTP.
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findPeer, obtainPeers } from '../peers.mjs'

export async function startRegistry(folder) {
  const port = await freePort()
  await mkdir(folder, { recursive: true })
  const config = join(folder, 'config.yml')
  await writeFile(
    config,
    `version: 0.1\nlog: { level: error }\nstorage: { filesystem: { rootdirectory: ${folder}/data }, delete: { enabled: true } }\n` +
      `http: { addr: 127.0.0.1:${port}, secret: ${randomBytes(8).toString('hex')} }\n`,
  )
  const [missing] = await obtainPeers(['docker-registry'])
  if (missing) throw new Error(`no registry to push to: ${missing.reason}`)
  const child = spawn(findPeer('docker-registry'), ['serve', config], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  for (let attempt = 0; ; attempt++) {
    if (
      await fetch(`${url}/v2/`).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      break
    if (attempt > 100 || child.exitCode !== null) throw new Error('docker-registry did not start')
    await sleep(50)
  }
  return { url, host: `127.0.0.1:${port}`, stop: () => child.kill() }
}

/** Pushes one image: gzipped layers and a config; returns the manifest's digest. */
export async function pushImage(registry, repository, tag, { layers, config }) {
  const base = `${registry}/v2/${repository}`
  const configBytes = Buffer.from(JSON.stringify(config))
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: await pushBlob(base, configBytes, 'application/vnd.oci.image.config.v1+json'),
    layers: await Promise.all(
      layers.map((layer) => pushBlob(base, layer, 'application/vnd.oci.image.layer.v1.tar+gzip')),
    ),
  }
  const answer = await fetch(`${base}/manifests/${tag}`, {
    method: 'PUT',
    headers: { 'content-type': manifest.mediaType },
    body: JSON.stringify(manifest),
  })
  if (!answer.ok) throw new Error(`pushing the manifest failed: ${answer.status} ${await answer.text()}`)
  return answer.headers.get('docker-content-digest')
}

async function pushBlob(base, bytes, mediaType) {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  const started = await fetch(`${base}/blobs/uploads/`, { method: 'POST' })
  const location = new URL(started.headers.get('location'), base)
  location.searchParams.set('digest', digest)
  const answer = await fetch(location, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: bytes,
  })
  if (!answer.ok) throw new Error(`pushing a blob failed: ${answer.status} ${await answer.text()}`)
  return { mediaType, digest, size: bytes.length }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
