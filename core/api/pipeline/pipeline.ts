import type { IncomingMessage } from 'node:http';
import {
  type ApiRoute,
  type ApiSubject,
  type ApiVersion,
  EngineError,
  errorKind,
  errorMessage,
  type Logger,
  notFound,
} from '@gantry/sdk';
import type { CallWatcher } from '../../kernel/watched-instance';
import type { RequestOutcome } from '../../metrics/engine-metrics';
import type { Wire } from '../doors/wire';
import { errorStatus } from '../error-status';
import { type Destination, Exchange } from '../request/exchange';
import { StalledBody } from '../request/json-body';
import { parseTarget, type RequestTarget } from '../request/request-target';
import { isServedTo, type RouteMatch, type RouteTable } from '../routes/route-table';
import { negotiateVersion, splitVersion, TooOldClient } from '../versions/api-version';
import type { Admission, Authorizer, Destination as Description } from './authorizer';
import { nextRequestId } from './request-id';
import { sendBody } from './send-body';
import { sendReply } from './send-reply';
import type { AnswerHeaders } from './server-headers';
import type { Shutdown } from './shutdown';

export interface PipelineDeps {
  /** The routes as they are now. */
  readonly table: () => RouteTable;
  /** Settles when all plugins have contributed their routes; undefined once that is so. */
  readonly starting: () => Promise<unknown> | undefined;
  readonly authorize: Authorizer;
  /** The object that a request to this route names. */
  readonly subjectOf: (
    route: ApiRoute,
    params: Readonly<Record<string, string>>,
  ) => ApiSubject | undefined | Promise<ApiSubject | undefined>;
  readonly common: AnswerHeaders;
  /** Answers what no route does: redirects, OPTIONS, unknown paths. */
  readonly edge: (wire: Wire, target: RequestTarget) => void;
  readonly shutdown: Shutdown;
  /** Told how every request went. */
  readonly ended?: (outcome: RequestOutcome) => void;
  /** Put around every request. */
  readonly around?: (request: IncomingMessage, work: () => Promise<RequestOutcome>) => Promise<unknown>;
  readonly log: Logger;
  /** Told of every request that goes on to a plugin. */
  readonly watchPlugin?: CallWatcher;
}

/** The one way a request takes, whichever door it came through: id → authorization → version → route → errors. */
export class Pipeline {
  constructor(private readonly deps: PipelineDeps) {}

  /** Never rejects. Resolves when the reply has ended. */
  run(wire: Wire): Promise<unknown> {
    const { around } = this.deps;
    return around === undefined ? this.serve(wire) : around(wire.request, () => this.serve(wire));
  }

  private async serve(wire: Wire): Promise<RequestOutcome> {
    const id = nextRequestId();
    const startedAtMs = performance.now();
    let exchange: Exchange | undefined;
    let admission: Admission | undefined;
    try {
      if (this.deps.authorize.names.length > 0) admission = await this.admit(wire);
      const target = parseTarget(wire.request.url ?? '/');
      const found = this.findRoute(wire, target);
      const destination = found instanceof Promise ? await found : found;
      if (destination === undefined) {
        await admission?.failed(this.deps.common);
        this.deps.edge(wire, target);
      } else {
        exchange = new Exchange(id, wire, destination, admission?.body);
        const answer = destination.route.handle(exchange);
        const sent = sendReply(exchange, answer instanceof Promise ? await answer : answer, this.deps, admission);
        if (sent !== undefined) await sent;
        if (admission !== undefined) await admission.failed(this.deps.common);
      }
    } catch (error) {
      await admission?.failed(this.deps.common);
      this.sendError(wire, id, error, exchange);
    }
    const outcome: RequestOutcome = {
      method: wire.request.method ?? '',
      route: exchange?.route.path,
      status: wire.response.statusCode,
      seconds: (performance.now() - startedAtMs) / 1000,
    };
    this.deps.ended?.(outcome);
    this.deps.log.debug('request', {
      id,
      method: wire.request.method,
      path: exchange?.path ?? wire.request.url,
      status: wire.response.statusCode,
      ms: Math.round(outcome.seconds * 1e6) / 1000,
    });
    return outcome;
  }

  /** Nobody can be asked before the plugins run. */
  private async admit(wire: Wire): Promise<Admission> {
    await this.deps.starting();
    return this.deps.authorize.admit(wire, () => this.describe(wire));
  }

  private async describe(wire: Wire): Promise<Description | undefined> {
    let found: Destination | undefined;
    try {
      found = await this.findRoute(wire, parseTarget(wire.request.url ?? '/'));
    } catch (error) {
      // What cannot be routed is refused in its own words, once it has been admitted.
      if (errorKind(error) === 'system') throw error;
    }
    if (found === undefined) return undefined;
    const { route, params, apiVersion } = found;
    const subject = await this.deps.subjectOf(route, params);
    return {
      route: { method: route.method, path: route.path, params, apiVersion },
      ...(subject === undefined ? {} : { subject }),
    };
  }

  /**
   * A promise only while plugins start: their routes are waited for.
   *
   * @throws invalid-parameter  the version is outside the supported range
   */
  private findRoute(wire: Wire, target: RequestTarget): Destination | undefined | Promise<Destination | undefined> {
    if (target.redirectTo !== undefined) return undefined;
    const { version, path } = splitVersion(target.path);
    const method = wire.request.method ?? 'GET';
    const match = this.deps.table().match(method, path);
    if (match !== undefined) return this.destination(match, version, path, target);
    return this.deps.starting()?.then(() => {
      const late = this.deps.table().match(method, path);
      return late && this.destination(late, version, path, target);
    });
  }

  private destination(
    { route, params }: RouteMatch,
    version: string | undefined,
    path: string,
    { search }: RequestTarget,
  ): Destination {
    const apiVersion: ApiVersion = negotiateVersion(version);
    if (!isServedTo(route, apiVersion)) throw notFound('page not found');
    return { route, params, path, search, apiVersion };
  }

  private sendError(wire: Wire, id: string, thrown: unknown, exchange: Exchange | undefined): void {
    // Node's streams say only that they were aborted; the signal knows why.
    const isEcho = (thrown as Error)?.name === 'AbortError' && exchange?.signal.aborted === true;
    const error: unknown = isEcho ? exchange.signal.reason : thrown;
    const status = errorStatus(error);
    const path = exchange?.path ?? wire.request.url;
    if (status >= 500 && !(exchange?.signal.aborted ?? false)) {
      const stack = error instanceof EngineError || errorKind(error) !== 'system' ? undefined : (error as Error)?.stack;
      this.deps.log.error('request failed', {
        id,
        method: wire.request.method,
        path,
        error: errorMessage(error),
        stack,
      });
    } else {
      this.deps.log.debug('request refused', { id, method: wire.request.method, path, error: errorMessage(error) });
    }
    const { response } = wire;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const isPlain = error instanceof TooOldClient;
    const text = isPlain ? errorMessage(error) : JSON.stringify({ message: errorMessage(error) });
    const body = status === 304 ? '' : `${text}\n`;
    const { retryAfterSeconds } = error as Partial<EngineError>;
    const headers: Record<string, string> = { ...this.deps.common };
    if (isPlain) {
      headers['Content-Type'] = 'text/plain; charset=utf-8';
      headers['X-Content-Type-Options'] = 'nosniff';
    } else if (status !== 304) headers['Content-Type'] = 'application/json';
    if (retryAfterSeconds !== undefined) headers['Retry-After'] = String(retryAfterSeconds);
    sendBody(response, status, headers, body);
    // What is left of the body would be waited for without end.
    if (error instanceof StalledBody) setTimeout(() => wire.socket.destroy(), 1000).unref();
  }
}
