import { Authz1, arrayOf, boolean, definePlugin, object, optional, string } from '@gantry/sdk';
import { openAllowList } from './allow-list';

export const plugin = definePlugin({
  name: 'authz-allow-list',
  version: '1.0.0',
  engine: '^0.1.0',
  provides: { 'allow-list': Authz1 },
  config: object({
    allow: arrayOf(string({ pattern: /^(\*|[A-Z]+) [/*]\S*$/ })),
    privileged: optional(boolean(), false),
    ownerLabel: optional(string()),
  }),
  start: async ({ config }) => ({ 'allow-list': openAllowList(config) }),
});
