import { type PluginDefinition, sdkVersion } from '@gantry/sdk';

// 47 modules: loaded with the first plugin, when the sockets are open already.
const loadSemver = () => require('semver') as typeof import('semver');

/**
 * Judges what a module exports as its plugin.
 *
 * @param expectedName  the key in daemon.json, or the bundled plugin's name
 * @returns the definition, or every reason why it is none
 */
export function checkDefinition(
  value: unknown,
  expectedName: string,
): { readonly definition: PluginDefinition } | { readonly problems: readonly string[] } {
  if (typeof value !== 'object' || value === null)
    return { problems: ['exports no plugin: a named export "plugin" made by definePlugin is expected'] };
  const semver = loadSemver();
  const it = value as Partial<PluginDefinition>;
  const problems: string[] = [];
  if (typeof it.name !== 'string' || it.name === '') problems.push('the definition has no "name"');
  else if (it.name !== expectedName)
    problems.push(`the module defines a plugin named "${it.name}"; rename the section to that, or fix the module`);
  if (semver.valid(it.version ?? '') === null)
    problems.push(`"version" is not a semantic version: ${shown(it.version)}`);
  if (typeof it.engine !== 'string' || semver.validRange(it.engine) === null)
    problems.push(`"engine" is not a semver range: ${shown(it.engine)}`);
  else if (!semver.satisfies(sdkVersion, it.engine))
    problems.push(`it needs the plugin SDK ${it.engine}, this daemon has ${sdkVersion}`);
  if (typeof it.start !== 'function') problems.push('"start" is not a function');
  if (it.ready !== undefined && typeof it.ready !== 'function') problems.push('"ready" is not a function');
  if (!isRecord(it.provides)) problems.push('"provides" is not an object of capabilities');
  else
    for (const [key, capability] of Object.entries(it.provides))
      if (!isCapability(capability)) problems.push(`"provides.${key}" is not a capability`);
  if (it.alsoProvides !== undefined && !(isCapability(it.alsoProvides) && it.alsoProvides.arity === 'many'))
    problems.push('"alsoProvides" is not a capability of many');
  if (it.requires !== undefined && !isRecord(it.requires)) problems.push('"requires" is not an object of capabilities');
  else
    for (const [key, need] of Object.entries<any>(it.requires ?? {}))
      if (!isCapability(need) && !isCapability(need?.optional) && !isCapability(need?.all))
        problems.push(`"requires.${key}" is neither a capability, { optional } nor { all }`);
  if (it.config !== undefined && typeof it.config.parse !== 'function') problems.push('"config" is not a schema');
  return problems.length > 0 ? { problems } : { definition: it as PluginDefinition };
}

const isRecord = (value: unknown): value is Record<string, any> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCapability = (value: any): boolean =>
  isRecord(value) && typeof value.id === 'string' && (value.arity === 'one' || value.arity === 'many');

const shown = (value: unknown) => (value === undefined ? 'it is missing' : JSON.stringify(value));
