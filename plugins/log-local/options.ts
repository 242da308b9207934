import { invalidParameter } from '@gantry/sdk';
import {
  attributeOptions,
  checkAttributeOptions,
  checkTag,
  type LogOptions,
  parseBoolean,
  parseInteger,
  parseSize,
  refuseUnknownOptions,
} from '@gantry/sdk/log-drivers';
import type { RotationOptions } from '@gantry/sdk/log-files';

const DEFAULT_MAX_BYTES = 20_000_000;
const DEFAULT_MAX_FILES = 5;

// The format has no place for attributes; dockerd takes the options that choose them all the same.
const known = ['max-file', 'max-size', 'compress', 'tag', ...attributeOptions];

/** Parses and checks; defaults and words are dockerd's. @throws invalid-parameter */
export function parseOptions(options: LogOptions): RotationOptions {
  refuseUnknownOptions('local', options, known);
  const { 'max-size': size, 'max-file': files, compress } = options;
  const maxBytes = size === undefined ? DEFAULT_MAX_BYTES : parseSize(size);
  if (maxBytes <= 0) throw invalidParameter('max-size must be a positive number');
  const maxFiles = files === undefined ? DEFAULT_MAX_FILES : parseInteger(files);
  if (maxFiles < 1) throw invalidParameter('max-file cannot be less than 1');
  checkAttributeOptions(options);
  checkTag(options);
  // With one file there is never an old one to compress.
  return { maxBytes, maxFiles, compress: maxFiles > 1 && (compress === undefined || parseBoolean(compress)) };
}
