import { definePlugin, object, SpecHook1, string } from '@gantry/sdk';
import { houseRules } from './house-rules';

export const plugin = definePlugin({
  name: 'house-rules',
  version: '1.0.0',
  engine: '^0.1.0',
  provides: { 'house-rules': SpecHook1 },
  config: object({
    /** The value of HOUSE in every container. */
    house: string({ pattern: /./ }),
    /** A file or directory of the host that every container sees, read-only, at /etc/house-rules. */
    rules: string({ pattern: /^\// }),
  }),
  start: ({ config }) => ({ 'house-rules': houseRules(config) }),
});
