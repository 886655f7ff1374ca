import type { OwnNetwork } from './own-network.ts'

const program = `
const { get } = require('node:http')
const [url, count] = process.argv.slice(1)
const one = () => new Promise((resolve) => {
  const request = get(url, { agent: false, timeout: 5000 }, (answer) => {
    let text = ''
    answer.setEncoding('utf8').on('data', (part) => { text += part }).on('end', () => resolve(text.trim()))
  })
  request.on('timeout', () => request.destroy(new Error('timeout')))
  request.on('error', (error) => resolve('error: ' + (error.code ?? error.message)))
})
;(async () => { for (let i = 0; i < Number(count); i++) console.log(await one()) })()`

/** Asks a URL from inside a network, each time over a connection of its own; what was answered, in order. */
export async function fetchInside(network: OwnNetwork, url: string, count = 1): Promise<string[]> {
  const { stdout } = await network.run(process.execPath, ['-e', program, url, `${count}`])
  return stdout.trim().split('\n')
}

/**
 * As `fetchInside`, from a pod that has busybox. By nc: wget of Debian's busybox-static crashes where no name service
 * is configured.
 */
export async function fetchInPod(
  cluster: { ask(...args: string[]): Promise<string> },
  pod: string,
  url: string,
  count = 1,
): Promise<string[]> {
  const { hostname, port } = new URL(url)
  const request = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${hostname} ${port || 80} | tail -n 1`
  const loop = `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); ${request}; done`
  return (await cluster.ask('exec', pod, '--', 'sh', '-c', loop)).trim().split('\n')
}

/** How often each answer came. */
export function tally(answers: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1
  return counts
}
