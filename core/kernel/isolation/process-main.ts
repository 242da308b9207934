import {
  type Capability,
  CleanupStack,
  Clock1,
  errorMessage,
  type Logger,
  type PluginContext,
  type PluginDefinition,
  systemClock,
} from '@gantry/sdk';
import { type ServedPlugin, type ServeOptions, serve } from '@gantry/sdk/serve';
import { capabilityOf } from '../graph/resolve-graph';
import { importModule } from '../loader/import-module';
import { checkDefinition } from '../manifest/check-definition';
import { pluginPointer } from '../plugin-problem';
import { driverKinds } from '../remote/driver-kinds';
import type { FromProcess, PluginModule, ToProcess } from './plugin-job';

// The process of one isolated plugin. It lives as long as the channel to the daemon does.

const say = (message: FromProcess) => void (process.connected && process.send?.(message));
const undo = new CleanupStack();
const stopping = new AbortController();
const served: ServedPlugin[] = [];
let started: { definition: PluginDefinition; context: PluginContext<any, any> } | undefined;

process.on('message', (message: ToProcess) => {
  void handle(message).catch((error: unknown) => say({ said: 'failed', message: errorMessage(error) }));
});
process.once('SIGTERM', () => void end());
// The terminal's signals are for the daemon, which tells us.
process.on('SIGINT', () => {});
process.once('disconnect', () => void end());

async function handle(message: ToProcess): Promise<void> {
  if (message.do === 'describe') return describe(message.module);
  if (message.do === 'start') return start(message);
  if (started === undefined) throw new Error('it has not started');
  await started.definition.ready?.(started.context);
  say({ said: 'ready' });
}

async function describe(module: PluginModule): Promise<void> {
  const pointer = pluginPointer(module.name);
  const problems = (messages: readonly string[]) =>
    say({ said: 'problems', problems: messages.map((message) => ({ pointer, message })) });
  let exported: unknown;
  try {
    exported = await importModule(module.specifier, module.searchFrom);
  } catch (error) {
    return problems([errorMessage(error)]);
  }
  const checked = checkDefinition(exported, module.name);
  if ('problems' in checked) return problems(checked.problems);
  const { definition } = checked;
  const unfit = [...unfitProvisions(definition), ...unmetNeeds(definition)];
  if (unfit.length > 0) return problems(unfit);
  const parsed = definition.config?.parse(module.config ?? {}, module.pointer);
  if (parsed?.ok === false) return say({ said: 'problems', problems: parsed.problems });
  if (definition.config === undefined && module.config !== undefined)
    return say({ said: 'problems', problems: [{ pointer: module.pointer, message: 'it takes no configuration' }] });
  const provides = Object.entries(definition.provides).map(([key, { id }]) => [key, id] as const);
  say({
    said: 'described',
    plugin: {
      version: definition.version,
      engine: definition.engine,
      startTimeoutMs: definition.startTimeoutMs,
      provides: Object.fromEntries(provides),
      hasReady: definition.ready !== undefined,
    },
  });
}

function unfitProvisions({ provides, alsoProvides }: PluginDefinition): string[] {
  const all: [string, Capability<any>][] = [...Object.entries(provides)];
  if (alsoProvides !== undefined) all.push(['(names of the configuration)', alsoProvides]);
  return all.flatMap(([key, { id }]) =>
    driverKinds.has(id) && key !== '(names of the configuration)'
      ? []
      : [
          `"isolation": "process" is for drivers that can be on a socket; "${key}" is ${id}. Leave "isolation" out, or use one of ${[...driverKinds.keys()].join(', ')}`,
        ],
  );
}

/** Beside the clock nothing of the daemon reaches another process; what is optional is not there. */
function unmetNeeds({ requires = {} }: PluginDefinition): string[] {
  return Object.entries(requires).flatMap(([key, need]) => {
    const { capability, mode } = capabilityOf(need);
    return mode === 'optional' || capability.id === Clock1.id
      ? []
      : [`it needs ${capability.id} ("${key}"), which does not reach a process of its own; leave "isolation" out`];
  });
}

async function start(job: Extract<ToProcess, { do: 'start' }>): Promise<void> {
  const { module, stateDir, runDir, settings, sockets } = job;
  const checked = checkDefinition(await importModule(module.specifier, module.searchFrom), module.name);
  if ('problems' in checked) throw new Error(checked.problems.join('; '));
  const { definition } = checked;
  const parsed = definition.config?.parse(module.config ?? {}, module.pointer);
  if (parsed?.ok === false) throw new Error(parsed.problems.map(({ message }) => message).join('; '));
  const needs = Object.entries(definition.requires ?? {}).map(([key, need]) => [
    key,
    capabilityOf(need).capability.id === Clock1.id ? systemClock : undefined,
  ]);
  const context: PluginContext<any, any> = Object.freeze({
    config: parsed?.value,
    needs: Object.fromEntries(needs),
    settings,
    stateDir,
    runDir,
    log: logger({}),
    signal: stopping.signal,
    onStop: (cleanup: Parameters<PluginContext<any, any>['onStop']>[0]) => undo.push(cleanup),
    // The settings of a running process stay as they are: the daemon starts another one.
    onReconfigure: () => {},
  });
  const provided = (await definition.start(context)) as Record<string, unknown>;
  for (const [key, capability] of Object.entries(definition.provides)) {
    if (provided?.[key] === undefined) throw new Error(`"start" returned nothing for "${key}"`);
    const drivers = { [driverKinds.get(capability.id)!.servedAs]: provided[key] } as ServeOptions['drivers'];
    served.push(await serve({ drivers, socketPath: sockets[key]!, mode: 0o600 }));
  }
  started = { definition, context };
  say({ said: 'started' });
}

function logger(fields: Readonly<Record<string, unknown>>): Logger {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, more?: Record<string, unknown>) =>
    say({ said: 'log', level, message, fields: told({ ...fields, ...more }) });
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (more) => logger({ ...fields, ...more }),
  };
}

const told = (fields: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? errorMessage(value) : value]),
  );

let ending: Promise<void> | undefined;
function end(): Promise<void> {
  ending ??= (async () => {
    await Promise.all(served.map((it) => it.close()));
    stopping.abort(new Error('the plugin is told to stop'));
    for (const error of await undo.runAll()) process.stderr.write(`stopping failed: ${errorMessage(error)}\n`);
    process.exit(0);
  })();
  return ending;
}
