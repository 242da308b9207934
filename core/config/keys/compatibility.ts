import { boolean, type ConfigProblem, type ConfigSchema, escapePointer, string } from '@gantry/sdk';
import { flagOf, key } from '../key';

/** `buildkit`: which builder clients are told to take, both are there; `cdi`: whether "cdi-spec-dirs" are looked at. */
const switchable: ReadonlySet<string> = new Set(['buildkit', 'cdi']);

/** Further features that dockerd can switch, and which way they stand here for good. */
const standing: Readonly<Record<string, { readonly is: boolean; readonly reason: string }>> = {
  'containerd-snapshotter': { is: false, reason: 'layers are kept without containerd' },
};

const features: ConfigSchema<Readonly<Record<string, boolean>>> = {
  expects: 'an object',
  parse(value, pointer = '') {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { ok: false, problems: [{ pointer, message: 'expected an object with a feature per key' }] };
    const problems: ConfigProblem[] = [];
    for (const [name, wanted] of Object.entries(value)) {
      const at = `${pointer}/${escapePointer(name)}`;
      if (switchable.has(name) && typeof wanted === 'boolean') continue;
      const known = Object.hasOwn(standing, name) ? standing[name]! : { is: false, reason: 'there is no such feature' };
      if (typeof wanted !== 'boolean')
        problems.push({ pointer: at, message: `expected true or false, got ${JSON.stringify(wanted)}` });
      else if (wanted !== known.is)
        problems.push({ pointer: at, message: `feature "${name}" cannot be ${wanted}: ${known.reason}` });
    }
    return problems.length > 0
      ? { ok: false, problems }
      : { ok: true, value: value as Readonly<Record<string, boolean>> };
  },
};

const ownNamespaces =
  'containers run under their own shims here, and those of each daemon are kept apart without names';

/** What dockerd's own unit files and common configurations ask for. */
export const compatibilityKeys = {
  features: key<Readonly<Record<string, boolean>>>({
    schema: features,
    fallback: {},
    merges: true,
    flag: {
      name: 'feature',
      takes: 'many',
      placeholder: 'name[=bool]',
      example: ['buildkit=false'],
      toJson: (texts) =>
        Object.fromEntries(
          texts.map((text) => {
            const [name = '', value = 'true'] = text.split('=', 2);
            if (name === '' || !/^(true|false|1|0)$/.test(value))
              throw new Error(`"${text}" is not of the form name or name=true or name=false`);
            return [name, value === 'true' || value === '1'];
          }),
        ),
    },
    reload: 'live',
    example: { buildkit: false },
    about: 'Features of dockerd, where they are as asked for',
  }),
  containerd: key({
    schema: string(),
    fallback: '',
    flag: flagOf.string('containerd'),
    reload: 'live',
    noEffect: 'containers run under their own shims here, without a containerd daemon',
    example: '/run/containerd/containerd.sock',
    about: 'Taken because unit files of dockerd give it; has no effect',
  }),
  'containerd-namespace': key({
    schema: string(),
    fallback: 'moby',
    flag: flagOf.string('containerd-namespace'),
    reload: 'live',
    noEffect: ownNamespaces,
    example: 'engine-2',
    about: 'Taken because scripts that start several daemons give it; has no effect',
  }),
  'containerd-plugin-namespace': key({
    schema: string(),
    fallback: 'plugins.moby',
    flag: flagOf.string('containerd-plugins-namespace'),
    reload: 'live',
    noEffect: ownNamespaces,
    example: 'plugins.engine-2',
    about: 'Taken because scripts that start several daemons give it; has no effect',
  }),
  'raw-logs': key({
    schema: boolean(),
    fallback: false,
    flag: flagOf.switch('raw-logs'),
    reload: 'live',
    example: true,
    about: 'Log lines without colours; they never have any',
  }),
};
