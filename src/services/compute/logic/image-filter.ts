/** Names that mean the same machine. */
const architectures: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  x64: 'x86_64',
  arm64: 'aarch64',
  i386: 'i686',
  x86: 'i686',
}
const canonical = (architecture: string): string => {
  const name = architecture.toLowerCase()
  return architectures[name] ?? name
}

/**
 * Why a host can not run an image; null when it can. Source: Compute admin guide, "ImagePropertiesFilter"; the values are
 * those of Nova's old Docker driver.
 */
export function imageMismatch(
  architecture: string | undefined,
  properties: Readonly<Record<string, string>>,
): string | null {
  const wantedType = properties.img_hv_type ?? properties.hypervisor_type
  if (wantedType && wantedType.toLowerCase() !== 'docker') return `hypervisor_type: wanted ${wantedType}, is docker`
  const mode = properties.hw_vm_mode ?? properties.vm_mode
  if (mode && mode.toLowerCase() !== 'exe') return `vm_mode: wanted ${mode}, is exe`
  const wanted = properties.hw_architecture ?? properties.architecture
  if (!wanted || !architecture) return null
  const runs = canonical(architecture)
  const fits = canonical(wanted) === runs || (canonical(wanted) === 'i686' && runs === 'x86_64')
  return fits ? null : `architecture: wanted ${wanted}, is ${runs}`
}
