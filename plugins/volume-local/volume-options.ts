import { invalidParameter } from '@gantry/sdk';

/** Where a volume's data comes from when it is not a plain directory. All three are mount(2)'s words. */
export interface MountSpec {
  readonly type: string;
  readonly device: string;
  readonly options: string;
}

const known = ['type', 'o', 'device', 'size'];

/** `o` needs device and type, device and type need each other. */
const required: Readonly<Record<string, readonly string[]>> = {
  o: ['device', 'type'],
  device: ['type'],
  type: ['device'],
};

/**
 * Checks the options of a volume, before anything is made.
 *
 * @returns what to mount, or undefined for a plain directory
 * @throws invalid-parameter  unknown, incomplete or unsupported options, in dockerd's words
 */
export function parseVolumeOptions(options: Readonly<Record<string, string>>): MountSpec | undefined {
  for (const name of Object.keys(options))
    if (!known.includes(name)) throw invalidParameter(`invalid option: "${name}"`);
  const { type = '', device = '' } = options;
  if (type === 'cifs' && device !== '' && /^[a-z]*:?\/\/[^/]*:\d+(\/|$)/i.test(device))
    throw invalidParameter("port not allowed in CIFS device URL, include 'port' in 'o='");
  if (options.size !== undefined && sizeBytes(options.size) > 0)
    throw invalidParameter('quota size requested but no quota support');
  for (const [name, others] of Object.entries(required)) {
    if (options[name] === undefined) continue;
    for (const other of others)
      if (options[other] === undefined) throw invalidParameter(`missing required option: "${other}"`);
  }
  return type === '' && device === '' ? undefined : { type, device, options: options.o ?? '' };
}

/** `10G`, `512m`, `1.5 GiB`: multiples of 1,024. */
function sizeBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])i?)?b?$/i.exec(text);
  if (match === null) throw invalidParameter(`invalid size: '${text}'`);
  const exponent = match[2] === undefined ? 0 : 'kmgtp'.indexOf(match[2].toLowerCase()) + 1;
  return Math.floor(Number(match[1]) * 1024 ** exponent);
}

/** The words of `opts.json`, the file dockerd's local driver keeps beside `_data`. */
export function encodeMountSpec(spec: MountSpec): string {
  return JSON.stringify({
    MountType: spec.type,
    MountOpts: spec.options,
    MountDevice: spec.device,
    Quota: { Size: 0 },
  });
}

/** @throws Error  not such a file */
export function decodeMountSpec(text: string): MountSpec | undefined {
  const value = JSON.parse(text) as Record<string, unknown>;
  const word = (name: string) => (typeof value[name] === 'string' ? value[name] : '');
  const spec = { type: word('MountType'), device: word('MountDevice'), options: word('MountOpts') };
  return spec.type === '' && spec.device === '' ? undefined : spec;
}
