import { spawn } from 'node:child_process';
import { systemError } from '@gantry/sdk';

/** Runs a program of iptables. @returns what it says @throws system with its own words, or that it is not installed */
export function runXtables(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'pipe', timeout: 20_000 });
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
      else reject(systemError(`${program} failed (${signal ?? code}): ${complaint.trim()}`));
    });
    child.stdin.on('error', () => undefined); // It ended early; its exit code tells.
    child.stdin.end(input);
  });
}

function cannotRun(program: string, error: NodeJS.ErrnoException): Error {
  if (error.code !== 'ENOENT') return systemError(`${program} cannot be run: ${error.message}`, error);
  return systemError(
    `bridge networks need the program ${program}, which is not installed: install the package iptables, or nftables and take "firewall-backend" out of daemon.json`,
    error,
  );
}
