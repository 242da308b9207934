// Measures this engine beside another one, in one run and by turns, and prints medians and ratios.
//
//   npm run bench -- --peer unix:///path/of/the/other.sock
//     --ours ADDRESS    a daemon that runs already; without it a private one is started
//     --rounds N        default 5
//     --only WORD,...   rows whose name holds one of the words
//     --json FILE       the samples too
// `node test/bench/peer.mjs start` brings up Debian's docker.io as the peer.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { busyboxArchive, dockerArchive } from '../../core/setup/hello/image.mjs';
import { startPrivateDaemon } from '../../core/setup/hello/private-daemon.mjs';
import { buildRows } from './build-rows.mjs';
import { Engine, image } from './engine.mjs';
import { imageRows } from './image-rows.mjs';
import { networkRows } from './network-rows.mjs';
import { crowdRows, execRows, plainRows } from './rows.mjs';
import { streamRows } from './stream-rows.mjs';
import { copyRows, volumePluginRows } from './volume-rows.mjs';

const { values: options } = parseArgs({
  options: {
    peer: { type: 'string' },
    ours: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const words = options.only.split(',').filter(Boolean);
const wanted = (row) => words.length === 0 || words.some((word) => row.name.includes(word) || row.also?.includes(word));

/** Column of rows that have a limit no engine can pass. */
const plainPipe = 'plain pipe';
const scratch = mkdtempSync(join(tmpdir(), 'gantry-bench-'));
const results = new Map();
const cleanups = [() => rmSync(scratch, { recursive: true, force: true })];

try {
  const engines = await openEngines();
  const archive = makeArchive();
  for (const engine of engines)
    await engine.call('POST', '/images/load?quiet=1', { body: busyboxArchive(image), type: 'application/x-tar' });
  cleanups.push(() =>
    Promise.all(engines.map((engine) => engine.call('DELETE', `/images/${image}?force=1`).catch(() => {}))),
  );
  // The crowd goes first: idle memory is that of a daemon that has not worked yet.
  await measureAround(engines, crowdRows);
  await measureAround(engines, execRows);
  await measureAround(engines, networkRows);
  await measureAround(engines, volumePluginRows);
  await measureAround(engines, imageRows);
  const alone = [...plainRows, ...streamRows, ...copyRows, ...buildRows].filter(wanted);
  await measure(engines, alone, () => ({ ...archive, scratch }));
  print(engines);
} catch (error) {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
} finally {
  for (const clean of cleanups.reverse()) await clean();
}

async function openEngines() {
  let address = options.ours;
  if (!address) {
    const daemon = await startPrivateDaemon();
    cleanups.push(daemon.stop);
    address = daemon.address;
  }
  const engines = [new Engine('gantry', address, scratch)];
  if (options.peer) engines.push(new Engine('peer', options.peer, scratch));
  for (const engine of engines) {
    cleanups.push(() => engine.agent.destroy());
    await engine.call('GET', '/_ping');
  }
  return engines;
}

async function measureAround(engines, { around, rows }) {
  const chosen = rows.filter(wanted);
  if (chosen.length === 0) return;
  const contexts = new Map();
  try {
    for (const engine of engines) contexts.set(engine, await around(engine, { scratch }));
    await measure(engines, chosen, (engine) => contexts.get(engine));
  } finally {
    for (const context of contexts.values()) await context.end();
  }
}

/** Every round visits every engine, the other one first each time, so that ratios hold on a noisy machine. */
async function measure(engines, rows, contextOf) {
  for (const row of rows) {
    for (let round = 0; round < (row.once ? 1 : rounds); round++) {
      const turn = round % 2 ? [...engines].reverse() : engines;
      for (let i = 0; i < row.times; i++) {
        for (const engine of turn) {
          noteAll(row, engine.label, await row.sample(engine, contextOf(engine)));
        }
        if (row.pipe) noteAll(row, plainPipe, await row.pipe({ scratch }));
      }
    }
    console.error(`  measured: ${row.name}`);
  }
}

/** @param sample of the row, or of it and of the row that is measured along with it */
function noteAll(row, label, sample) {
  [sample].flat().forEach((value, i) => {
    const name = i === 0 ? row.name : row.also;
    const result = results.get(name) ?? { ...row, name, samples: {} };
    results.set(name, result);
    result.samples[label] = [...(result.samples[label] ?? []), value];
  });
}

function print(engines) {
  const hasPipe = [...results.values()].some((row) => row.samples[plainPipe] !== undefined);
  const columns = [
    'row',
    'unit',
    ...engines.map((engine) => engine.label),
    ...(engines.length > 1 ? ['ratio'] : []),
    ...(hasPipe ? [plainPipe] : []),
    '',
  ];
  const lines = [...results.values()].map((row) => {
    const pipe = hasPipe ? [row.samples[plainPipe] ? format(median(row.samples[plainPipe])) : ''] : [];
    const medians = engines.map((engine) => median(row.samples[engine.label]));
    const ratio = engines.length > 1 ? [`${(medians[0] / medians[1]).toFixed(2)} x`] : [];
    return [row.name, row.unit, ...medians.map(format), ...ratio, ...pipe, `${row.better} is better`];
  });
  const widths = columns.map((_, i) => Math.max(columns[i].length, ...lines.map((line) => line[i].length)));
  console.log(`${rounds} rounds, medians, load ${loadavg()[0].toFixed(1)}\n`);
  for (const line of [columns, ...lines]) {
    console.log(
      line
        .map((cell, i) => (i > 1 && i < line.length - 1 ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
        .join('  ')
        .trimEnd(),
    );
  }
  if (options.json) writeFileSync(options.json, JSON.stringify([...results.values()], null, 2));
}

/** An archive of three layers, half of it hard to compress. */
function makeArchive() {
  const archiveImage = 'gantry-bench-load:latest';
  const layers = Array.from({ length: 3 }, (_, layer) =>
    Array.from({ length: 400 }, (_, file) => ({
      name: `layer${layer}-${file % 20}/file${file}`,
      mode: 0o644,
      data: Buffer.concat([randomBytes(25_000), Buffer.alloc(25_000, createHash('sha256').update(`${file}`).digest())]),
    })),
  );
  const archive = join(scratch, 'load.tar');
  writeFileSync(archive, dockerArchive(archiveImage, layers));
  return { archive, archiveImage };
}

function median(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function format(value) {
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}
