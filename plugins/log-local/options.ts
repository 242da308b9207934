import { invalidParameter } from '@gantry/sdk';
import { type LogOptions, parseBoolean, parseInteger, parseSize } from '@gantry/sdk/log-drivers';
import type { RotationOptions } from '@gantry/sdk/log-files';

const DEFAULT_MAX_BYTES = 20_000_000;
const DEFAULT_MAX_FILES = 5;

// The format has no place for attributes, so that options which choose them would do nothing.
const known = ['max-file', 'max-size', 'compress'];

/** Parses and checks; defaults and words are dockerd's. @throws invalid-parameter */
export function parseOptions(options: LogOptions): RotationOptions {
  for (const name of Object.keys(options))
    if (!known.includes(name)) throw invalidParameter(`unknown log opt '${name}' for log driver local`);
  const { 'max-size': size, 'max-file': files, compress } = options;
  const maxBytes = size === undefined ? DEFAULT_MAX_BYTES : parseSize(size);
  if (maxBytes <= 0) throw invalidParameter('max-size must be a positive number');
  const maxFiles = files === undefined ? DEFAULT_MAX_FILES : parseInteger(files);
  if (maxFiles < 1) throw invalidParameter('max-file cannot be less than 1');
  // With one file there is never an old one to compress.
  return { maxBytes, maxFiles, compress: maxFiles > 1 && (compress === undefined || parseBoolean(compress)) };
}
