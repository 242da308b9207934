import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, posix } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type EngineError, forbidden, invalidParameter, notFound, systemError } from '@gantry/sdk';
import type { Engine } from '../engine';
import type { Container } from '../run/container';
import { resolveContainerUser } from '../run/prepare-spec';
import { type ArchiveJob, type ArchiveReport, REPORT_FD } from './archive-job';
import { type ContainerView, openView } from './container-view';
import type { PathStat } from './path-stat';
import { statInside } from './stat-inside';

/** An archive that is being made: what it is of, and the way to get it. */
export interface OpenArchive {
  readonly stat: PathStat;
  /** Sends the archive; must be called, or `close`, unless the signal it was opened with aborts. */
  sendTo(out: Writable, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** @throws not-found  `Could not find the file x in container y`. @see Engine API, HEAD /containers/{id}/archive */
export async function statInContainer(
  reference: string,
  path: string,
  engine: Engine,
  signal: AbortSignal,
): Promise<PathStat> {
  const container = engine.index.get(reference);
  const view = await openView(container, false, engine);
  const found = view.binds.length > 0 ? undefined : await statInside(view.root, absolute(path));
  if (found === undefined) {
    const open = await archiveOf(container, view, reference, path, 'stat', signal);
    await open.close();
    return open.stat;
  }
  await view.close();
  if (found === 'missing') throw notInContainer(path, reference);
  return found;
}

/** @throws not-found. @see Engine API, GET /containers/{id}/archive */
export async function packFromContainer(
  reference: string,
  path: string,
  engine: Engine,
  signal: AbortSignal,
): Promise<OpenArchive> {
  return openArchive(reference, path, 'pack', engine, signal);
}

/** The container's own layers as one archive, without volumes. @see Engine API, GET /containers/{id}/export */
export async function exportContainer(reference: string, engine: Engine, signal: AbortSignal): Promise<OpenArchive> {
  return openArchive(reference, '/', 'export', engine, signal);
}

/**
 * Unpacks an archive into a directory of a container.
 *
 * @throws not-found          the directory is not there
 * @throws invalid-parameter  it is none, or the archive is broken or contradicts what is there
 * @throws forbidden          the file system is read-only
 * @see Engine API, PUT /containers/{id}/archive
 */
export async function unpackIntoContainer(
  reference: string,
  path: string,
  archive: Readable,
  options: { readonly noOverwriteDirNonDir: boolean; readonly copyUidGid: boolean },
  engine: Engine,
  signal: AbortSignal,
): Promise<void> {
  const container = engine.index.get(reference);
  const view = await openView(container, false, engine);
  try {
    if (container.record.hostConfig.ReadonlyRootfs && !isOnWritableMount(container, path))
      throw forbidden('container rootfs is marked read-only');
    const { User } = container.record.config;
    const owner =
      options.copyUidGid && User ? await resolveContainerUser(container.record, view.root, User) : undefined;
    const child = startProcess({
      ...view,
      action: 'unpack',
      path: absolute(path),
      noOverwriteDirNonDir: options.noOverwriteDirNonDir,
      owner: owner && { uid: owner.uid, gid: owner.gid },
    });
    const stop = () => child.process.kill('SIGKILL');
    signal.addEventListener('abort', stop, { once: true });
    // When the process refuses early its end of the pipe is closed; the report says why.
    const sent = pipeline(archive, child.process.stdin as Writable).catch(() => undefined);
    const report = await child.report;
    await Promise.all([sent, child.ended]);
    signal.removeEventListener('abort', stop);
    if (!report.ok) throw refusal(report, 'unpack', path, container, reference);
  } finally {
    await view.close();
  }
}

/** @param signal  ends the work at any time, also when nobody comes for the archive any more */
async function openArchive(
  reference: string,
  path: string,
  action: 'stat' | 'pack' | 'export',
  engine: Engine,
  signal: AbortSignal,
): Promise<OpenArchive> {
  const container = engine.index.get(reference);
  const view = await openView(container, action === 'export', engine);
  return archiveOf(container, view, reference, path, action, signal);
}

async function archiveOf(
  container: Container,
  view: ContainerView,
  reference: string,
  path: string,
  action: 'stat' | 'pack' | 'export',
  signal: AbortSignal,
): Promise<OpenArchive> {
  const child = startProcess({ ...view, action, path: absolute(path), noOverwriteDirNonDir: false, owner: undefined });
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      signal.removeEventListener('abort', giveUp);
      child.process.kill('SIGKILL');
      await child.ended;
      await view.close();
    })();
    return closing;
  };
  const giveUp = () => void close();
  signal.addEventListener('abort', giveUp, { once: true });
  if (signal.aborted) giveUp();
  const report = await child.report;
  if (!report.ok || report.stat === undefined) {
    await close();
    throw report.ok
      ? systemError('the archive process did not describe the path')
      : refusal(report, action, path, container, reference);
  }
  return {
    stat: report.stat,
    close,
    async sendTo(out, sending) {
      const stop = () => void close();
      sending.addEventListener('abort', stop, { once: true });
      if (sending.aborted) stop();
      try {
        await pipeline(child.process.stdout as Readable, out, { end: false });
        const code = await child.ended;
        if (code !== 0 && !sending.aborted) throw systemError(`archiving ${path} failed`);
      } finally {
        sending.removeEventListener('abort', stop);
        await close();
      }
    },
  };
}

interface RunningJob {
  readonly process: ChildProcess;
  /** Never rejects. */
  readonly report: Promise<ArchiveReport>;
  readonly ended: Promise<number | null>;
}

function startProcess({ root, binds, action, path, noOverwriteDirNonDir, owner }: ArchiveJob): RunningJob {
  const job: ArchiveJob = { root, binds, action, path, noOverwriteDirNonDir, owner };
  const child = spawn(process.execPath, [join(__dirname, 'archive-process.js'), JSON.stringify(job)], {
    stdio: ['pipe', 'pipe', 'ignore', 'pipe'],
    env: {},
  });
  child.stdin?.on('error', () => undefined);
  const ended = once(child, 'close').then(
    ([code]) => code as number | null,
    () => null,
  );
  return { process: child, report: readReport(child.stdio[REPORT_FD] as Readable, ended), ended };
}

async function readReport(stream: Readable, ended: Promise<unknown>): Promise<ArchiveReport> {
  const failed: ArchiveReport = { ok: false, reason: 'failed', message: 'the archive process ended without an answer' };
  let text = '';
  const line = new Promise<ArchiveReport>((resolve) => {
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      // The first line is the answer. One about a client that left in the middle of the archive may follow.
      if (text.includes('\n')) return;
      text += chunk;
      const end = text.indexOf('\n');
      if (end !== -1) resolve(JSON.parse(text.slice(0, end)) as ArchiveReport);
    });
    stream.once('error', () => resolve(failed));
    stream.once('end', () => resolve(failed));
  });
  return Promise.race([line, ended.then(() => line)]);
}

function refusal(
  report: Extract<ArchiveReport, { ok: false }>,
  action: ArchiveJob['action'],
  path: string,
  container: Container,
  reference: string,
): EngineError {
  switch (report.reason) {
    case 'missing':
      return notInContainer(path, reference);
    case 'not-a-directory':
      return action === 'unpack'
        ? invalidParameter('extraction point is not a directory')
        : systemError(`lstat ${path}: not a directory`);
    case 'read-only':
      return forbidden('mounted volume is marked read-only');
    case 'invalid':
      return invalidParameter(report.message);
    case 'failed':
      return systemError(`archive of ${path} in container ${container.id}: ${report.message}`);
  }
}

function isOnWritableMount(container: Container, path: string): boolean {
  const clean = posix.normalize(absolute(path));
  return container.record.mounts.some(
    ({ destination, readWrite }) => readWrite && (clean === destination || clean.startsWith(`${destination}/`)),
  );
}

const notInContainer = (path: string, reference: string): EngineError =>
  notFound(`Could not find the file ${path} in container ${reference}`);

const absolute = (path: string): string => (path.startsWith('/') ? path : `/${path}`);
