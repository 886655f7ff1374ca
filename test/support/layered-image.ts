import { execFileSync } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { addBlob, addJson } from './busybox-image.ts'

export const layeredName = 'docker.io/library/layers:test'

/**
 * Adds an image of two layers to an OCI layout: the upper replaces `both` and takes `lower` away (a whiteout). `dir` has
 * `inner`, and `link` leads to it from the image's root, wherever that is.
 */
export async function addLayeredImage(directory: string): Promise<void> {
  const [lower, upper] = [join(directory, 'lower-tree'), join(directory, 'upper-tree')]
  await mkdir(join(lower, 'dir'), { recursive: true })
  await mkdir(upper)
  await writeFile(join(lower, 'both'), 'lower')
  await writeFile(join(lower, 'lower'), 'lower')
  await writeFile(join(lower, 'dir/inner'), 'inner\n')
  await symlink('/dir', join(lower, 'link'))
  await writeFile(join(upper, 'both'), 'upper')
  await writeFile(join(upper, 'upper'), 'upper')
  await writeFile(join(upper, '.wh.lower'), '')
  await addImage(directory, layeredName, [await treeArchive(lower), await treeArchive(upper)])
}

/** Adds an image of these layers to an OCI layout. */
export async function addImage(
  directory: string,
  name: string,
  archives: readonly Buffer[],
  marks: Readonly<Record<string, string>> = {},
): Promise<void> {
  const layers = await Promise.all(archives.map((archive) => addBlob(directory, archive)))
  const config = await addJson(directory, {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
  })
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = await addJson(directory, {
    schemaVersion: 2,
    mediaType,
    annotations: marks,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer })),
  })
  const index = JSON.parse(await readFile(join(directory, 'index.json'), 'utf8'))
  const annotations = { 'org.opencontainers.image.ref.name': name }
  index.manifests.push({ mediaType, ...manifest, annotations })
  await writeFile(join(directory, 'index.json'), JSON.stringify(index))
}

async function treeArchive(tree: string): Promise<Buffer> {
  const archive = `${tree}.tar`
  execFileSync('tar', ['-C', tree, '--owner=0', '--group=0', '-cf', archive, '.'])
  return readFile(archive)
}
