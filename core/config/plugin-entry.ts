import {
  boolean,
  type ConfigProblem,
  type ConfigSchema,
  escapePointer,
  integer,
  object,
  optional,
  string,
} from '@gantry/sdk';
import { anything, byteSize, parsed } from './value-schemas';

/** What daemon.json says about one plugin; `false` switches a bundled one off. */
export type PluginEntry = false | PluginOptions;

export interface PluginOptions {
  /** Handed to the plugin's own schema; undefined when the key is absent. */
  readonly config: unknown;
  /** Package name or path of a plugin that is not bundled. */
  readonly module?: string;
  /** Socket of a plugin that runs outside: an absolute path, also of a `.spec` or `.json` file, or unix://, tcp://, http://, https://. */
  readonly socket?: string;
  readonly isolation?: 'none' | 'process';
  /** What the process of an isolated plugin may use. */
  readonly limits?: { readonly memory?: number; readonly cpus?: number; readonly pids?: number };
  /** A failing optional plugin is skipped with its reason. */
  readonly optional: boolean;
}

function socketAddress(text: string): string {
  if (/^(\/|unix:\/\/\/|tcp:\/\/|https?:\/\/)./.test(text)) return text;
  throw new Error(`"${text}" is neither an absolute path nor an address with unix://, tcp://, http:// or https://`);
}

/** A number of processors, such as 0.5. */
function processors(): ConfigSchema<number> {
  return {
    expects: 'a number of processors',
    parse: (value, pointer = '') =>
      typeof value === 'number' && value >= 0.01 && value <= 4096
        ? { ok: true, value }
        : {
            ok: false,
            problems: [{ pointer, message: `expected a number of processors, got ${JSON.stringify(value)}` }],
          },
  };
}

const options = object({
  config: optional(anything()),
  module: optional(string({ pattern: /./ })),
  socket: optional(parsed('an address', socketAddress)),
  isolation: optional(string({ oneOf: ['none', 'process'] }) as ConfigSchema<'none' | 'process'>),
  limits: optional(
    object({ memory: optional(byteSize()), cpus: optional(processors()), pids: optional(integer({ min: 1 })) }),
  ),
  optional: optional(boolean(), false),
});

const pluginName = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

export const pluginsSchema: ConfigSchema<Readonly<Record<string, PluginEntry>>> = {
  expects: 'an object',
  parse(value, pointer = '') {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { ok: false, problems: [{ pointer, message: 'expected an object with a plugin name per key' }] };
    const problems: ConfigProblem[] = [];
    const entries: [string, PluginEntry][] = [];
    for (const [name, section] of Object.entries(value)) {
      const at = `${pointer}/${escapePointer(name)}`;
      if (!pluginName.test(name)) problems.push({ pointer: at, message: `"${name}" cannot be a plugin name` });
      if (section === false) {
        entries.push([name, false]);
        continue;
      }
      const result = section === true ? options.parse({}, at) : options.parse(section, at);
      if (!result.ok) {
        problems.push(...result.problems);
        continue;
      }
      problems.push(...contradictions(result.value, at));
      entries.push([name, result.value]);
    }
    return problems.length > 0 ? { ok: false, problems } : { ok: true, value: Object.fromEntries(entries) };
  },
};

function contradictions(entry: PluginOptions, pointer: string): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (entry.socket !== undefined) {
    for (const other of ['module', 'config', 'isolation', 'limits'] as const)
      if (entry[other] !== undefined)
        problems.push({ pointer: `${pointer}/${other}`, message: `"${other}" has no meaning beside "socket"` });
  } else if (entry.limits !== undefined && entry.isolation !== 'process')
    problems.push({ pointer: `${pointer}/limits`, message: '"limits" needs "isolation": "process"' });
  return problems;
}
