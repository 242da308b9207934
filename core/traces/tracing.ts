import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';
import { errorMessage, type Logger } from '@gantry/sdk';
import type { Context, Span, TextMapPropagator, Tracer } from '@opentelemetry/api';
import type { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import type { CallWatcher } from '../kernel/watched-instance';
import type { RequestOutcome } from '../metrics/engine-metrics';

export interface TracingOptions {
  readonly protocol: 'http/protobuf' | 'http/json';
  readonly version: string;
  readonly engineId: string;
}

/** How long the last spans may take to be sent when the daemon stops. */
const flushMs = 2000;

/**
 * OpenTelemetry traces: a span per request, which goes on with the client's trace (`traceparent`), and in it a span
 * per plugin call. Made only when the environment asks for it; the packages are loaded then.
 */
export class Tracing {
  private readonly api: typeof import('@opentelemetry/api');
  private readonly propagator: TextMapPropagator;
  private readonly provider: BasicTracerProvider;
  private readonly tracer: Tracer;
  private readonly current = new AsyncLocalStorage<Context>();

  constructor(
    options: TracingOptions,
    private readonly log: Logger,
  ) {
    this.api = require('@opentelemetry/api');
    const { W3CTraceContextPropagator }: typeof import('@opentelemetry/core') = require('@opentelemetry/core');
    this.propagator = new W3CTraceContextPropagator();
    const { BasicTracerProvider: Provider, BatchSpanProcessor }: typeof import('@opentelemetry/sdk-trace-base') =
      require('@opentelemetry/sdk-trace-base');
    const {
      defaultResource,
      detectResources,
      envDetector,
      resourceFromAttributes,
    }: typeof import('@opentelemetry/resources') = require('@opentelemetry/resources');
    this.reportTo(log);
    const own = {
      'service.name': 'gantryd',
      'service.version': options.version,
      'service.instance.id': options.engineId,
    };
    // What the environment says about the service wins over what we know.
    const resource = defaultResource()
      .merge(resourceFromAttributes(own))
      .merge(detectResources({ detectors: [envDetector] }));
    this.provider = new Provider({ resource, spanProcessors: [new BatchSpanProcessor(exporter(options.protocol))] });
    this.tracer = this.provider.getTracer('gantryd', options.version);
  }

  /** Runs the work of a request in a span. */
  async request(incoming: IncomingMessage, work: () => Promise<RequestOutcome>): Promise<void> {
    const { ROOT_CONTEXT, SpanKind, SpanStatusCode, defaultTextMapGetter, trace } = this.api;
    const parent = this.propagator.extract(ROOT_CONTEXT, incoming.headers, defaultTextMapGetter);
    const method = incoming.method ?? '';
    const attributes = {
      'http.request.method': method,
      'url.path': incoming.url?.split('?', 1)[0] ?? '/',
      'user_agent.original': incoming.headers['user-agent'],
    };
    const span = this.tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parent);
    try {
      const { route, status } = await this.current.run(trace.setSpan(parent, span), work);
      if (route !== undefined) {
        span.updateName(`${method} ${route}`);
        span.setAttribute('http.route', route);
      }
      span.setAttribute('http.response.status_code', status);
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    } finally {
      span.end();
    }
  }

  /** Only calls for a request are shown: what the daemon does on its own would be traces without a beginning. */
  readonly watchCall: CallWatcher = (plugin, method) => {
    const parent = this.current.getStore();
    if (parent === undefined) return undefined;
    const { SpanKind, trace } = this.api;
    const attributes = { 'gantry.plugin': plugin };
    const span = this.tracer.startSpan(method, { kind: SpanKind.INTERNAL, attributes }, parent);
    return {
      run: (work) => this.current.run(trace.setSpan(parent, span), work),
      ended: (failure) => this.endCall(span, failure),
    };
  };

  /** What a call of a plugin on a socket carries, so that the plugin can go on with the trace. */
  readonly headers = (): Readonly<Record<string, string>> => {
    const context = this.current.getStore();
    const carrier: Record<string, string> = {};
    if (context !== undefined) this.propagator.inject(context, carrier, this.api.defaultTextMapSetter);
    return carrier;
  };

  /** Sends what is left. Never throws. */
  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, flushMs);
    });
    await Promise.race([this.provider.shutdown(), late]).catch((error: unknown) =>
      this.log.debug('the last traces were not sent', { error: errorMessage(error) }),
    );
    clearTimeout(timer);
  }

  private endCall(span: Span, failure: unknown): void {
    if (failure !== undefined) {
      span.recordException(failure as Error);
      span.setStatus({ code: this.api.SpanStatusCode.ERROR, message: errorMessage(failure) });
    }
    span.end();
  }

  /** A collector that is away is told once a minute, not with every batch. */
  private reportTo(log: Logger): void {
    const { diag, DiagLogLevel } = this.api;
    let quietUntilMs = 0;
    const report = (message: string) => {
      if (performance.now() < quietUntilMs) return;
      quietUntilMs = performance.now() + 60_000;
      log.warn('traces are not exported', { reason: message.slice(0, 300) });
    };
    const ignore = () => {};
    diag.setLogger(
      { error: report, warn: report, info: ignore, debug: ignore, verbose: ignore },
      { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
    );
  }
}

function exporter(protocol: TracingOptions['protocol']) {
  if (protocol === 'http/json') {
    const json: typeof import('@opentelemetry/exporter-trace-otlp-http') = require('@opentelemetry/exporter-trace-otlp-http');
    return new json.OTLPTraceExporter();
  }
  const proto: typeof import('@opentelemetry/exporter-trace-otlp-proto') = require('@opentelemetry/exporter-trace-otlp-proto');
  return new proto.OTLPTraceExporter();
}
