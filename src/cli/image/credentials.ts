import { homedir } from 'node:os'
import { credentialFiles, dockerCredentials, parseReference, type RegistryAuth } from '../../image/index.ts'
import type { Context } from '../context.ts'

/**
 * What `docker login` or `podman login` left for whoever types the command: also where another process has the store,
 * which knows nothing of that person.
 */
export async function authFor({ environment }: Context, reference: string): Promise<{ auth?: RegistryAuth }> {
  const credentials = dockerCredentials({ environment, files: credentialFiles(environment, homedir()) })
  const { host, repository } = parseReference(reference)
  const auth = await credentials(host, repository)
  return auth ? { auth } : {}
}
