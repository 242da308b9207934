import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

export const gantryd = resolve(__dirname, '../../core/bin/gantryd.js');

/** Runs the built program to its end. */
export async function runGantryd(...args: string[]): Promise<{ code: number; out: string; complaints: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [gantryd, ...args], { timeout: 90_000 });
    return { code: 0, out: stdout, complaints: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, complaints: stderr };
  }
}
