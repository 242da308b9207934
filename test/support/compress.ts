import { execFileSync } from 'node:child_process';

const through = (program: string) => (input: Buffer) => execFileSync(program, ['-c'], { input, maxBuffer: 1 << 26 });

/** By the programs of these names. */
export const bzip2Sync = through('bzip2');
export const xzSync = through('xz');
export const zstdSync = through('zstd');
