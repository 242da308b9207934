/** How traces are exported, or why they are not although somebody asked for them. */
export type TracesSettings =
  | { readonly kind: 'on'; readonly protocol: 'http/protobuf' | 'http/json' }
  | { readonly kind: 'off' }
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * Traces are on when an endpoint is given. What the exporter itself reads (endpoints, headers, timeouts, certificates,
 * the sampler, batch sizes, the service name and resource attributes) is not looked at here.
 *
 * @see OpenTelemetry, environment variable specification; OTLP exporter configuration
 */
export function tracesSettings(env: NodeJS.ProcessEnv): TracesSettings {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (!endpoint || env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || env.OTEL_TRACES_EXPORTER === 'none')
    return { kind: 'off' };
  if (env.OTEL_TRACES_EXPORTER && env.OTEL_TRACES_EXPORTER !== 'otlp')
    return refused('OTEL_TRACES_EXPORTER', env.OTEL_TRACES_EXPORTER, 'otlp or none');
  const name = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL
    ? 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'
    : 'OTEL_EXPORTER_OTLP_PROTOCOL';
  const protocol = env[name] || 'http/protobuf';
  if (protocol === 'http/protobuf' || protocol === 'http/json') return { kind: 'on', protocol };
  return refused(name, protocol, 'http/protobuf or http/json');
}

const refused = (name: string, value: string, known: string): TracesSettings => ({
  kind: 'refused',
  reason: `${name}=${value} is not supported; use ${known}`,
});
