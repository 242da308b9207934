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
    child.on('error', (error) => reject(systemError(`nft cannot be run: ${error.message}`, error)));
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(systemError(`nft failed (${signal ?? code}): ${words.trim()}`));
    });
    child.stdin.on('error', () => undefined); // It ended early; its exit code tells.
    child.stdin.end(script);
  });
}
