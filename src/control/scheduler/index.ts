/** Gives pods nodes. It meets the rest of the control plane only through the API. */
export { type RecordEvent, Scheduler, type SchedulerOptions } from './scheduler.ts'
