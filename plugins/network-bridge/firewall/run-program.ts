import { spawn } from 'node:child_process';
import { systemError } from '@gantry/sdk';

/** A program that rules are written with. */
export interface FilterProgram {
  readonly name: string;
  /** What to do where it is not installed, after "which is not installed: ". */
  readonly otherwise: string;
}

/** @returns what it says on its standard output @throws system with its own words, or that it is not installed */
export function runProgram(program: FilterProgram, args: readonly string[], input = ''): Promise<string> {
  const { name } = program;
  return new Promise((resolve, reject) => {
    const child = spawn(name, args, { stdio: 'pipe', timeout: 20_000 });
    let words = '';
    let complaint = '';
    child.stdout.on('data', (chunk: Buffer) => {
      words += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (complaint.length < 4096) complaint += chunk.toString();
    });
    child.on('error', (error: NodeJS.ErrnoException) => reject(cannotRun(program, error)));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(words);
      else reject(systemError(`${name} failed (${signal ?? code}): ${complaint.trim()}`));
    });
    child.stdin.on('error', () => undefined); // It ended early; its exit code tells.
    child.stdin.end(input);
  });
}

function cannotRun({ name, otherwise }: FilterProgram, error: NodeJS.ErrnoException): Error {
  if (error.code !== 'ENOENT') return systemError(`${name} cannot be run: ${error.message}`, error);
  return systemError(`bridge networks need the program ${name}, which is not installed: ${otherwise}`, error);
}
