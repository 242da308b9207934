import { spawn } from 'node:child_process';
import { cancelled, systemError } from '../errors';

const maxOutputBytes = 16 * 1024 * 1024;

/**
 * Runs a program to its end with a plain environment and gives its standard output. Killed when the signal aborts.
 *
 * @param program  a name looked up in the system's folders, or an absolute path
 * @param options.input  its standard input, which is empty otherwise
 * @throws cancelled  the signal aborted
 * @throws system     it could not be started, printed too much, or ended with another status than 0; the message
 *                    carries the start of its stderr
 */
export function runProgram(
  program: string,
  args: readonly string[],
  signal?: AbortSignal,
  options: { readonly input?: string } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: 'pipe',
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      signal,
      killSignal: 'SIGKILL',
    });
    // A program may end without having read it all: how it ended says what there is to say.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
    const chunks: Buffer[] = [];
    let size = 0;
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxOutputBytes) chunks.push(chunk);
      else child.kill('SIGKILL');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < 4096) stderr += chunk.toString('utf8');
    });
    child.on('error', (error) => {
      if (signal?.aborted) reject(cancelled(`${program} was cancelled`, error));
      else reject(systemError(`cannot run ${program}: ${error.message}`, error));
    });
    child.on('close', (code, killedBy) => {
      if (size > maxOutputBytes) return reject(systemError(`${program} printed more than ${maxOutputBytes} bytes`));
      if (code === 0) return resolve(Buffer.concat(chunks).toString('utf8'));
      const how = code === null ? `was ended by ${killedBy}` : `ended with status ${code}`;
      reject(systemError(`${program} ${how}${stderr === '' ? '' : `: ${stderr.trim().slice(0, 500)}`}`));
    });
  });
}
