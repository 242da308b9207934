import { type PluginConfig, parsePluginConfig } from '../config/plugin-config';
import type { PluginSettings } from '../config/settings';

/** What is kept of an installed plugin: one file, so that it changes whole. */
export interface PluginRecord {
  /** 64 hex digits. */
  readonly id: string;
  /** `acme/nfs:latest` */
  readonly name: string;
  readonly enabled: boolean;
  /** Given at enable, for each call; 0 = none was. */
  readonly timeoutS: number;
  /** Where it came from, `docker.io/acme/nfs:latest`; the name of one that was made here. */
  readonly reference: string;
  /** The config blob as it is published. */
  readonly configBlob: string;
  readonly settings: PluginSettings;
  /** The root file system, 64 hex digits; another one with each upgrade. */
  readonly rootId: string;
  readonly diffIds: readonly string[];
}

/** A record with its config read. */
export interface InstalledPlugin extends PluginRecord {
  readonly config: PluginConfig;
}

export const withConfig = (record: PluginRecord): InstalledPlugin => ({
  ...record,
  config: parsePluginConfig(Buffer.from(record.configBlob)),
});

/** `Plugin` of the API. */
export function renderPlugin({ id, name, enabled, reference, config, settings }: InstalledPlugin): object {
  return { Config: config, Enabled: enabled, Id: id, Name: name, PluginReference: reference, Settings: settings };
}
