import { requestText, sortedMap } from '@gantry/sdk/wire';

const maps = new Set(['ExposedPorts', 'Volumes', 'Labels']);

/** In dockerd's order. Those without a value here are left out when they are empty. */
const fields: readonly (readonly [string, unknown?])[] = [
  ['Hostname', ''],
  ['Domainname', ''],
  ['User', ''],
  ['AttachStdin', false],
  ['AttachStdout', false],
  ['AttachStderr', false],
  ['ExposedPorts'],
  ['Tty', false],
  ['OpenStdin', false],
  ['StdinOnce', false],
  ['Env', null],
  ['Cmd', null],
  ['Healthcheck'],
  ['ArgsEscaped'],
  ['Image', ''],
  ['Volumes', null],
  ['WorkingDir', ''],
  ['Entrypoint', null],
  ['NetworkDisabled'],
  ['MacAddress'],
  ['OnBuild', null],
  ['Labels', null],
  ['StopSignal'],
  ['StopTimeout'],
  ['Shell'],
];

/** Fields of which an image's configuration has the container's value. All others are the image's own. */
const ofContainer = [
  'Hostname',
  'Domainname',
  'AttachStdin',
  'AttachStdout',
  'AttachStderr',
  'Tty',
  'OpenStdin',
  'StdinOnce',
  'Image',
  'NetworkDisabled',
  'MacAddress',
];

/** The configuration of an image that was made from a container, with every field that dockerd writes. */
export function wholeImageConfig(config: object, container: object): Record<string, unknown> {
  const taken = Object.entries(container).filter(([key]) => ofContainer.includes(key));
  return wholeContainerConfig({ ...Object.fromEntries(taken), ...config });
}

/**
 * A container's configuration as dockerd writes it into images: every field has its place, also in the configuration
 * of an image.
 *
 * @param config in the API's PascalCase
 */
export function wholeContainerConfig(config: object): Record<string, unknown> {
  const whole: Record<string, unknown> = {};
  for (const [key, absent] of fields) {
    const value = (config as Record<string, unknown>)[key] ?? absent;
    if (absent === undefined && isEmpty(value)) continue;
    whole[key] = maps.has(key) && value ? sortedMap(value as Record<string, unknown>) : value;
  }
  return whole;
}

/** JSON in dockerd's bytes: signs that mean something in HTML are escaped. */
export const dockerJson = (value: unknown): Buffer => Buffer.from(requestText(value).trimEnd());

/** What dockerd leaves out of JSON. */
export function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === '' || value === false;
}
