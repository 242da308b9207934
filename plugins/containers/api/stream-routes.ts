import { type ApiRequest, type ApiRoute, apiVersionAtLeast, conflict, invalidParameter, reply } from '@gantry/sdk';
import { type Engine, publish } from '../engine';
import { assertAttachable, attach } from '../io/attach';
import { assertReadable, writeLogs } from '../io/logs';
import { isAlive } from '../run/state';
import { hasEnded } from '../run/stop-container';
import { queryFlag, queryInteger, queryTime } from './parse-request';

const RAW = 'application/vnd.docker.raw-stream';
const MULTIPLEXED = 'application/vnd.docker.multiplexed-stream';

/** Clients before 1.42 expect raw-stream for framed streams too. */
export function streamType(request: ApiRequest, terminal: boolean): string {
  return !terminal && apiVersionAtLeast(request.apiVersion, '1.42') ? MULTIPLEXED : RAW;
}

/** Only a client that asked for another protocol is told which one the connection speaks now. */
export function hijackType(request: ApiRequest, terminal: boolean): string {
  return request.headers.upgrade === undefined ? RAW : streamType(request, terminal);
}

/** Routes that carry a container's streams. */
export function streamRoutes(engine: Engine): ApiRoute[] {
  const find = (request: ApiRequest) => engine.index.get(request.params.id ?? '');
  return [
    {
      method: 'POST',
      path: '/containers/{id}/attach',
      flags: { hijack: true },
      handle: (request) => {
        const container = find(request);
        const { query } = request;
        const options = {
          logs: queryFlag(query, 'logs'),
          stream: queryFlag(query, 'stream'),
          stdin: queryFlag(query, 'stdin'),
          stdout: queryFlag(query, 'stdout'),
          stderr: queryFlag(query, 'stderr'),
          detachKeys: query.get('detachKeys') ?? '',
          framed: !container.record.config.Tty,
        };
        assertAttachable(container, request.params.id ?? '', options);
        return reply.hijack(hijackType(request, container.record.config.Tty), (connection) =>
          attach(container, connection, options, engine),
        );
      },
    },
    {
      method: 'GET',
      path: '/containers/{id}/attach/ws',
      flags: { hijack: true },
      handle: (request) => {
        const container = find(request);
        const { query } = request;
        // Clients before 1.42 could not choose.
        const chosen = (name: string) => !apiVersionAtLeast(request.apiVersion, '1.42') || queryFlag(query, name);
        const options = {
          logs: queryFlag(query, 'logs'),
          stream: queryFlag(query, 'stream'),
          stdin: chosen('stdin'),
          stdout: chosen('stdout'),
          stderr: chosen('stderr'),
          detachKeys: query.get('detachKeys') ?? '',
          framed: false,
        };
        assertAttachable(container, request.params.id ?? '', options);
        // Messages were text before 1.28.
        return reply.webSocket(apiVersionAtLeast(request.apiVersion, '1.28'), (connection) =>
          attach(container, connection, options, engine),
        );
      },
    },
    {
      method: 'GET',
      path: '/containers/{id}/logs',
      handle: async (request) => {
        const container = find(request);
        const { query } = request;
        const stdout = queryFlag(query, 'stdout');
        const stderr = queryFlag(query, 'stderr');
        if (!stdout && !stderr) throw invalidParameter('Bad parameters: you must choose at least one stream');
        const tail = query.get('tail') ?? 'all';
        const options = {
          stdout,
          stderr,
          follow: queryFlag(query, 'follow'),
          timestamps: queryFlag(query, 'timestamps'),
          details: queryFlag(query, 'details'),
          sinceNs: queryTime(query, 'since'),
          untilNs: queryTime(query, 'until'),
          tail: /^\d+$/.test(tail) ? Number(tail) : undefined,
          framed: !container.record.config.Tty,
        };
        await assertReadable(container, engine);
        return reply.stream(200, streamType(request, container.record.config.Tty), (out, signal) =>
          writeLogs(container, out, options, signal, engine),
        );
      },
    },
    {
      method: 'POST',
      path: '/containers/{id}/resize',
      handle: async (request) => {
        const { columns, rows } = terminalSize(request);
        const container = find(request);
        if (!isAlive(container.state) || !container.task) throw conflict(`container ${container.id} is not running`);
        await container.task.resize(columns, rows).catch(async (error: unknown) => {
          if (await hasEnded(container)) throw conflict(`container ${container.id} is not running`);
          throw error;
        });
        publish(engine, container, 'resize', { height: String(rows), width: String(columns) });
        return reply.empty(200);
      },
    },
  ];
}

/** @throws invalid-parameter  `h` or `w` is missing or no number */
export function terminalSize({ query }: ApiRequest): { columns: number; rows: number } {
  const read = (name: 'h' | 'w', what: string): number => {
    const value = query.get(name) ?? '';
    const fail = (why: string) => invalidParameter(`invalid resize ${what} "${value}": ${why}`);
    if (!/^[+-]?\d+$/.test(value)) throw fail('invalid syntax');
    const characters = Number(value);
    if (characters < 0 || characters > 65535) throw fail('value out of range');
    return characters;
  };
  const rows = read('h', 'height');
  return { rows, columns: read('w', 'width') };
}
