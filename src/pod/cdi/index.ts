/** Container Device Interface: what vendors' files say of a device, done to the containers that ask for it. */
export { applyEdits } from './apply.ts'
export { requestedDevices, resolveDevices } from './resolve.ts'
