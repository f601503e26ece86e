/**
 * Loads everything a running cloud loads and ends: what Node compiled and stripped of its types on the way is in its
 * compile cache then. The launcher runs it when there is no cache yet.
 */
await Promise.all([import('./cloud.ts'), import('./cli/up.ts'), import('./cli/detach.ts')])
