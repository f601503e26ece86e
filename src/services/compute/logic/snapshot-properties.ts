import type { Server } from '../db/servers.ts'

/** The properties of the image that the server was made from, what Nova adds, and what the caller asked for. */
export function propertiesOf(server: Server, metadata: Readonly<Record<string, string>>): Record<string, string> {
  return {
    ...server.image.properties,
    base_image_ref: server.imageId,
    image_type: 'snapshot',
    image_location: 'snapshot',
    image_state: 'available',
    instance_uuid: server.id,
    owner_id: server.projectId,
    user_id: server.userId,
    ...metadata,
  }
}
