import { type Field, messagesOf, numberOf, readFields, textMapOf, textOf, textsOf } from '../buildkit/protobuf';

import type { FrontendOptions } from './frontend-options';

/** Where the result of a build goes. */
export interface ExporterRequest {
  readonly type: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** `moby.buildkit.v1.SolveRequest`, as far as it is used. */
export interface SolveRequest {
  /** The client's name for the build. */
  readonly ref: string;
  /** It brings a graph of its own instead of a frontend. */
  readonly hasDefinition: boolean;
  readonly exporters: readonly ExporterRequest[];
  readonly session: string;
  /** Empty = the client drives the build over the bridge. */
  readonly frontend: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Images whose history may serve as a cache. */
  readonly cacheFrom: readonly string[];
  readonly cacheExports: readonly string[];
  /** The attributes, when they have been read already. */
  readonly options?: FrontendOptions;
}

export function parseSolve(message: Buffer): SolveRequest {
  const fields = readFields(message);
  const several = messagesOf(fields, 13).map((exporter) => ({
    type: textOf(exporter, 1),
    attributes: textMapOf(exporter, 2),
  }));
  const single = textOf(fields, 3);
  const cache = messagesOf(fields, 8);
  return {
    ref: textOf(fields, 1),
    hasDefinition: hasDefinition(fields, 2),
    exporters: several.length > 0 || single === '' ? several : [{ type: single, attributes: textMapOf(fields, 4) }],
    session: textOf(fields, 5),
    frontend: textOf(fields, 6),
    attributes: textMapOf(fields, 7),
    cacheFrom: cache.flatMap((options) => importedImages(messagesOf(options, 5), textsOf(options, 2))),
    cacheExports: cache.flatMap((options) => messagesOf(options, 4).map((entry) => textOf(entry, 1))),
  };
}

/** `moby.buildkit.v1.frontend.SolveRequest`. */
export interface BridgeSolve {
  readonly hasDefinition: boolean;
  readonly hasInputs: boolean;
  readonly frontend: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly cacheFrom: readonly string[];
  /** The client knows results that are messages. */
  readonly takesReference: boolean;
  /** The build is to be carried out before the answer. */
  readonly evaluate: boolean;
}

export function parseBridgeSolve(message: Buffer): BridgeSolve {
  const fields = readFields(message);
  return {
    hasDefinition: hasDefinition(fields, 1),
    hasInputs: messagesOf(fields, 13).length > 0,
    frontend: textOf(fields, 2),
    attributes: textMapOf(fields, 3),
    cacheFrom: importedImages(messagesOf(fields, 12), textsOf(fields, 4)),
    takesReference: numberOf(fields, 6) !== 0,
    evaluate: numberOf(fields, 14) !== 0,
  };
}

const hasDefinition = (fields: readonly Field[], number: number): boolean =>
  messagesOf(fields, number).some((definition) => definition.length > 0);

function importedImages(entries: readonly Field[][], deprecated: readonly string[]): string[] {
  const images = entries.flatMap((entry) => (textOf(entry, 1) === 'registry' ? (textMapOf(entry, 2).ref ?? []) : []));
  return [...new Set([...images, ...deprecated])];
}
