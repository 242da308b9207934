import { invalidParameter, parseByteSize } from '@gantry/sdk';

/** Where a volume's data comes from when it is not a plain directory. All three are mount(2)'s words. */
export interface MountSpec {
  readonly type: string;
  readonly device: string;
  readonly options: string;
}

/** What the options of a volume come to. */
export interface VolumeOptions {
  /** Undefined for a plain directory. */
  readonly mount: MountSpec | undefined;
  /** Limit of a plain directory; 0 = none. */
  readonly sizeBytes: number;
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
 * @param assertQuota  throws where no size can be kept to
 * @throws invalid-parameter  unknown, incomplete or unsupported options, in dockerd's words
 */
export function parseVolumeOptions(options: Readonly<Record<string, string>>, assertQuota: () => void): VolumeOptions {
  for (const name of Object.keys(options))
    if (!known.includes(name)) throw invalidParameter(`invalid option: "${name}"`);
  const { type = '', device = '' } = options;
  if (type === 'cifs' && device !== '' && /^[a-z]*:?\/\/[^/]*:\d+(\/|$)/i.test(device))
    throw invalidParameter("port not allowed in CIFS device URL, include 'port' in 'o='");
  const size = options.size === undefined ? 0 : parseByteSize(options.size);
  if (size > 0) assertQuota();
  for (const [name, others] of Object.entries(required)) {
    if (options[name] === undefined) continue;
    for (const other of others)
      if (options[other] === undefined) throw invalidParameter(`missing required option: "${other}"`);
  }
  if (type === '' && device === '') return { mount: undefined, sizeBytes: size };
  if (size > 0)
    throw invalidParameter(
      'option "size" is for plain directories: what "type" and "device" mount has its own limits, such as o=size=1g of tmpfs',
    );
  return { mount: { type, device, options: options.o ?? '' }, sizeBytes: 0 };
}

/** The words of `opts.json`, the file dockerd's local driver keeps beside `_data`. */
export function encodeVolumeOptions({ mount, sizeBytes }: VolumeOptions): string {
  return JSON.stringify({
    MountType: mount?.type ?? '',
    MountOpts: mount?.options ?? '',
    MountDevice: mount?.device ?? '',
    Quota: { Size: sizeBytes },
  });
}

/** @throws Error  not such a file */
export function decodeVolumeOptions(text: string): VolumeOptions {
  const value = JSON.parse(text) as Record<string, unknown>;
  const word = (name: string) => (typeof value[name] === 'string' ? value[name] : '');
  const mount = { type: word('MountType'), device: word('MountDevice'), options: word('MountOpts') };
  const size = (value.Quota as { Size?: unknown } | undefined)?.Size;
  return {
    mount: mount.type === '' && mount.device === '' ? undefined : mount,
    sizeBytes: typeof size === 'number' ? size : 0,
  };
}
