import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { armEffects, type EffectPoint, effectsEnvironment, effectsSince, endsWithin } from '../support/effects';
import { eventually, sleep } from '../support/eventually';
import { difference, footprint } from '../support/footprint';
import { type Operation, operations, type Subject } from './life-operations';

/** How many points are drawn. GANTRY_STEP_KILLS=all kills before each effect of each operation: some 650 kills. */
const wanted = process.env.GANTRY_STEP_KILLS ?? '4';
/** Names of operations, with commas between them. */
const only = process.env.GANTRY_STEP_ONLY;
const seed = Number(process.env.GANTRY_LIFE_SEED ?? Date.now() % 1_000_000);
jest.setTimeout(wanted === 'all' ? 6 * 60 * 60_000 : 180_000 + Number(wanted) * 30_000);

const effectsSocket = join(tmpdir(), `gantry-effects-${process.pid}.sock`);
const daemon = daemonForSuite({
  env: effectsEnvironment(effectsSocket),
  tidy: async (each) => {
    if (!each.runs) await each.start();
    await each.removeEverything();
  },
});

afterAll(() => rmSync(effectsSocket, { force: true }));

/** One operation and the effect of it before which the daemon is killed. */
interface Step extends EffectPoint {
  readonly operation: Operation;
}

/** What is left of the operations before: effects are counted when it is quiet. */
const QUIET_MS = 300;

test(`killed before any effect of create, start, exec, stop, remove and what else moves a container, the daemon loses and leaks nothing (${wanted} kills, seed ${seed})`, async () => {
  // The first container of a daemon makes folders that stay.
  await clearAway(await operations.find(({ name }) => name === 'restart')!.prepare(daemon()));
  const chosen = chooseOperations();
  const steps: Step[] = [];
  for (const operation of chosen) {
    const points = await effectsOf(operation);
    for (const point of points) steps.push({ operation, ...point });
    if (wanted === 'all') tell(`${operation.name} has ${points.length} effects`);
  }
  await daemon().kill();
  await daemon().start();
  const clean = await footprint(daemon());

  const drawn = wanted === 'all' ? steps : draw(steps, Number(wanted));
  const hits = new Map<string, number>();
  const missed: string[] = [];
  let done = 0;
  try {
    for (const step of drawn) {
      const name = `${step.operation.name}: ${step.label} #${step.nth}`;
      const killed = (await killAt(step, clean, name)) || (await killAt(step, clean, name));
      if (!killed) missed.push(name);
      else for (const what of [step.operation.name, `  ${step.label}`]) hits.set(what, (hits.get(what) ?? 0) + 1);
      done++;
    }
  } finally {
    tell(`${done - missed.length} kills of ${drawn.length} wanted, by operation and by effect`);
    for (const [what, count] of [...hits].sort(([a], [b]) => (a < b ? 1 : -1))) tell(`${count} ${what}`);
    for (const name of missed) tell(`not reached: ${name}`);
  }
  // Work beside the operation is not the same each time; the operations themselves are.
  expect(missed.length).toBeLessThanOrEqual(Math.ceil(drawn.length / 10));
});

const tell = (line: string) => process.stderr.write(`${line}\n`);

let state = seed;
/** Whole numbers below `limit`; the same seed gives the same drill. @see Numerical Recipes, LCG */
function random(limit: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

/** All of them for the long drill; some for the short one, as each must be looked at undisturbed first. */
function chooseOperations(): readonly Operation[] {
  if (only !== undefined) return operations.filter(({ name }) => only.split(',').includes(name));
  if (wanted === 'all') return operations;
  const first = random(operations.length);
  return Array.from({ length: 2 }, (_, index) => operations[(first + index * 5) % operations.length]!);
}

/** Runs the operation undisturbed and lists what the daemon did for it. */
async function effectsOf(operation: Operation): Promise<EffectPoint[]> {
  const subject = await operation.prepare(daemon());
  await sleep(QUIET_MS);
  await armEffects(effectsSocket, null);
  await operation.act(daemon(), subject);
  await sleep(QUIET_MS);
  const points = await effectsSince(effectsSocket);
  await clearAway(subject);
  return points;
}

/** @returns false when the operation went by without the effect */
async function killAt({ operation, label, nth }: Step, clean: readonly string[], name: string): Promise<boolean> {
  const subject = await operation.prepare(daemon());
  await sleep(QUIET_MS / 3);
  await armEffects(effectsSocket, { label, nth });
  const acknowledged = await operation.act(daemon(), subject).catch(() => false);
  let killed = await endsWithin(daemon(), QUIET_MS * 3);
  if (!killed) {
    // It may die of it up to the moment it has heard that it need not.
    await armEffects(effectsSocket, null).catch(() => {});
    killed = await endsWithin(daemon(), QUIET_MS);
  }
  if (killed) {
    await daemon().start();
    // Answered when it has looked after its containers.
    await daemon().api.get('/containers/json');
    try {
      await eventually(`the daemon to stand by its word (${name})`, () =>
        standsByItsWord(operation, subject, acknowledged),
      );
      await operation.again(daemon(), subject);
    } catch (error) {
      throw new Error(`after a kill at ${name}, acknowledged ${acknowledged}: ${String(error)}`);
    }
  }
  await clearAway(subject).catch((error) => {
    throw new Error(`after a kill at ${name}: ${String(error)}`);
  });
  let left: string[] = [];
  await eventually('a clean machine', async () => {
    left = difference(clean, await footprint(daemon()));
    return left.length === 0;
  }).catch(() => {
    throw new Error(`a kill at ${name} left\n${left.join('\n')}`);
  });
  return killed;
}

async function standsByItsWord(operation: Operation, subject: Subject, acknowledged: boolean): Promise<boolean> {
  const answer = await daemon().api.get(`/containers/${subject.name}/json`);
  if (answer.status === 404) return operation.outcome({ acknowledged, state: undefined });
  const { State: state, Id } = answer.json();
  if (subject.id !== '' && Id !== subject.id) throw new Error(`${subject.name} is another container now`);
  if (state.Running !== state.Pid > 0) throw new Error(`running ${state.Running} with pid ${state.Pid}`);
  if (state.Running && !existsSync(`/proc/${state.Pid}`)) throw new Error('it runs without a process');
  return operation.outcome({ acknowledged, state });
}

/** Nothing of the subject may resist its removal. */
async function clearAway({ name }: Subject): Promise<void> {
  const { api } = daemon();
  const removed = await api.delete(`/containers/${name}?force=1&v=1`);
  if (![204, 404].includes(removed.status)) throw new Error(`removal of ${name}: ${removed.status} ${removed.text}`);
  const volume = await api.delete(`/volumes/${name}?force=1`);
  if (volume.status !== 204) throw new Error(`removal of the volume ${name}: ${volume.status} ${volume.text}`);
}

/** A draw that gives each operation its turn. */
function draw(steps: readonly Step[], count: number): Step[] {
  const names = [...new Set(steps.map(({ operation }) => operation.name))];
  return Array.from({ length: count }, (_, index) => {
    const own = steps.filter(({ operation }) => operation.name === names[index % names.length]);
    return own[random(own.length)]!;
  });
}
