// Where the demo's image comes from: the registry of that name, or the host distribution's nginx behind a mirror.
import { join } from 'node:path'
import { buildNginxImage } from './nginx-image.mjs'
import { pushImage, startRegistry } from './registry.mjs'
import { say } from './shell.mjs'

const accepted = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]

export async function obtainImage(folder) {
  const problem = await publicImageProblem()
  if (problem === undefined) {
    say('  the public registry has it: it is pulled from there')
    return { mirrors: {}, stop: async () => undefined }
  }
  say(`  the public registry cannot serve it here (${problem})`)
  say("  so an image is built from this distribution's nginx packages and pushed to a registry on loopback;")
  say('  a mirror entry makes the cluster ask there for docker.io. The manifest stays as it is.')
  const registry = await startRegistry(join(folder, 'registry'))
  const digest = await pushImage(registry.url, 'library/nginx', '1.7.9', await buildNginxImage())
  say(`  pushed ${registry.host}/library/nginx:1.7.9  ${digest}`)
  return {
    mirrors: { 'docker.io': { endpoints: [registry.url], plainHttp: true } },
    stop: async () => registry.stop(),
  }
}

/** Undefined when the image can be pulled; otherwise why not. Old tags may be there in a format nobody runs today. */
async function publicImageProblem() {
  try {
    const signal = AbortSignal.timeout(4000)
    const auth = await fetch(
      'https://auth.docker.io/token?service=registry.docker.io&scope=repository:library/nginx:pull',
      { signal },
    )
    const { token } = await auth.json()
    const answer = await fetch('https://registry-1.docker.io/v2/library/nginx/manifests/1.7.9', {
      signal,
      headers: { authorization: `Bearer ${token}`, accept: accepted.join(', ') },
    })
    if (!answer.ok) return `it answers ${answer.status}`
    const type = answer.headers.get('content-type')?.split(';')[0]
    return accepted.includes(type) ? undefined : `it has only the old format ${type}`
  } catch (error) {
    return error.cause?.code ?? error.message
  }
}
