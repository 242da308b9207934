import { object, optional, string } from '@gantry/sdk';

/** The plugin's own section of `daemon.json`. */
export const imagesConfig = object({
  /** Folder with certificates of registries: `<host:port>/*.crt`, `*.cert` and `*.key`. */
  certificates: optional(string({ pattern: /^\// }), '/etc/docker/certs.d'),
});
