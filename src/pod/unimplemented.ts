import type { RuntimeService } from '../../cri/service.ts'
import { KeelsonError } from '../base/index.ts'

/** The RPCs that are not here yet: each answers UNIMPLEMENTED and says its name. */
export const unimplemented = {
  checkpointContainer: refusal('CheckpointContainer'),
  checkpointPod: refusal('CheckpointPod'),
  restorePod: refusal('RestorePod'),
} satisfies Partial<RuntimeService>

function refusal(op: string): () => Promise<never> {
  return async () => {
    throw new KeelsonError('UNIMPLEMENTED', `${op} is not supported yet`, { op })
  }
}
