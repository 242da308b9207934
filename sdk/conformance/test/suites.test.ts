import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  connectAuthorizationPlugin,
  connectIpamDriver,
  connectLogDriver,
  connectMetricsCollector,
  connectNetworkDriver,
  connectSecretProvider,
  connectVolumeDriver,
} from '../../client';
import { type ServeOptions, serve } from '../../serve';
import {
  authorizationSuite,
  type CaseResult,
  type ConformanceSuite,
  connectJudgedPlugin,
  ipamDriverSuite,
  type JudgedPlugin,
  logDriverSuite,
  metricsCollectorSuite,
  networkDriverSuite,
  protocolRules,
  referenceAuthorizationPlugin,
  referenceIpamDriver,
  referenceLogDriver,
  referenceMetricsCollector,
  referenceNetworkDriver,
  referenceSecretProvider,
  referenceVolumeDriver,
  runSuite,
  secretProviderSuite,
  volumeDriverSuite,
} from '..';
import { faultProxy } from './fault-proxy';
import { ipamMutants } from './ipam-mutants';
import { logMutants } from './log-mutants';
import type { Mutant, Mutants } from './mutants';
import { networkMutants } from './network-mutants';
import { authorizationMutants, metricsMutants, secretMutants } from './question-mutants';
import { volumeMutants } from './volume-mutants';

let folder: string;
let serial = 0;
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-kit-'));
});
afterAll(() => rm(folder, { recursive: true }));

interface Kind<D, S> {
  readonly suite: ConformanceSuite<S>;
  readonly mutants: Mutants<D>;
  readonly reference: () => D;
  readonly served: (driver: D) => ServeOptions['drivers'];
  readonly connect: (client: JudgedPlugin) => D;
  readonly subject: (driver: D, client?: JudgedPlugin) => S;
}
const kind = <D, S>(it: Kind<D, S>): Kind<any, any> => it;
const refusedOptions = { colour: 'red' };

const kinds: Kind<any, any>[] = [
  kind({
    suite: volumeDriverSuite,
    mutants: volumeMutants,
    reference: () => referenceVolumeDriver(folder),
    served: (volume) => ({ volume }),
    connect: (client) => connectVolumeDriver(client, { sendsEmptyOptions: true }),
    subject: (driver, client) => ({
      driver,
      client,
      refusedOptions,
      reachable: true,
      keepsData: true,
      tellsKinds: true,
    }),
  }),
  kind({
    suite: networkDriverSuite,
    mutants: networkMutants,
    reference: referenceNetworkDriver,
    served: (network) => ({ network }),
    connect: connectNetworkDriver,
    subject: (driver, client) => ({ driver, client, refusedOptions, tellsKinds: true }),
  }),
  kind({
    suite: ipamDriverSuite,
    mutants: ipamMutants,
    reference: referenceIpamDriver,
    served: (ipam) => ({ ipam }),
    connect: connectIpamDriver,
    subject: (driver, client) => ({ driver, client }),
  }),
  kind({
    suite: logDriverSuite,
    mutants: logMutants,
    reference: referenceLogDriver,
    served: (log) => ({ log }),
    connect: (client) => connectLogDriver(client, { fifoFolder: folder, patience: { watchMs: 20, closeMs: 2000 } }),
    subject: (driver, client) => ({ driver, client, refusedOptions, fifoFolder: folder }),
  }),
  kind({
    suite: authorizationSuite,
    mutants: authorizationMutants,
    reference: referenceAuthorizationPlugin,
    served: (authorization) => ({ authorization }),
    connect: connectAuthorizationPlugin,
    subject: (plugin, client) => ({
      plugin,
      client,
      allowed: 'GET /v1.51/containers/json' as const,
      denied: 'DELETE /v1.51/containers/x' as const,
    }),
  }),
  kind({
    suite: metricsCollectorSuite,
    mutants: metricsMutants,
    reference: () => referenceMetricsCollector(at(`metrics${serial}.sock`), 20),
    served: (metrics) => ({ metrics }),
    connect: connectMetricsCollector,
    subject: (collector, client) => ({
      collector,
      client,
      metricsSocket: at(`metrics${serial}.sock`),
      readsWithinMs: 300,
    }),
  }),
  kind({
    suite: secretProviderSuite,
    mutants: secretMutants,
    reference: () => referenceSecretProvider({ token: 'sesame' }),
    served: (secret) => ({ secret }),
    connect: connectSecretProvider,
    subject: (provider, client) => ({ provider, client, secret: 'token' }),
  }),
];

/** Judges a reference driver, changed by a mutant, behind a socket. */
async function judge({ suite, reference, served, connect, subject, mutants }: Kind<any, any>, id = '') {
  const mutant: Mutant<any> = mutants[id] ?? {};
  serial++;
  const driver = mutant.driver?.(reference()) ?? reference();
  if (mutant.inProcess) return runSuite(suite, subject(driver));
  const plugin = await serve({ drivers: served(driver), socketPath: at(`plugin${serial}.sock`) });
  const proxyPath = at(`proxy${serial}.sock`);
  const close = mutant.fault && (await faultProxy(proxyPath, at(`plugin${serial}.sock`), mutant.fault()));
  const client = connectJudgedPlugin({
    address: close ? proxyPath : plugin.address,
    timeoutMs: close && /in-time/.test(id) ? 1000 : 10_000,
  });
  try {
    return await runSuite(suite, subject(connect(client), client));
  } finally {
    client.close();
    await close?.();
    await plugin.close({ graceMs: 0 });
  }
}

const failures = (results: readonly CaseResult[]) =>
  results.flatMap((result) => (result.outcome === 'failed' ? [`${result.id}: ${result.reason}`] : []));
const idsOf = (results: readonly CaseResult[], outcome: CaseResult['outcome']) =>
  results.filter((result) => result.outcome === outcome).map(({ id }) => id);

describe.each(kinds.map((it) => [it.suite.kind, it] as const))('the suite for %s', (_name, it) => {
  test('is green on the reference driver in process, and judges there all that is not about the wire', async () => {
    const results = await runSuite(it.suite, it.subject(it.reference()));
    expect(failures(results)).toEqual([]);
    const reasons = results.flatMap((result) => (result.outcome === 'skipped' ? [result.reason] : []));
    for (const reason of reasons) expect(reason).toMatch(/^in process there (is|are) no|^in process options/);
  });

  test('is green on the reference driver behind a socket, and skips nothing', async () => {
    const results = await judge(it);
    expect(failures(results)).toEqual([]);
    expect(idsOf(results, 'skipped')).toEqual([]);
  });

  test('explains every rule it cites', () => {
    for (const { rule } of it.suite.cases) expect(protocolRules).toHaveProperty([rule]);
  });

  test('has a mutant for every case', () => {
    expect(it.suite.cases.map(({ id }) => id).sort()).toEqual(Object.keys(it.mutants).sort());
  });

  test.each(Object.keys(it.mutants))(
    'a plugin that breaks %s turns that case red and no other',
    async (id) => {
      expect(idsOf(await judge(it, id), 'failed')).toEqual([id]);
    },
    20_000,
  );
});

test('every seeded fault is caught by the case of its rule, and there are more than forty of them', () => {
  const faults = kinds.flatMap(({ suite, mutants }) => suite.cases.filter(({ id }) => id in mutants));
  const rules = new Set(faults.map(({ rule }) => rule));
  process.stdout.write(`${faults.length} seeded faults, ${rules.size} rules\n`);
  expect(faults.length).toBeGreaterThanOrEqual(40);
  expect(rules.size).toBe(Object.keys(protocolRules).length);
});
