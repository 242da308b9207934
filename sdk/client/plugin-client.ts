import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { cancelled, EngineError, errorMessage, systemError } from '../errors';
import { type Clock, systemClock, withDeadline } from '../lifecycle';
import { activateMethod, decodeActivate, type ErrorField, requestText } from '../wire';
import { parsePluginAddress } from './address';
import { exchange, NoAnswer, openExchange, type PluginAnswer, type PluginTls, readWholeAnswer } from './exchange';
import { PluginRefusal, readAnswer } from './read-answer';
import { defaultRetry, type RetrySchedule, withRetry } from './retry';

/** Which plugin, where, and how patient to be with it. */
export interface PluginClientOptions {
  /** How messages name the plugin. */
  readonly name: string;
  /** `/path`, `unix:///path`, `tcp://host:port`, `http://…`, `https://…`. */
  readonly address: string;
  readonly tls?: PluginTls;
  readonly retry?: RetrySchedule;
  /** Deadline for every method instead of the method's own; 0 = none. Managed plugins are enabled with one. */
  readonly timeoutMs?: number;
  /** Largest answer taken; 16 MiB when absent. */
  readonly maxAnswerBytes?: number;
  readonly clock?: Clock;
  /** Told about every finished call: for metrics and health. Must not throw. */
  readonly observe?: (call: PluginCallReport) => void;
  /** Headers of a call beside the protocol's own, such as `traceparent`; asked for with every call. */
  readonly headers?: () => Readonly<Record<string, string>>;
}

/** How a call went. `error` is absent when the plugin answered without an error. */
export interface PluginCallReport {
  readonly method: string;
  readonly durationMs: number;
  readonly error?: EngineError;
  /** False when no HTTP answer arrived. */
  readonly answered: boolean;
}

/** One call of a method. The tables in `sdk/wire` hold the fixed part of it for each method. */
export interface PluginCall {
  /** `VolumeDriver.Create`. */
  readonly method: string;
  /** Sent as JSON; undefined sends an empty body. */
  readonly body?: unknown;
  /** Deadline of the whole call, retries included; 0 = none. */
  readonly timeoutMs: number;
  /** A second call does no harm, so that it may be sent again when the connection broke after it was sent. */
  readonly repeatable: boolean;
  /** Field that carries an error in an answer with status 200; `Err` when absent. */
  readonly errorField?: ErrorField;
  /** Of the answer only the status counts. */
  readonly ignoresBody?: boolean;
  /** Put before the plugin's own error text, such as `remote: `. */
  readonly errorPrefix?: string;
  readonly retry?: RetrySchedule;
  readonly signal?: AbortSignal;
}

/** Calls methods of one plugin. Connections are kept open between calls. */
export interface PluginClient {
  readonly name: string;
  readonly address: string;
  readonly tls?: PluginTls;
  /**
   * @returns the parsed answer
   * @throws unavailable  no HTTP answer after the retries
   * @throws deadline     not done within the time limit
   * @throws system       status other than exactly 200, an error of the plugin without a kind, or not JSON
   */
  call(call: PluginCall): Promise<unknown>;
  /**
   * A call whose answer is a stream, such as LogDriver.ReadLogs. The time limit is for the beginning of the answer; the
   * stream lasts as long as it does, or until `signal` aborts, which makes it fail.
   *
   * @throws as `call`
   */
  stream(call: PluginCall): Promise<AsyncIterable<Buffer>>;
  /** The handshake: which kinds the plugin implements. */
  activate(options?: {
    signal?: AbortSignal;
    timeoutMs?: number;
    retry?: RetrySchedule;
  }): Promise<{ implements: string[] }>;
  close(): void;
}

/** A plugin that serves one connection after the other would not look at a fresh one while it holds an idle one. */
function dropIdle(agent: HttpAgent): void {
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of [...(sockets ?? [])]) socket.destroy();
}

/**
 * A client of the plugin at an address. Nothing is sent before the first call; `close` drops kept connections.
 * @throws invalid-parameter  the address has an unknown form
 */
export function connectPlugin(options: PluginClientOptions): PluginClient {
  const endpoint = parsePluginAddress(options.address);
  const agentOptions = { keepAlive: true, maxFreeSockets: 4, timeout: 0 };
  const agent = endpoint.kind === 'tcp' && endpoint.tls ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions);
  const clock = options.clock ?? systemClock;
  const maxAnswerBytes = options.maxAnswerBytes ?? 16 * 1024 * 1024;

  async function send(call: PluginCall, signal: AbortSignal): Promise<PluginAnswer> {
    const body = call.body === undefined ? undefined : Buffer.from(requestText(call.body));
    const mayRepeat = (error: unknown) =>
      error instanceof NoAnswer && !signal.aborted && (call.repeatable || !error.connected);
    // A kept connection may be stale without our knowing, so a call that must not be sent twice gets a fresh one.
    const through = call.repeatable ? agent : (false as const);
    if (!call.repeatable) dropIdle(agent);
    const headers = options.headers?.();
    const attempt = (agentOfAttempt: HttpAgent | false) =>
      exchange(endpoint, call.method, body, {
        agent: agentOfAttempt,
        tls: options.tls,
        signal,
        maxAnswerBytes,
        headers,
      });
    return withRetry(call.retry ?? options.retry ?? defaultRetry, clock, signal, mayRepeat, () =>
      attempt(through).catch((error) => {
        if (error instanceof NoAnswer && error.stale && !signal.aborted) return attempt(false);
        throw error;
      }),
    );
  }

  const { name, address } = options;
  const unreached = (kind: 'unavailable' | 'deadline', message: string, cause: unknown) =>
    new EngineError(kind, message, { cause, absentPlugin: { name, address } });

  async function callOnce(call: PluginCall): Promise<unknown> {
    const where = `${call.method}: plugin "${options.name}" at ${options.address}`;
    const timeoutMs = options.timeoutMs ?? call.timeoutMs;
    let answer: PluginAnswer;
    try {
      answer =
        timeoutMs === 0
          ? await send(call, call.signal ?? new AbortController().signal)
          : await withDeadline(where, timeoutMs, (signal) => send(call, signal), call.signal);
    } catch (error) {
      if (call.signal?.aborted) throw cancelled(`${where}: the call was cancelled`, error);
      if (error instanceof NoAnswer)
        throw unreached('unavailable', `${where} cannot be reached: ${error.message}`, error);
      if (error instanceof EngineError && error.kind === 'deadline') throw unreached('deadline', error.message, error);
      if (error instanceof EngineError) throw error;
      throw systemError(`${where}: ${errorMessage(error)}`, error);
    }
    return readAnswer(call, answer, where);
  }

  async function call(call: PluginCall): Promise<unknown> {
    if (options.observe === undefined) return callOnce(call);
    const startedAt = performance.now();
    try {
      const answer = await callOnce(call);
      options.observe({ method: call.method, durationMs: performance.now() - startedAt, answered: true });
      return answer;
    } catch (error) {
      const failure = error as EngineError;
      const answered =
        !['unavailable', 'deadline', 'cancelled'].includes(failure.kind) || failure instanceof PluginRefusal;
      options.observe({ method: call.method, durationMs: performance.now() - startedAt, error: failure, answered });
      throw error;
    }
  }

  async function stream(call: PluginCall): Promise<AsyncIterable<Buffer>> {
    const where = `${call.method}: plugin "${options.name}" at ${options.address}`;
    const body = call.body === undefined ? undefined : Buffer.from(requestText(call.body));
    const late = new AbortController();
    const timeoutMs = options.timeoutMs ?? call.timeoutMs;
    const timer = timeoutMs === 0 ? undefined : setTimeout(() => late.abort(), timeoutMs);
    const signal = call.signal === undefined ? late.signal : AbortSignal.any([call.signal, late.signal]);
    const mayRepeat = (error: unknown) => error instanceof NoAnswer && !signal.aborted && !error.connected;
    try {
      // A connection of its own: it may be open for hours.
      const answer = await withRetry(call.retry ?? options.retry ?? defaultRetry, clock, signal, mayRepeat, () =>
        openExchange(endpoint, call.method, body, { agent: false, tls: options.tls, signal }),
      );
      if (answer.statusCode === 200) return answer;
      const whole = await readWholeAnswer(answer, maxAnswerBytes);
      throw readAnswer(call, whole, where);
    } catch (error) {
      if (error instanceof EngineError && !signal.aborted) throw error;
      if (call.signal?.aborted) throw cancelled(`${where}: the call was cancelled`, error);
      if (late.signal.aborted) throw unreached('deadline', `${where} did not answer within ${timeoutMs} ms`, error);
      throw unreached('unavailable', `${where} cannot be reached: ${errorMessage(error)}`, error);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    name: options.name,
    address: options.address,
    tls: options.tls,
    call,
    stream,
    async activate(how = {}) {
      const body = await call({
        method: activateMethod,
        timeoutMs: how.timeoutMs ?? 60_000,
        repeatable: true,
        retry: how.retry,
        signal: how.signal,
      });
      return decodeActivate(body, options.name);
    },
    close: () => agent.destroy(),
  };
}
