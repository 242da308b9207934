import type { AuthorizationPlugin } from '../../contracts/authz';
import type { MetricsCollector } from '../../contracts/metrics-collector';
import type { SecretProvider } from '../../contracts/secret-provider';
import { change, type Mutant, type Mutants, when, wireMutants } from './mutants';

const request = 'AuthZPlugin.AuthZReq';
const response = 'AuthZPlugin.AuthZRes';
const broken = (): never => {
  throw new Error('broken on purpose');
};
type Question = Parameters<AuthorizationPlugin['request']>[0];
const failsFor = (matches: (asked: Question) => boolean): Mutant<AuthorizationPlugin> => ({
  driver: (p) => ({ ...p, request: async (...a) => (matches(a[0]) ? broken() : p.request(...a)) }),
});
const failsToAnswer = (
  matches: (answer: Parameters<AuthorizationPlugin['response']>[1]) => boolean,
): Mutant<AuthorizationPlugin> => ({
  driver: (p) => ({ ...p, response: async (...a) => (matches(a[1]) ? broken() : p.response(...a)) }),
});
const isJson = (body: Buffer) => {
  try {
    JSON.parse(body.toString());
    return true;
  } catch {
    return false;
  }
};

export const authorizationMutants: Mutants<AuthorizationPlugin> = {
  ...wireMutants('authz', 'authz', response),
  'authz.wire.verdict': { fault: change(request, ({ Allow }) => ({ Allow: String(Allow) })) },
  'authz.allow': {
    driver: (p) => ({
      ...p,
      request: async (...a) =>
        a[0].uri === '/v1.51/containers/json' ? { allow: false, message: 'no' } : p.request(...a),
    }),
  },
  'authz.deny': { driver: (p) => ({ ...p, request: async () => ({ allow: true }) }) },
  'authz.every-route': failsFor(({ method }) => method === 'HEAD'),
  'authz.known-user': failsFor(({ user }) => user !== ''),
  'authz.body': failsFor(({ body }) => body !== undefined && body.length < 1000 && isJson(body)),
  'authz.large-body': failsFor(({ body }) => (body?.length ?? 0) > 1024 * 1024),
  'authz.junk-body': failsFor(({ body }) => body !== undefined && !isJson(body)),
  'authz.upgrade': failsFor(({ headers }) => 'Upgrade' in headers),
  'authz.response': failsToAnswer(({ body }) => body !== undefined),
  'authz.response.partial': failsToAnswer(({ body, status }) => body === undefined && status === 200),
  'authz.response.failed': failsToAnswer(({ status }) => status === 0),
  'authz.parallel': {
    driver: (p) => {
      let running = 0;
      return {
        ...p,
        request: async (...a) => {
          running++;
          await new Promise((resolve) => setTimeout(resolve, 5));
          const crowded = running > 4;
          running--;
          return crowded ? { allow: true } : p.request(...a);
        },
      };
    },
  },
};

/** Fails the n-th call of `startMetrics`; those of the wire cases do not count. */
const failsAt = (which: number): Mutant<MetricsCollector> => ({
  fault: () => {
    let calls = 0;
    return ({ method, headers }) =>
      method === 'MetricsCollector.StartMetrics' && headers.accept && ++calls === which
        ? { status: 500, text: 'broken on purpose' }
        : undefined;
  },
});

export const metricsMutants: Mutants<MetricsCollector> = {
  ...wireMutants('metrics', 'MetricsCollector', 'MetricsCollector.StopMetrics', 'Plugin.Activate'),
  'metrics.wire.empty-body': {
    fault: when(
      'MetricsCollector.StartMetrics',
      () => 400,
      ({ headers }) => !headers.accept,
    ),
  },
  'metrics.start': failsAt(1),
  'metrics.start.again': failsAt(3),
  'metrics.restart': failsAt(6),
  'metrics.reads': { driver: () => ({ startMetrics: async () => {}, stopMetrics: async () => {} }) },
};

type Wanted = Parameters<SecretProvider['getSecret']>[0];
const hidesFrom = (matches: (wanted: Wanted) => boolean): Mutant<SecretProvider> => ({
  driver: (p) => ({ ...p, getSecret: async (...a) => (matches(a[0]) ? broken() : p.getSecret(...a)) }),
});

export const secretMutants: Mutants<SecretProvider> = {
  ...wireMutants('secret', 'secretprovider', 'SecretProvider.GetSecret'),
  'secret.wire.value': { fault: change('SecretProvider.GetSecret', () => ({ Value: 'pass word' })) },
  'secret.get': hidesFrom(({ taskId }) => taskId === undefined),
  'secret.get.task': hidesFrom(({ serviceEndpoint }) => serviceEndpoint !== undefined),
  'secret.absent': {
    driver: (p) => ({
      getSecret: (...a) => p.getSecret(...a).catch(() => ({ value: Buffer.of(), doNotReuse: false })),
    }),
  },
  'secret.reuse': { fault: change('SecretProvider.GetSecret', (answer) => ({ ...answer, DoNotReuse: 'no' })) },
};
