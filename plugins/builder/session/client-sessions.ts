import http2, { type ClientHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';
import { type ApiRequest, type HijackedConnection, invalidParameter } from '@gantry/sdk';
import { closed, sessionIdOf } from '../buildkit/session-request';

const waitMs = 5_000;

/** Connections over which builds ask their clients for secrets and agents. @see Docker Engine API, POST /session */
export class ClientSessions {
  private readonly sessions = new Map<string, ClientHttp2Session>();
  private readonly waiting = new Map<string, Set<() => void>>();

  /** @throws invalid-parameter  no session is named, or it speaks another protocol */
  open({ headers }: ApiRequest): (connection: HijackedConnection) => Promise<void> {
    const id = sessionIdOf(headers);
    return async (connection) => {
      const session = http2.connect('http://client', { createConnection: () => connection.stream as Duplex });
      session.on('error', () => {});
      this.sessions.set(id, session);
      for (const wake of this.waiting.get(id) ?? []) wake();
      try {
        await closed(session, connection);
      } finally {
        if (this.sessions.get(id) === session) this.sessions.delete(id);
      }
    };
  }

  /** A session the client opens before its build, or right after. @throws invalid-parameter  it does not come */
  async get(id: string, signal: AbortSignal): Promise<ClientHttp2Session> {
    if (id === '') throw noSession();
    const present = this.sessions.get(id);
    if (present !== undefined) return present;
    const waiting = this.waiting.get(id) ?? new Set();
    this.waiting.set(id, waiting);
    const either = AbortSignal.any([signal, AbortSignal.timeout(waitMs)]);
    await new Promise<void>((resolve) => {
      waiting.add(resolve);
      either.addEventListener('abort', () => resolve(), { once: true });
    });
    if (this.waiting.get(id) === waiting) this.waiting.delete(id);
    signal.throwIfAborted();
    const found = this.sessions.get(id);
    if (found === undefined) throw invalidParameter(`no active session for ${id}: open one by POST /session`);
    return found;
  }
}

export const noSession = () =>
  invalidParameter('this build has no session of its client to ask for files or secrets: open one by POST /session');
