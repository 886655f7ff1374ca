import type { Collected } from '../../image/index.ts'
import { Counter, type Definition, exposition, Gauge, Histogram, type Metric } from './metric.ts'

/** What `keelson cri` counts; docs/reference/metrics.md is made from it. Times are in seconds, sizes in bytes. */
const definitions = {
  requests: named('keelson_cri_requests_total', 'CRI calls answered, by gRPC status.', 'method', 'code'),
  requestSeconds: named('keelson_cri_request_seconds', 'From a CRI call to its answer.', 'method'),
  requestsInFlight: named(
    'keelson_cri_requests_in_flight',
    'CRI calls being worked on, endless streams included.',
  ),
  pods: named('keelson_pods', 'Pod sandboxes by state.', 'state'),
  containers: named('keelson_containers', 'Containers by state.', 'state'),
  images: named('keelson_images', 'Images in the store.'),
  imageBytes: named('keelson_image_store_bytes', 'What images and writable layers take on disk.'),
  pulls: named('keelson_image_pulls_total', 'Pulls ended, by result: ok or failed.', 'result'),
  pullSeconds: named('keelson_image_pull_seconds', 'From the request for an image until it is unpacked.'),
  pullBytes: named('keelson_image_pull_bytes_total', 'Layer bytes downloaded, compressed.'),
  imagesCollected: named(
    'keelson_images_collected_total',
    'Images removed because the disk was fuller than images.garbage allows.',
  ),
  collectedBytes: named('keelson_images_collected_bytes_total', 'Bytes of the disk that this freed.'),
  missingBytes: named(
    'keelson_images_collected_too_few_bytes',
    'Bytes that were still to be freed after the last look, with no image left that may go.',
  ),
  phaseSeconds: named(
    'keelson_start_phase_seconds',
    'Parts of what it takes to start a pod and its containers: namespaces and network of a sandbox, snapshot, create and start of a container, and record, a durable write of either.',
    'phase',
  ),
  recoverySeconds: named(
    'keelson_recovery_seconds',
    'From the start of this process until it had found all pods again.',
  ),
  build: named('keelson_build_info', 'Always 1; which build this is.', 'version', 'commit'),
  cpuSeconds: named('process_cpu_seconds_total', 'Processor time of this process, user and system.'),
  residentBytes: named('process_resident_memory_bytes', 'Resident memory of this process.'),
  openFds: named('process_open_fds', 'Open descriptors of this process.'),
  startTime: named('process_start_time_seconds', 'When this process started, since the epoch.'),
  heapBytes: named('nodejs_heap_size_used_bytes', "Used part of V8's heap."),
  loopSeconds: named(
    'nodejs_eventloop_lag_seconds',
    'Longest delay of the event loop since the last scrape.',
  ),
} as const

const callBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const phaseBounds = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5]
const pullBounds = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

export class CriMetrics {
  readonly requests = new Counter(definitions.requests)
  readonly requestSeconds = new Histogram(definitions.requestSeconds, callBounds)
  readonly requestsInFlight = new Gauge(definitions.requestsInFlight)
  readonly pods = new Gauge(definitions.pods)
  readonly containers = new Gauge(definitions.containers)
  readonly images = new Gauge(definitions.images)
  readonly imageBytes = new Gauge(definitions.imageBytes)
  readonly pulls = new Counter(definitions.pulls)
  readonly pullSeconds = new Histogram(definitions.pullSeconds, pullBounds)
  readonly pullBytes = new Counter(definitions.pullBytes)
  readonly imagesCollected = new Counter(definitions.imagesCollected)
  readonly collectedBytes = new Counter(definitions.collectedBytes)
  readonly missingBytes = new Gauge(definitions.missingBytes)
  readonly phaseSeconds = new Histogram(definitions.phaseSeconds, phaseBounds)
  readonly recoverySeconds = new Gauge(definitions.recoverySeconds)
  readonly build = new Gauge(definitions.build)
  readonly cpuSeconds = new Gauge(definitions.cpuSeconds, 'counter')
  readonly residentBytes = new Gauge(definitions.residentBytes)
  readonly openFds = new Gauge(definitions.openFds)
  readonly startTime = new Gauge(definitions.startTime)
  readonly heapBytes = new Gauge(definitions.heapBytes)
  readonly loopSeconds = new Gauge(definitions.loopSeconds)

  countCollected({ images, bytes, missingBytes }: Collected): void {
    this.imagesCollected.add({}, images.length)
    this.collectedBytes.add({}, bytes)
    this.missingBytes.set({}, missingBytes)
  }

  all(): Metric[] {
    return Object.values(this)
  }

  text(): string {
    return exposition(this.all())
  }
}

function named<const Label extends string = never>(
  name: string,
  help: string,
  ...labels: Label[]
): Definition<Label> {
  return { name, help, labels }
}
