import type { MetricType } from '../../../cri/types.ts'
import type { PodReading, Reading } from './reading.ts'

/**
 * One metric: its descriptor and how its values are had from a reading. Names, types and labels are those by which
 * Kubernetes' monitoring knows them (cAdvisor's). CRI's values are whole numbers, so seconds are whole seconds.
 */
export interface MetricFamily<From = Reading> {
  name: string
  help: string
  type: MetricType
  /** After those that every metric has. */
  labels?: readonly string[]
  read(reading: From): readonly Sample[]
}

/** Of a pod's own cgroup and network as well, or only of what it says. */
export type PodFamily = MetricFamily<PodReading>

export interface Sample {
  value: bigint
  /** As many as the family has labels. */
  labels?: readonly string[]
}

/** None for a number that this host does not count. */
export function sample(value: bigint | undefined, ...labels: string[]): Sample[] {
  return value === undefined ? [] : [{ value, labels }]
}

export function seconds(ns: bigint): bigint {
  return ns / 1_000_000_000n
}
