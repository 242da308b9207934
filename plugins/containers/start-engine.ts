import {
  type ApiRoutes,
  type ContainerManager,
  errorMessage,
  type MetricsSource,
  type PluginContext,
  type SystemInfo,
  systemError,
} from '@gantry/sdk';
import { engineRoutes } from './api/engine-routes';
import { requestSubject } from './api/request-subject';
import { containerManager } from './container-manager';
import { type Engine, type EngineNeeds, makeEngine } from './engine';
import { systemInfo } from './info';
import { containerMetrics } from './metrics';
import { RecordStore } from './records/record-store';
import { loadContainers, restoreContainers } from './run/restore';
import { shutdownPatienceMs, stopContainersForShutdown } from './run/shutdown';
import { lookUpHost } from './spec/host-facts';

type Context = Omit<PluginContext<Record<never, never>, undefined>, 'needs'> & { readonly needs: EngineNeeds };

/** One engine per started plugin; `ready` is told of it by the same context. */
const engines = new WeakMap<object, Engine>();

/** What is left to do with containers that have been given up on. */
const RECORDING_MS = 5000;

/** Reads the records and offers the engine to the others; nothing is started yet. */
export async function startEngine(
  context: Context,
): Promise<{ containers: ContainerManager; routes: ApiRoutes; info: SystemInfo; metrics: MetricsSource }> {
  const { needs, settings, log, stateDir, onStop } = context;
  const host = await lookUpHost(settings.initPath);
  const engine = makeEngine(needs, { settings, log, host, store: new RecordStore(stateDir, log) });
  engines.set(context, engine);
  loadDefaultProfile(engine);
  await loadContainers(engine);
  engine.images.setUsers({
    containersUsing: (imageId) =>
      engine.index
        .usersOf(imageId)
        .map(({ id, state }) => ({ id, running: ['running', 'paused', 'restarting'].includes(state.status) })),
  });
  onStop(
    () => stopContainersForShutdown(engine),
    () => shutdownPatienceMs(engine) + RECORDING_MS,
  );
  return {
    containers: containerManager(engine),
    routes: {
      routes: engineRoutes(engine),
      subjectOf: (path, params) => requestSubject(engine, path, params),
    },
    info: systemInfo(engine),
    metrics: containerMetrics(engine),
  };
}

/** Takes over what an earlier daemon left running. */
export async function restoreEngine(context: object): Promise<void> {
  const engine = engines.get(context);
  if (engine === undefined) throw systemError('the container engine was not started');
  await restoreContainers(engine);
}

/** Beside everything else: starting containers waits for it, and tries again what fails here. */
function loadDefaultProfile({ host: { appArmor }, log }: Engine): void {
  if (appArmor === undefined) return;
  if (appArmor.hasParser) appArmor.loadDefault().catch((error) => log.error(errorMessage(error)));
  else log.warn('containers have no AppArmor profile of their own: apparmor_parser is missing, install "apparmor"');
}
