import { readFileSync } from 'node:fs'
import { defaultSpec } from '../../../oci/default-spec.ts'
import { defaultSeccompProfile } from '../../../oci/seccomp/index.ts'
import { decideCreate } from './decide.ts'
import type { FrontRequest } from './request.ts'

/**
 * Decides about a create that nobody asked for, so that the first front does not have to wait until this program has
 * been compiled (0.2 s). Where it cannot be decided, nothing is lost.
 */
export async function warmUp(build: string): Promise<void> {
  for (let round = 0; round < rounds; round++)
    await decideCreate(requestOf(build), async () => config()).catch(() => undefined)
}

function config(): string {
  const spec = defaultSpec()
  const seccomp = defaultSeccompProfile({ capabilities: spec.process?.capabilities?.bounding ?? [] })
  return JSON.stringify({
    ...spec,
    process: { ...spec.process, terminal: false },
    linux: { ...spec.linux, seccomp },
  })
}

const rounds = 20

function requestOf(build: string): FrontRequest {
  const own = (name: string) => readFileSync(`/proc/self/${name}`, 'utf8')
  return {
    build,
    pid: process.pid,
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    fileLimit: { soft: 1024n, hard: 1024n },
    cwd: '/',
    uidMap: own('uid_map'),
    cgroup: own('cgroup'),
    mountinfo: own('mountinfo'),
    words: ['create', 'warm-up'],
    env: {},
  }
}
