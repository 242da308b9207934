import { randomBytes } from 'node:crypto';
import type { TestDaemon } from './daemon';

export interface ContainerBody {
  readonly [field: string]: unknown;
  readonly HostConfig?: Readonly<Record<string, unknown>>;
}

/** Makes a container of busybox and starts it; gives its id. Any answer but success is a failure. */
export async function startContainer(daemon: TestDaemon, body: ContainerBody = {}, name = ''): Promise<string> {
  const id = await createContainer(daemon, body, name);
  const answer = await daemon.api.post(`/containers/${id}/start`);
  if (answer.status !== 204) throw new Error(`start: ${answer.status} ${answer.text}`);
  return id;
}

export async function createContainer(daemon: TestDaemon, body: ContainerBody = {}, name = ''): Promise<string> {
  const query = `?name=${name || `t${randomBytes(6).toString('hex')}`}`;
  const answer = await daemon.api.post(`/containers/create${query}`, {
    Image: 'busybox',
    Cmd: ['sleep', '600'],
    ...body,
  });
  if (answer.status !== 201) throw new Error(`create: ${answer.status} ${answer.text}`);
  return answer.json<{ Id: string }>().Id;
}

/** Runs a shell script in a container of its own, to its end; gives what it wrote, trimmed. */
export async function outputOf(daemon: TestDaemon, script: string, body: ContainerBody = {}): Promise<string> {
  const id = await startContainer(daemon, { Cmd: ['sh', '-c', script], ...body });
  try {
    await daemon.api.post(`/containers/${id}/wait`);
    const { body: log } = await daemon.api.get(`/containers/${id}/logs?stdout=1&stderr=1`);
    return (body.Tty ? log.toString().replaceAll('\r\n', '\n') : plainText(log)).trim();
  } finally {
    await daemon.api.delete(`/containers/${id}?force=1&v=1`);
  }
}

/** Runs a shell script in a container that runs; gives what it wrote, trimmed. */
export async function outputIn(daemon: TestDaemon, id: string, script: string, body: object = {}): Promise<string> {
  const made = await daemon.api.post(`/containers/${id}/exec`, {
    AttachStdout: true,
    AttachStderr: true,
    Cmd: ['sh', '-c', script],
    ...body,
  });
  if (made.status !== 201) throw new Error(`exec: ${made.status} ${made.text}`);
  const answer = await daemon.api.post(`/exec/${made.json<{ Id: string }>().Id}/start`, { Detach: false });
  return plainText(answer.body).trim();
}

/** What both streams carry, without their frames. @see Engine API, stream format of attach */
export function plainText(framed: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= framed.length; ) {
    const length = framed.readUInt32BE(at + 4);
    parts.push(framed.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(parts).toString();
}
