import { accessSync, constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { withDeadline } from '@gantry/sdk';
import { runProgram } from '@gantry/sdk/process';

const programDeadlineMs = 5000;
const programFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** The machine as a doctor may look at it: reading only. */
export interface Machine {
  readonly uid: number;
  readonly kernel: string;
  /** @returns undefined  there is no such file, or it may not be read */
  read(path: string): Promise<string | undefined>;
  exists(path: string): Promise<boolean>;
  /** Path of a program in the folders of the system. */
  find(program: string): string | undefined;
  /** Standard output. @returns undefined  the program is not there or failed */
  run(program: string, ...args: string[]): Promise<string | undefined>;
  /** `y`, `m` or another value of a CONFIG_ option of the kernel; undefined when it is off. */
  kernelOption(name: string): Promise<string | undefined>;
  /** Whether the kernel's options can be read at all. */
  tellsKernelOptions(): Promise<boolean>;
}

export function thisMachine(): Machine {
  let config: Promise<string> | undefined;
  const kernelConfig = () => {
    config ??= readKernelConfig(read);
    return config;
  };
  const read = (path: string) => readFile(path, 'utf8').catch(() => undefined);
  return {
    uid: process.getuid?.() ?? -1,
    kernel: release(),
    read,
    exists: (path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    find: (program) => programFolders.map((folder) => join(folder, program)).find(isProgram),
    run: (program, ...args) =>
      withDeadline(program, programDeadlineMs, (signal) => runProgram(program, args, signal)).catch(() => undefined),
    async kernelOption(name) {
      return new RegExp(`^${name}=(.*)$`, 'm').exec(await kernelConfig())?.[1];
    },
    tellsKernelOptions: async () => (await kernelConfig()) !== '',
  };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function readKernelConfig(read: Machine['read']): Promise<string> {
  try {
    return (await promisify(gunzip)(await readFile('/proc/config.gz'))).toString('utf8');
  } catch {
    return (await read(`/boot/config-${release()}`)) ?? '';
  }
}
