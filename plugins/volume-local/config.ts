import { object, optional, string } from '@gantry/sdk';

export const localVolumesConfig = object({
  /** Where volumes are kept; `<data-root>/volumes` when absent. */
  root: optional(string({ pattern: /^\// })),
});
