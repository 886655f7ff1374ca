import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { directory, file, sha256, symlink, tar } from '../../test/support/archive.ts'
import { findPeer } from '../../test/support/peers.ts'

/** One layer as an uncompressed tar, and what the image's configuration says to run. */
export interface BenchImage {
  layer: Buffer
  config: { Cmd: string[]; Env?: string[] }
}

/** busybox-static with the commands that payloads use. */
export async function busyboxImage(): Promise<BenchImage> {
  const busybox = findPeer('busybox')
  if (busybox === undefined) throw new Error('busybox-static is not installed')
  const layer = await tar(
    ...['bin', 'dev', 'etc', 'proc', 'sys', 'tmp'].map((name) => directory(name)),
    file('bin/busybox', readFileSync(busybox), { mode: 0o755 }),
    ...['sh', 'sleep', 'true'].map((name) => symlink(`bin/${name}`, 'busybox')),
  )
  return { layer, config: { Cmd: ['/bin/sleep', '1000000'], Env: ['PATH=/bin'] } }
}

/** containerd's sandboxes need one; the compiled program is all there is in it. */
export async function pauseImage(): Promise<BenchImage> {
  const folder = await mkdtemp(join(tmpdir(), 'keelson-bench-pause-'))
  try {
    const program = join(folder, 'pause')
    const source = join(dirname(fileURLToPath(import.meta.url)), 'pause.c')
    execFileSync('cc', ['-O2', '-static', '-s', '-o', program, source], { stdio: 'inherit' })
    const layer = await tar(file('pause', readFileSync(program), { mode: 0o755 }))
    return { layer, config: { Cmd: ['/pause'] } }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** An OCI image layout as one tar, as `ctr images import` reads it. */
export async function ociArchive(name: string, { layer, config }: BenchImage): Promise<Buffer> {
  const blobs = new Map<string, Buffer>()
  const add = (mediaType: string, bytes: Buffer) => {
    const digest = sha256(bytes)
    blobs.set(`blobs/sha256/${digest.slice('sha256:'.length)}`, bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const json = (value: unknown) => Buffer.from(JSON.stringify(value))
  const type = (of: string) => `application/vnd.oci.image.${of}`
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
  const manifest = add(
    type('manifest.v1+json'),
    json({
      schemaVersion: 2,
      mediaType: type('manifest.v1+json'),
      config: add(
        type('config.v1+json'),
        json({ architecture, os: 'linux', config, rootfs: { type: 'layers', diff_ids: [sha256(layer)] } }),
      ),
      layers: [add(type('layer.v1.tar+gzip'), gzipSync(layer))],
    }),
  )
  const annotations = { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name }
  return tar(
    file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    file('index.json', json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] })),
    ...[...blobs].map(([path, bytes]) => file(path, bytes)),
  )
}
