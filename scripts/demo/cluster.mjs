// The running cluster as the demo needs it: kubectl, a watch of pods, and the process of a container.
import { readdir, readFile } from 'node:fs/promises'
import { ApiClient, createHttpTransport, readKubeconfig, resources } from '../../dist/src/api/index.js'
import { root, run, say, tryRun } from './shell.mjs'

export class Cluster {
  static async open(keelson) {
    const status = JSON.parse(await run(keelson, ['status', '--json'], { quiet: true }))
    return new Cluster(
      status.kubeconfig,
      new ApiClient(createHttpTransport((await readKubeconfig(status.kubeconfig)).transport)),
    )
  }

  constructor(kubeconfig, client) {
    this.kubeconfig = kubeconfig
    this.client = client
  }

  kubectl(args, options = {}) {
    return run('kubectl', args, { ...options, cwd: root, env: { KUBECONFIG: this.kubeconfig } })
  }

  /** Removes what an earlier demo left, quietly. */
  async forget(...files) {
    const args = files.flatMap((file) => ['-f', file])
    await tryRun('kubectl', ['delete', '--ignore-not-found', ...args], {
      cwd: root,
      env: { KUBECONFIG: this.kubeconfig },
    })
    const watch = await this.watchPods('app=nginx')
    await watch.until('the pods of an earlier demo are gone', (list) => list.length === 0)
    watch.stop()
  }

  async watchPods(labelSelector) {
    const watch = new PodWatch(this.client, labelSelector)
    await watch.start()
    return watch
  }

  /** Sends SIGKILL to the first process of the pod's container, found by its cgroup. */
  async killContainer(pod) {
    const id = pod.status.containerStatuses[0].containerID.split('://')[1]
    const pids = (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .sort((a, b) => a - b)
    for (const pid of pids) {
      const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')
      const command = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
      if (cgroup.includes(id) && command.trim() === 'nginx') {
        process.kill(pid, 'SIGKILL')
        return pid
      }
    }
    throw new Error(`no process of container ${id} was found`)
  }
}

class PodWatch {
  #pods = new Map()
  #history = new Map()
  #waiting = new Set()
  #abort = new AbortController()

  constructor(client, labelSelector) {
    this.client = client
    this.labelSelector = labelSelector
  }

  async start() {
    const list = await this.client.list(resources.pods, {
      namespace: 'default',
      labelSelector: this.labelSelector,
    })
    for (const pod of list.items) this.#see('ADDED', pod)
    void this.#follow(list.resourceVersion).catch((error) => {
      if (!this.#abort.signal.aborted) say(`  watch ended: ${error.message}`)
    })
  }

  async #follow(resourceVersion) {
    const events = this.client.watch(resources.pods, {
      namespace: 'default',
      labelSelector: this.labelSelector,
      resourceVersion,
      signal: this.#abort.signal,
    })
    for await (const { type, object } of events) this.#see(type, object)
  }

  #see(type, pod) {
    if (type === 'BOOKMARK' || type === 'ERROR') return
    const { uid } = pod.metadata
    if (type === 'DELETED') this.#pods.delete(uid)
    else this.#pods.set(uid, pod)
    this.#history.set(uid, [...(this.#history.get(uid) ?? []), { atMs: Date.now(), object: pod }])
    for (const check of this.#waiting) check()
  }

  history(uid) {
    return this.#history.get(uid) ?? []
  }

  /** Waits for a state of all pods together; fails after 60 s, naming what was waited for. */
  until(what, holds, timeoutMs = 60_000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(check)
        reject(new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`))
      }, timeoutMs)
      const check = () => {
        const list = [...this.#pods.values()]
        if (!holds(list)) return
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve(list)
      }
      this.#waiting.add(check)
      check()
    })
  }

  async time(what, holds) {
    const startedMs = Date.now()
    await this.until(what, holds)
    return Date.now() - startedMs
  }

  stop() {
    this.#abort.abort()
  }
}
