import { CloudError } from '../../../platform/errors.ts'

type Mapping = Record<string, unknown>

/**
 * The image that a block device mapping names as the boot disk, if it says no more than `imageRef` would: its own disk,
 * from an image, on the host. Everything else needs volumes.
 * @throws CloudError `badRequest` that names what cannot be had
 */
export function checkBlockDevices(server: {
  imageRef?: string
  block_device_mapping?: Mapping[]
  block_device_mapping_v2?: Mapping[]
}): string | undefined {
  const { block_device_mapping: old = [], block_device_mapping_v2: devices = [] } = server
  if (old.length > 0 && devices.length > 0) {
    const text = 'Using different block_device_mapping syntaxes is not allowed in the same request.'
    throw new CloudError('badRequest', text)
  }
  if (old.length > 0) throw noVolumes('block_device_mapping')
  let image: string | undefined
  for (const device of devices) {
    const { source_type: source, destination_type: destination = 'local', boot_index: index, uuid, image_id } = device
    if (source !== 'image' || destination !== 'local' || Number(index ?? -1) !== 0) {
      throw noVolumes(
        `source_type ${String(source)}, destination_type ${String(destination)}, boot_index ${String(index)}`,
      )
    }
    const named = uuid ?? image_id
    if (typeof named !== 'string') {
      throw new CloudError('badRequest', 'Block Device Mapping is Invalid: Missing device UUID.')
    }
    if (image !== undefined || (server.imageRef && server.imageRef !== named)) {
      throw new CloudError(
        'badRequest',
        'Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping combination is not valid.',
      )
    }
    image = named
  }
  return image
}

const noVolumes = (what: string): CloudError =>
  new CloudError(
    'badRequest',
    `Block Device Mapping is Invalid: only the boot disk from an image is possible (source_type image, destination_type local, boot_index 0), as there is no block storage service; asked for was ${what}.`,
  )
