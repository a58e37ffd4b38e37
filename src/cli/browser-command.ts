type Env = Readonly<Record<string, string | undefined>>

/**
 * What opens a URL in the person's browser; null: there is none to be seen from here, as over SSH (pure).
 *
 * `BROWSER` names one, as other programs understand it.
 */
export const browserCommand = (platform: string, env: Env): [string, ...string[]] | null => {
  const { BROWSER: named, DISPLAY: display, WAYLAND_DISPLAY: wayland, SSH_CONNECTION: ssh } = env
  if (named !== undefined && named !== '') return [named]
  if (ssh !== undefined) return null
  if (platform === 'darwin') return ['open']
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler']
  return display === undefined && wayland === undefined ? null : ['xdg-open']
}
