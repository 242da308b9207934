import { invalidParameter } from '@gantry/sdk';

type Options = Readonly<Record<string, string>>;

/** Options that belong to the delivery and not to a driver. */
export interface DeliveryOptions {
  /** Undefined: the container waits for its driver. */
  readonly ringBytes?: number;
  /** Kept on disk for a back end that is away; 0 = nothing. */
  readonly spoolBytes: number;
}

const DEFAULT_RING_BYTES = 1024 * 1024;
const DEFAULT_SPOOL_BYTES = 64 * 1024 * 1024;
const names = [
  'mode',
  'max-buffer-size',
  'spool-max-size',
  // These steer a copy kept for drivers that cannot be read back.
  'cache-disabled',
  'cache-max-size',
  'cache-max-file',
  'cache-compress',
];

/** Parses the options every driver has. @throws invalid-parameter in dockerd's words */
export function deliveryOptions(options: Options): DeliveryOptions {
  const { mode = '', 'max-buffer-size': size } = options;
  if (!['', 'blocking', 'non-blocking'].includes(mode))
    throw invalidParameter(`logger: logging mode not supported: ${mode}`);
  if (size !== undefined && mode !== 'non-blocking')
    throw invalidParameter("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  checkBoolean('cache-disabled', options, (value) => `invalid value for option cache-disabled: ${value}`);
  checkBoolean(
    'cache-compress',
    options,
    (value) => `error parsing option cache-compress: invalid boolean: '${value}'`,
  );
  if (options['cache-max-size'] !== undefined) binarySize('cache-max-size', options['cache-max-size']);
  if (options['cache-max-file'] !== undefined && !/^[1-9]\d*$/.test(options['cache-max-file']))
    throw invalidParameter(`error parsing option cache-max-file: invalid number: '${options['cache-max-file']}'`);
  const spool = options['spool-max-size'];
  const spoolBytes = spool === undefined ? DEFAULT_SPOOL_BYTES : binarySize('spool-max-size', spool);
  if (mode !== 'non-blocking') return { spoolBytes };
  return { spoolBytes, ringBytes: size === undefined ? DEFAULT_RING_BYTES : binarySize('max-buffer-size', size) };
}

/** What is left for the driver, and what dockerd's log plugins see beside it. */
export function splitOptions(options: Options): { readonly options: Options; readonly deliveryOptions?: Options } {
  const all = Object.entries(options);
  const known = all.filter(([name]) => names.includes(name) && name !== 'spool-max-size');
  return {
    options: Object.fromEntries(all.filter(([name]) => !names.includes(name))),
    ...(known.length > 0 ? { deliveryOptions: Object.fromEntries(known) } : {}),
  };
}

function checkBoolean(name: string, options: Options, refusal: (value: string) => string): void {
  const value = options[name];
  if (value === undefined || /^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(value)) return;
  throw invalidParameter(refusal(value));
}

/** `1m` is 1,048,576 here, unlike in the drivers' own sizes. */
function binarySize(name: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  if (!match) throw invalidParameter(`error parsing option ${name}: invalid size: '${text}'`);
  return Math.floor(Number(match[1]) * 1024 ** ' kmgtp'.indexOf(match[2]!.toLowerCase() || ' '));
}
