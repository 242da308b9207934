import type { SecureContextOptions } from 'node:tls';

/** How https plugins are trusted and how we show ourselves to them; PEM texts. */
export interface PluginTls extends Pick<SecureContextOptions, 'ca' | 'cert' | 'key'> {
  /** Accepts any server certificate. Must be asked for; there is no unverified https by omission. */
  readonly insecureSkipVerify?: boolean;
}
