import { stat, statfs } from 'node:fs/promises'
import type { LinkStatistics } from '../../kernel/index.ts'
import {
  type CgroupInForce,
  type CgroupUsage,
  type ContainerStats,
  processesAt,
  readInForce,
  readStats,
  readUsage,
} from '../../oci/index.ts'
import { containerCgroup } from '../cgroup-place.ts'
import { isRunning } from '../container-stats.ts'
import { nowNs, type PodContext } from '../context.ts'
import { podLinks } from '../pod-sandbox-stats.ts'
import type { ContainerRecord, SandboxRecord } from '../records.ts'
import { deviceName } from './device-name.ts'
import { type ProcessTotals, processTotals } from './process-totals.ts'

/** All that the metrics of one cgroup are made from, read once. */
export interface Reading {
  atNs: bigint
  beganAtNs: bigint
  usage: CgroupUsage
  stats: ContainerStats
  inForce: CgroupInForce
  processes: ProcessTotals
  /** `/dev/sda` of the devices that were read or written, by `8:0`. */
  deviceNames: ReadonlyMap<string, string>
}

export interface PodReading extends Reading {
  links: readonly LinkStatistics[]
}

export interface ContainerReading extends Reading {
  disk: DiskReading
}

/** The file system that the writable layer lies on, and what the layer takes of it. */
export interface DiskReading {
  device: string
  usedBytes: bigint
  totalBytes: bigint
  inodes: bigint
  inodesFree: bigint
}

/** Undefined once the cgroup is gone. */
export async function readPod(context: PodContext, record: SandboxRecord): Promise<PodReading | undefined> {
  const [reading, links] = await Promise.all([
    readCgroup(context, record.cgroupPath, record.createdAtNs),
    podLinks(context, record),
  ])
  return reading && { ...reading, links: links ?? [] }
}

export async function readContainer(
  context: PodContext,
  { cgroupPath }: SandboxRecord,
  record: ContainerRecord,
): Promise<ContainerReading | undefined> {
  if (!isRunning(record)) return undefined
  const beganAtNs = record.startedAtNs ?? record.createdAtNs
  const [reading, disk] = await Promise.all([
    readCgroup(context, containerCgroup(cgroupPath, record.id), beganAtNs),
    readDisk(context, record.id),
  ])
  return reading && { ...reading, disk }
}

async function readCgroup(
  { cgroupLayout, clock }: PodContext,
  path: string,
  beganAtNs: bigint,
): Promise<Reading | undefined> {
  const usage = await readUsage(cgroupLayout, path)
  if (!usage) return undefined
  const [stats, inForce, processes] = await Promise.all([
    readStats(cgroupLayout, path),
    readInForce(cgroupLayout, path),
    processesAt(cgroupLayout, path).then(processTotals),
  ])
  const deviceNames = await namesOf(stats)
  return { atNs: nowNs(clock), beganAtNs, usage, stats, inForce, processes, deviceNames }
}

async function namesOf({ blkio }: ContainerStats): Promise<Map<string, string>> {
  const all = [...blkio.ioServiceBytesRecursive, ...blkio.ioServicedRecursive]
  const numbers = [...new Set(all.map(({ major, minor }) => `${major}:${minor}`))]
  return new Map(
    await Promise.all(numbers.map(async (number) => [number, await deviceName(number)] as const)),
  )
}

async function readDisk({ images }: PodContext, id: string): Promise<DiskReading> {
  const [{ mountpoint }, { bytes }] = await Promise.all([
    images.filesystem(),
    images.snapshots.usage(id).catch(() => ({ bytes: 0 })), // it is being removed
  ])
  const { dev } = await stat(mountpoint)
  const { bsize, blocks, files, ffree } = await statfs(mountpoint, { bigint: true })
  // dev_t as glibc packs it, makedev(3).
  const number = `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`
  return {
    device: await deviceName(number),
    usedBytes: BigInt(bytes),
    totalBytes: bsize * blocks,
    inodes: files,
    inodesFree: ffree,
  }
}
