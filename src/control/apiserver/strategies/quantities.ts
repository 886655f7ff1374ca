import { parseQuantity } from '../../../api/index.ts'
import { hasCode } from '../../../base/index.ts'

export { compareQuantities } from '../../../api/index.ts'

export function isQuantity(text: string): boolean {
  try {
    parseQuantity(text)
    return true
  } catch (error) {
    if (hasCode(error, 'INVALID_ARGUMENT')) return false
    throw error
  }
}
