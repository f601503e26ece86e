import type { Rules } from '../../platform/auth/policy.ts'

const admin = 'rule:context_is_admin'
const member = 'role:member and project_id:%(project_id)s'
const reader = 'role:reader and project_id:%(project_id)s'
const anyoneWhoSees =
  "(project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s)"
const metadefAdmin = 'rule:metadef_admin'
const inNamespace = "role:admin or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))"

/**
 * Upstream's rule names and defaults; rules of what does not exist here are absent.
 * Source: Glance configuration guide, "Policies" (2023.1, secure defaults).
 */
export const imagePolicy: Rules = {
  context_is_admin: 'role:admin',
  default: '',
  add_image: `${admin} or (${member} and project_id:%(owner)s)`,
  delete_image: `${admin} or (${member})`,
  get_image: `${admin} or (role:reader and ${anyoneWhoSees})`,
  get_images: `${admin} or (${reader})`,
  modify_image: `${admin} or (${member})`,
  publicize_image: admin,
  communitize_image: `${admin} or (${member})`,
  download_image: `${admin} or (role:member and ${anyoneWhoSees})`,
  upload_image: `${admin} or (${member})`,
  add_member: `${admin} or (${member})`,
  delete_member: `${admin} or (${member})`,
  get_member: `${admin} or role:reader and (project_id:%(project_id)s or project_id:%(member_id)s)`,
  get_members: `${admin} or role:reader and (project_id:%(project_id)s or project_id:%(member_id)s)`,
  modify_member: `${admin} or (role:member and project_id:%(member_id)s)`,
  copy_image: admin,
  get_image_location: `${admin} or (${reader})`,
  set_image_location: `${admin} or (${member})`,
  delete_image_location: `${admin} or (${member})`,
  stores_info_detail: admin,
  deactivate: `${admin} or (${member})`,
  reactivate: `${admin} or (${member})`,
  get_task: 'rule:default',
  get_tasks: 'rule:default',
  tasks_api_access: 'role:admin',
  metadef_default: '',
  metadef_admin: 'role:admin',
  get_metadef_namespace: inNamespace,
  get_metadef_namespaces: `role:admin or (${reader})`,
  modify_metadef_namespace: metadefAdmin,
  add_metadef_namespace: metadefAdmin,
  delete_metadef_namespace: metadefAdmin,
  get_metadef_object: inNamespace,
  get_metadef_objects: inNamespace,
  modify_metadef_object: metadefAdmin,
  add_metadef_object: metadefAdmin,
  delete_metadef_object: metadefAdmin,
  list_metadef_resource_types: inNamespace,
  get_metadef_resource_type: inNamespace,
  add_metadef_resource_type_association: metadefAdmin,
  remove_metadef_resource_type_association: metadefAdmin,
  get_metadef_property: inNamespace,
  get_metadef_properties: inNamespace,
  modify_metadef_property: metadefAdmin,
  add_metadef_property: metadefAdmin,
  remove_metadef_property: metadefAdmin,
  get_metadef_tag: inNamespace,
  get_metadef_tags: inNamespace,
  modify_metadef_tag: metadefAdmin,
  add_metadef_tag: metadefAdmin,
  add_metadef_tags: metadefAdmin,
  delete_metadef_tag: metadefAdmin,
  delete_metadef_tags: metadefAdmin,
}
