import { tracesSettings } from '../traces-settings';

test.each([
  [{}, 'off'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x:4318' }, 'on'],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://x:4318/v1/traces', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }, 'on'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x:4318', OTEL_SDK_DISABLED: 'true' }, 'off'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x:4318', OTEL_TRACES_EXPORTER: 'none' }, 'off'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x:4318', OTEL_TRACES_EXPORTER: 'zipkin' }, 'refused'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'refused'],
])('with %j traces are %s', (env, kind) => {
  expect(tracesSettings(env).kind).toBe(kind);
});
