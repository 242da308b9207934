import { Runtime1, Snapshotter1 } from '@gantry/sdk';
import { knownKeys } from '../config/known-keys';
import type { Problem } from '../config/problem';
import type { Configuration } from '../config/read-configuration';
import type { PluginPlan } from '../kernel/lifecycle/plan-plugins';

/** Settings that name a driver must name one that the planned plugins provide. */
export function checkChoices(configuration: Configuration, plan: PluginPlan): Problem[] {
  const { values, origins } = configuration;
  const provided = (capabilityId: string) =>
    plan.plugins.flatMap(({ definition }) =>
      Object.entries(definition.provides).flatMap(([key, capability]) => (capability.id === capabilityId ? [key] : [])),
    );
  const problems: Problem[] = [];
  const choose = (key: 'storage-driver' | 'default-runtime', known: readonly string[], message: string) => {
    // What nobody chose is not judged: a daemon may run without images or containers.
    if (values[key] === '' || !origins.has(key) || known.includes(values[key])) return;
    const where = origins.get(key) === 'flag' ? `--${knownKeys[key]?.flag?.name}` : configuration.where(`/${key}`);
    problems.push({ where, message: `${message}; known are: ${known.join(', ') || 'none'}` });
  };
  choose('storage-driver', provided(Snapshotter1.id), `driver not supported: ${values['storage-driver']}`);
  choose(
    'default-runtime',
    [...provided(Runtime1.id), ...Object.keys(values.runtimes)],
    `specified default runtime '${values['default-runtime']}' does not exist`,
  );
  return problems;
}
