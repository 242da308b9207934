import { capability } from '../plugin/capability';

/** What a plugin adds to GET /info, /version and /system/df. Every part is optional and must answer within a second. */
export interface SystemInfo {
  /** Fields of the SystemInfo schema, in the API's own names, merged shallowly; `Warnings` and `Plugins` are concatenated by key. */
  info?(): Promise<Record<string, unknown>> | Record<string, unknown>;
  /** `Components` entries of GET /version. */
  components?(): Promise<readonly { Name: string; Version: string; Details?: Record<string, string> }[]>;
  /** The parts of GET /system/df this plugin owns, keyed by the API's field names (`Images`, `LayersSize`, `Containers`, `Volumes`). */
  diskUsage?(types: ReadonlySet<'container' | 'image' | 'volume' | 'build-cache'>): Promise<Record<string, unknown>>;
}

export const SystemInfo1 = capability<SystemInfo>('system-info/v1', 'many');
