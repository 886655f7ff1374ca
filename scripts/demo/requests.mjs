// Requests from Node (a minimal machine has no curl), and who answered them, by the pods' own access logs.
import { get } from 'node:http'

export async function sendRequests(url, count) {
  for (let sent = 0; sent < count; sent += 10)
    await Promise.all(Array.from({ length: Math.min(10, count - sent) }, () => request(url)))
}

/** One request on a connection of its own, so that each is balanced anew. */
function request(url) {
  return new Promise((resolve, reject) => {
    const sent = get(url, { agent: false, timeout: 5000 }, (answer) => {
      answer.resume()
      answer.once('end', () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`${url} answered ${answer.statusCode}`)),
      )
    })
    sent.once('timeout', () => sent.destroy(new Error(`${url} did not answer in 5 s`)))
    sent.once('error', reject)
  })
}

/** Rows [pod, answers]; throws unless every request is found in exactly one log and each pod answered some. */
export async function countAnswers(cluster, pods, marker, expected) {
  const rows = []
  for (const pod of pods) {
    const log = await cluster.kubectl(['logs', pod.metadata.name], { quiet: true })
    rows.push([pod.metadata.name, log.split('\n').filter((line) => line.includes(`${marker} `)).length])
  }
  const total = rows.reduce((sum, [, answers]) => sum + answers, 0)
  if (total !== expected) throw new Error(`${expected} requests were sent, the pods' logs hold ${total}`)
  if (rows.some(([, answers]) => answers === 0)) throw new Error('one pod answered nothing')
  return rows
}
