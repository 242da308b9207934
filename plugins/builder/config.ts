import { integer, object, optional } from '@gantry/sdk';

/** The plugin's section of daemon.json. */
export const builderConfig = object({
  /** The cache is brought below this after a build; space that named images use too does not count. */
  'cache-bytes': optional(integer({ min: 0 }), 10 * 1024 ** 3),
  /** What no build used for so long goes. */
  'cache-days': optional(integer({ min: 1 }), 30),
});
