import { KeelsonError } from '../../../base/index.ts'

/** What a front says of itself: the first message of a conversation (native/front/request.c writes it). */
export interface FrontRequest {
  /** Of the package that the front belongs to. */
  build: string
  pid: number
  /** Effective ones, in its own user namespace. */
  uid: number
  gid: number
  /** RLIMIT_NOFILE. */
  fileLimit: { soft: bigint; hard: bigint }
  cwd: string
  /** Texts of its own /proc/self. */
  uidMap: string
  cgroup: string
  mountinfo: string
  /** Its command line, without the program's name. */
  words: string[]
  env: Record<string, string>
}

/** Texts that each end with NUL. */
export function encodeRequest(request: FrontRequest): Buffer {
  const { build, pid, uid, gid, fileLimit, cwd, uidMap, cgroup, mountinfo, words, env } = request
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  return Buffer.from(
    [build, pid, uid, gid, fileLimit.soft, fileLimit.hard, cwd, uidMap, cgroup, mountinfo, words.length]
      .concat(words, variables)
      .map((one) => `${one}\0`)
      .join(''),
  )
}

/** INVALID_ARGUMENT for what no front writes. */
export function decodeRequest(bytes: Buffer): FrontRequest {
  const texts = bytes.toString('utf8').split('\0')
  if (texts.pop() !== '') throw malformed('its end')
  const [build = '', pid, uid, gid, soft, hard, cwd = '', uidMap = '', cgroup = '', mountinfo = '', count] =
    texts
  const numbers = [pid, uid, gid, soft, hard, count]
  if (!numbers.every((one) => one !== undefined && /^\d{1,20}$/.test(one))) throw malformed('a number')
  const rest = texts.slice(11)
  const words = rest.splice(0, Number(count))
  if (words.length < Number(count)) throw malformed('the words')
  return {
    build,
    pid: Number(pid),
    uid: Number(uid),
    gid: Number(gid),
    fileLimit: { soft: BigInt(soft ?? 0), hard: BigInt(hard ?? 0) },
    cwd,
    uidMap,
    cgroup,
    mountinfo,
    words,
    env: Object.fromEntries(rest.map(variable)),
  }
}

function variable(text: string): [string, string] {
  const end = text.indexOf('=')
  if (end < 1) throw malformed('a variable')
  return [text.slice(0, end), text.slice(end + 1)]
}

function malformed(what: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `request of a front: ${what} is not as it should be`)
}
