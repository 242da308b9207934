// What goes through a container's streams: logs written and read back, output and input of those attached. Beside it the
// same bytes through a plain pipe, which is as fast as this machine can be.
import { execFile, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { image } from './engine.mjs';

const logBytes = 50_000_000;
const attachBytes = 500_000_000;

const linesOf = (bytes) => `yes ${'x'.repeat(99)} | head -c ${bytes}`;
const perSecond = (bytes, ms) => bytes / 1000 / ms;

const throughput = (name, sample) => ({
  name,
  unit: 'MB/s',
  better: 'higher',
  times: 1,
  sample,
  pipe: () => shell(`${linesOf(attachBytes)} | cat > /dev/null`, attachBytes),
});

export const streamRows = [
  {
    name: 'log lines into json-file',
    unit: 'MB/s',
    better: 'higher',
    times: 1,
    sample: logThroughput,
    also: 'logs read back',
    pipe: fileThroughput,
  },
  throughput('attach out, default logging', (engine) => attachOut(engine, [])),
  throughput('attach out, no logging', (engine) => attachOut(engine, ['--log-driver', 'none'])),
  throughput('attach in', attachIn),
];

async function timed(work) {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** @returns MB/s of a command that moves so many bytes */
async function shell(command, bytes) {
  return perSecond(bytes, await timed(() => promisify(execFile)('sh', ['-c', command])));
}

/** The lines through a pipe into a file, and the file through a pipe. */
async function fileThroughput({ scratch }) {
  const file = join(scratch, 'piped-lines');
  try {
    const written = await shell(`${linesOf(logBytes)} | cat > '${file}'`, logBytes);
    return [written, await shell(`cat '${file}' | cat > /dev/null`, logBytes)];
  } finally {
    rmSync(file, { force: true });
  }
}

async function logThroughput(engine) {
  const id = await engine.create(
    'log',
    { Cmd: ['sh', '-c', linesOf(logBytes)] },
    { NetworkMode: 'none', LogConfig: { Type: 'json-file' } },
  );
  const write = await timed(async () => {
    await engine.start(id);
    await engine.call('POST', `/containers/${id}/wait`);
  });
  let bytes = 0;
  const count = (part) => {
    bytes += part.length;
  };
  const read = await timed(() => engine.call('GET', `/containers/${id}/logs?stdout=1`, { onData: count }));
  await engine.remove(id);
  if (bytes < logBytes) throw new Error(`${engine.label}: only ${bytes} of ${logBytes} bytes came back from the log`);
  return [perSecond(logBytes, write), perSecond(logBytes, read)];
}

/** Output of a container through the docker client, which throws it away. */
async function attachOut(engine, options) {
  const took = await engine.cli([
    'run',
    '--rm',
    '--network',
    'none',
    ...options,
    image,
    'sh',
    '-c',
    linesOf(attachBytes),
  ]);
  return perSecond(attachBytes, took);
}

/** The same bytes from the docker client into a container. */
async function attachIn(engine) {
  const source = spawn('sh', ['-c', linesOf(attachBytes)], { stdio: ['ignore', 'pipe', 'ignore'] });
  const args = ['run', '--rm', '-i', '--network', 'none', image, 'sh', '-c', 'cat > /dev/null'];
  const took = await engine.cli(args, { input: source.stdout });
  return perSecond(attachBytes, took);
}
