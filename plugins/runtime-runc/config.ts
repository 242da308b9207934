import { integer, object, optional } from '@gantry/sdk';

/** The section `plugins.runtime-runc.config` of daemon.json. */
export const runtimeConfig = object({
  /** Spare shims kept ready while containers are being created. Each takes about 2 MiB. */
  'warm-shims': optional(integer({ min: 0, max: 16 }), 2),
});
