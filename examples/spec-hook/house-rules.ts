import { forbidden, type SpecHook } from '@gantry/sdk';

/** No privileged containers; a variable from the creation on; a mount at each start. */
export function houseRules({ house, rules }: { readonly house: string; readonly rules: string }): SpecHook {
  return {
    order: 50,
    async onCreate({ config, hostConfig }) {
      if (hostConfig.Privileged === true)
        throw forbidden('privileged containers are not allowed here: ask for the capability you need with --cap-add');
      const given = config.Env as string[];
      // What the user says wins.
      if (given.some((entry) => entry.startsWith('HOUSE='))) return undefined;
      return { config: { Env: [...given, `HOUSE=${house}`] } };
    },
    async onSpec({ spec }) {
      const destination = '/etc/house-rules';
      if (spec.mounts.some((mount) => mount.destination === destination)) return undefined;
      const mount = { destination, type: 'bind', source: rules, options: ['bind', 'ro'] };
      return { mounts: [...spec.mounts, mount] };
    },
  };
}
