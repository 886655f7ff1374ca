/** The command line as somebody who is not root, in a home of its own, with subordinate ids where they are asked for. */
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { systemPath } from './inside.ts'
import { type Outcome, runProgram } from './oci-programs.ts'

export const hasNewuidmap = existsSync('/usr/bin/newuidmap') && existsSync('/usr/bin/newgidmap')

export interface OrdinaryUser {
  uid: number
  home: string
  run(program: string, args: readonly string[], options?: { cwd?: string }): Promise<Outcome>
}

/** Its ranges are those of an /etc/subuid that only its programs see: the machine's own files stay as they are. */
export function ordinaryUser(folder: string, uid: number, ranges?: string): OrdinaryUser {
  const home = join(folder, `home-${uid}`)
  mkdirSync(join(home, 'run'), { recursive: true })
  for (const path of [home, join(home, 'run')]) chownSync(path, uid, uid)
  const etc = ranges === undefined ? undefined : ownEtc(folder, uid, ranges)
  const environment = [`HOME=${home}`, `XDG_RUNTIME_DIR=${join(home, 'run')}`, `PATH=${systemPath}`]
  const become = [
    'setpriv',
    '--reuid',
    `${uid}`,
    '--regid',
    `${uid}`,
    '--clear-groups',
    'env',
    '-i',
    ...environment,
  ]
  return {
    uid,
    home,
    run(program, args, options = {}) {
      const words = [...become, program, ...args]
      if (etc === undefined) return runProgram('setpriv', words.slice(1), options)
      const script = `mount -t overlay overlay -o lowerdir=/etc,upperdir=${etc.upper},workdir=${etc.work} /etc && exec "$@"`
      return runProgram(
        'unshare',
        ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', ...words],
        options,
      )
    },
  }
}

function ownEtc(folder: string, uid: number, ranges: string): { upper: string; work: string } {
  const [upper, work] = [join(folder, `etc-${uid}`), join(folder, `work-${uid}`)]
  for (const path of [upper, work]) mkdirSync(path)
  chmodSync(upper, 0o755)
  // newuidmap asks for a name.
  const users = readFileSync('/etc/passwd', 'utf8')
  writeFileSync(join(upper, 'passwd'), `${users}keelson-${uid}:x:${uid}:${uid}::/:/bin/sh\n`)
  for (const name of ['subuid', 'subgid']) writeFileSync(join(upper, name), `${uid}:${ranges}\n`)
  return { upper, work }
}

/** As `chown -R`, links themselves too. */
export function giveTree(path: string, uid: number): void {
  lchownSync(path, uid, uid)
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const below = join(path, entry.name)
    if (entry.isDirectory()) giveTree(below, uid)
    else lchownSync(below, uid, uid)
  }
}
