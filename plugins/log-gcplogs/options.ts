import { invalidParameter } from '@gantry/sdk';
import { attributeOptions, checkAttributeOptions, type LogOptions, parseBoolean } from '@gantry/sdk/log-drivers';

export interface GcpLogsOptions {
  /** Undefined: that of the daemon's credentials, or of its machine. */
  readonly project?: string;
  readonly logCommand: boolean;
  /** The machine, where the daemon does not run on one of Google's. */
  readonly instance?: Readonly<Record<'name' | 'id' | 'zone', string>>;
}

const known = ['gcp-project', 'gcp-log-cmd', 'gcp-meta-zone', 'gcp-meta-name', 'gcp-meta-id', ...attributeOptions];

/** Parses and checks. @throws invalid-parameter */
export function parseOptions(options: LogOptions): GcpLogsOptions {
  for (const name of Object.keys(options))
    if (!known.includes(name)) throw invalidParameter(`"${name}" is not a valid option for the gcplogs driver`);
  checkAttributeOptions(options);
  const { 'gcp-meta-name': name = '', 'gcp-meta-id': id = '', 'gcp-meta-zone': zone = '' } = options;
  return {
    project: options['gcp-project'] || undefined,
    logCommand: options['gcp-log-cmd'] !== undefined && parseBoolean(options['gcp-log-cmd']),
    instance: name + id + zone === '' ? undefined : { name, id, zone },
  };
}
