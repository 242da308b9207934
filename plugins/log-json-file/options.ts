import { invalidParameter, type LogInfo } from '@gantry/sdk';
import {
  attributeOptions,
  checkAttributeOptions,
  checkTag,
  chosenAttributes,
  type LogOptions,
  parseBoolean,
  parseInteger,
  parseSize,
  refuseUnknownOptions,
  renderTag,
} from '@gantry/sdk/log-drivers';
import type { RotationOptions } from '@gantry/sdk/log-files';

const known = ['max-file', 'max-size', 'compress', 'tag', ...attributeOptions];

/** Parses and checks; the words are dockerd's. @throws invalid-parameter */
export function parseOptions(options: LogOptions): RotationOptions {
  refuseUnknownOptions('json-file', options, known);
  const maxBytes = options['max-size'] === undefined ? undefined : parseSize(options['max-size']);
  if (maxBytes !== undefined && maxBytes <= 0) throw invalidParameter('max-size must be a positive number');
  const maxFiles = options['max-file'] === undefined ? 1 : parseInteger(options['max-file']);
  if (maxFiles < 1) throw invalidParameter('max-file cannot be less than 1');
  const compress = options.compress !== undefined && parseBoolean(options.compress);
  if (compress && (maxFiles === 1 || maxBytes === undefined))
    throw invalidParameter('compress cannot be true when max-file is less than 2 or max-size is not set');
  checkAttributeOptions(options);
  checkTag(options);
  return { maxBytes, maxFiles, compress };
}

/** What is kept beside every line: chosen labels and environment, and the tag. Empty when nothing was asked for. */
export function extraAttributes(info: LogInfo): string {
  const { tag } = info.options;
  const attributes = new Map(Object.entries(chosenAttributes(info)));
  const rendered = tag === undefined ? '' : renderTag(tag, info);
  if (rendered !== '') attributes.set('tag', rendered);
  if (attributes.size === 0) return '';
  const sorted = [...attributes].sort(([a], [b]) => (a < b ? -1 : 1));
  const json = sorted.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',');
  return `{${json}}`.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
