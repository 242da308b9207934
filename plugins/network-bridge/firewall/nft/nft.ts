import { spawn } from 'node:child_process';
import { systemError } from '@gantry/sdk';

/** Runs a script of nft commands as one transaction. @throws system with nft's own words */
export function runNft(script: string, timeoutMs = 20_000): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('nft', ['-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'], timeout: timeoutMs });
    let words = '';
    child.stderr.on('data', (chunk: Buffer) => {
      if (words.length < 4096) words += chunk.toString();
    });
    child.on('error', (error) => reject(cannotRun(error)));
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(systemError(`nft failed (${signal ?? code}): ${words.trim()}`));
    });
    child.stdin.on('error', () => undefined); // It ended early; its exit code tells.
    child.stdin.end(script);
  });
}

function cannotRun(error: NodeJS.ErrnoException): Error {
  if (error.code !== 'ENOENT') return systemError(`nft cannot be run: ${error.message}`, error);
  return systemError(
    'bridge networks need the program nft, which is not installed: install the package nftables, or set "iptables" and "ip6tables" to false in daemon.json and look after the rules yourself',
    error,
  );
}
