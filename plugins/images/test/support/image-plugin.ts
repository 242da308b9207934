import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import type { ApiRequest, DaemonSettings, EngineEvent, EventBus, ImageManager, Logger } from '@gantry/sdk';
import { plugin } from '../../plugin';

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  /** The lines of a progress stream. */
  readonly lines: readonly Record<string, unknown>[];
  readonly bytes: Buffer;
}

export interface StartedPlugin {
  readonly images: ImageManager;
  readonly events: EngineEvent[];
  /** Calls a route as the core would, without a socket. Rejects with what the handler throws. */
  call(
    method: string,
    url: string,
    body?: Buffer | Readable,
    signal?: AbortSignal,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  stop(): Promise<void>;
}

/** The images plugin on a folder, as the daemon starts it. */
export async function startPlugin(
  stateDir: string,
  storageDriver = 'overlay2',
  storageOptions: readonly string[] = [],
): Promise<StartedPlugin> {
  const events: EngineEvent[] = [];
  const stops: (() => void | Promise<void>)[] = [];
  const bus: EventBus = { publish: (event) => void events.push(event), subscribe: () => () => {} };
  const settings = {
    storageDriver,
    storageOptions,
    engineVersion: '1.2.3',
    insecureRegistries: [],
    registryMirrors: [],
    registryMirrorPrefixes: {},
    proxies: { httpProxy: '', httpsProxy: '', noProxy: '' },
    maxConcurrentDownloads: 3,
    maxConcurrentUploads: 5,
    maxDownloadAttempts: 3,
  } as unknown as DaemonSettings;
  const started = await plugin.start({
    config: { certificates: join(stateDir, 'certs.d') },
    needs: { events: bus, snapshotters: { names: () => [], get: () => undefined } as never },
    settings,
    stateDir,
    runDir: stateDir,
    log: silent,
    signal: new AbortController().signal,
    onStop: (cleanup) => stops.push(typeof cleanup === 'function' ? cleanup : () => cleanup.close()),
    onReconfigure: () => undefined,
  });
  return {
    images: started.images,
    events,
    async call(method, target, body, signal = new AbortController().signal, headers = {}) {
      const url = new URL(target, 'http://engine');
      for (const route of started.routes.routes) {
        const pattern = new RegExp(`^${route.path.replace(/\{(\w+)\.\.\.\}/g, '(?<$1>.+)')}$`);
        const match = route.method === method ? pattern.exec(url.pathname) : null;
        if (match === null) continue;
        const request = {
          method,
          path: url.pathname,
          params: match.groups ?? {},
          query: url.searchParams,
          headers,
          json: async () => (Buffer.isBuffer(body) ? JSON.parse(body.toString()) : undefined),
          apiVersion: '1.51',
          body:
            body === undefined
              ? new PassThrough().end()
              : Buffer.isBuffer(body)
                ? Readable.from([Buffer.from(body)])
                : body,
          signal,
        } as unknown as ApiRequest;
        const reply = await route.handle(request);
        if (!('status' in reply)) throw new Error(`${target} hijacks`);
        if (reply.kind !== 'stream')
          return {
            status: reply.status,
            body: (reply as { body?: unknown }).body,
            lines: [],
            bytes: Buffer.alloc(0),
          } as Answer;
        const out = new PassThrough();
        const chunks: Buffer[] = [];
        out.on('data', (chunk: Buffer) => chunks.push(chunk));
        await reply.run(out, signal);
        const bytes = Buffer.concat(chunks);
        const isProgress = reply.contentType === 'application/json';
        const lines = isProgress
          ? bytes
              .toString()
              .split('\r\n')
              .filter(Boolean)
              .map((line) => JSON.parse(line))
          : [];
        return { status: reply.status, body: undefined, lines, bytes };
      }
      throw new Error(`no route for ${method} ${target}`);
    },
    async stop() {
      for (const stop of stops.reverse()) await stop();
    },
  };
}
