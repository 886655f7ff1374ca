import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const applets = [
  ...['sh', 'cat', 'cp', 'cut', 'date', 'dd', 'echo', 'env', 'false', 'grep', 'head', 'hostname', 'id', 'ip'],
  ...[
    'kill',
    'ls',
    'mkdir',
    'nc',
    'printf',
    'ps',
    'readlink',
    'seq',
    'sleep',
    'stat',
    'stty',
    'tail',
    'touch',
    'true',
  ],
  ...['tty', 'wc', 'yes'],
]

/** Debian's busybox-static; tests that need it say so and are skipped without it. */
export const busyboxPath = '/bin/busybox'

export const busyboxName = 'docker.io/library/busybox:test'

/** A root file system of busybox as a tar, made in a folder of this directory. */
export async function busyboxLayer(directory: string): Promise<Buffer> {
  const root = join(directory, 'root')
  for (const folder of ['bin', 'etc', 'tmp', 'root']) await mkdir(join(root, folder), { recursive: true })
  await copyFile(busyboxPath, join(root, 'bin/busybox'))
  for (const applet of applets) await symlink('busybox', join(root, 'bin', applet))
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/:/bin/sh\n')
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nweb:x:34:\nlogs:x:90:web\n')
  const layerPath = join(directory, 'layer.tar')
  execFileSync('tar', ['-C', root, '--owner=0', '--group=0', '-cf', layerPath, '.'])
  return readFile(layerPath)
}

/** Writes an OCI image layout (image-layout.md) of one layer with busybox in it; load it as `busyboxName`. */
export async function writeBusyboxImage(directory: string): Promise<{ config: string; layer: string }> {
  const layer = await addBlob(directory, await busyboxLayer(directory))
  const config = await addJson(directory, {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Cmd: ['/bin/sh'], Env: ['PATH=/bin'], StopSignal: 'SIGTERM' },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  })
  const manifest = await addJson(directory, {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
  })
  const named = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    ...manifest,
    annotations: { 'org.opencontainers.image.ref.name': busyboxName },
  }
  await writeFile(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }))
  await writeFile(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  return { config: config.digest, layer: layer.digest }
}

/**
 * The same as one tar, with the table of contents that `docker load` reads beside the one that `podman load` and
 * `ctr images import` read.
 */
export async function writeBusyboxArchive(directory: string): Promise<string> {
  const { config, layer } = await writeBusyboxImage(directory)
  const blob = (digest: string) => `blobs/${digest.replace(':', '/')}`
  const images = [{ Config: blob(config), RepoTags: [busyboxName], Layers: [blob(layer)] }]
  await writeFile(join(directory, 'manifest.json'), JSON.stringify(images))
  const archive = join(directory, 'busybox.tar')
  const members = ['oci-layout', 'index.json', 'manifest.json', 'blobs']
  execFileSync('tar', ['-C', directory, '-cf', archive, ...members])
  return archive
}

export async function addJson(directory: string, value: unknown) {
  return addBlob(directory, Buffer.from(JSON.stringify(value)))
}

export async function addBlob(directory: string, bytes: Buffer): Promise<{ digest: string; size: number }> {
  const hex = createHash('sha256').update(bytes).digest('hex')
  await mkdir(join(directory, 'blobs/sha256'), { recursive: true })
  await writeFile(join(directory, 'blobs/sha256', hex), bytes)
  return { digest: `sha256:${hex}`, size: bytes.length }
}
