import { join } from 'node:path';
import {
  ApiRoutes1,
  Containers1,
  definePlugin,
  EventBus1,
  errorMessage,
  Images1,
  MetricsSource1,
  SystemInfo1,
} from '@gantry/sdk';
import { BuildkitServer } from './buildkit-server/buildkit-server';
import { BuildCache, type CachePolicy } from './cache/build-cache';
import { CacheMounts } from './cache/cache-mounts';
import { builderConfig } from './config';
import { FileWorkers } from './copy/file-workers';
import type { Builder } from './engine/builder';
import { RunningBuilds } from './engine/running-builds';
import { Scratch } from './engine/scratch';
import { StepContainers } from './engine/step-containers';
import { builderInfo } from './info';
import { BuildCounts } from './metrics';
import { buildRoutes } from './routes/build-routes';
import { ClientSessions } from './session/client-sessions';

/** One builder per started plugin; `ready` is told of it by the same context. */
const builders = new WeakMap<object, Builder>();
const collectDelayMs = 1_000;
const dayMs = 24 * 60 * 60 * 1000;

/** Builds images from Dockerfiles. */
export const plugin = definePlugin({
  name: 'builder',
  version: '1.0.0',
  engine: '^0.1.0',
  provides: { routes: ApiRoutes1, info: SystemInfo1, metrics: MetricsSource1 },
  requires: { images: Images1, containers: Containers1, events: EventBus1 },
  config: builderConfig,
  async start(context) {
    const { needs, config, settings, stateDir, runDir, log, onStop } = context;
    const { images, containers, events } = needs;
    const files = new FileWorkers();
    onStop(files);
    const inContainer = (imageId: string) => containers.list().some((container) => container.imageId === imageId);
    const builder: Builder = {
      images,
      containers,
      events,
      settings,
      log,
      files,
      steps: await StepContainers.open(join(stateDir, 'steps'), containers, log),
      scratch: await Scratch.open(join(stateDir, 'tmp')),
      cache: await BuildCache.open(join(stateDir, 'cache'), images, inContainer, log),
      sessions: new ClientSessions(),
      private: await Scratch.open(join(runDir, 'private')),
      cacheMounts: await CacheMounts.open(join(stateDir, 'cache-mounts')),
    };
    builders.set(context, builder);
    const { collectGarbage, cacheBytes, cachePolicies } = settings.builder;
    const policies: readonly CachePolicy[] =
      cachePolicies.length > 0
        ? cachePolicies
        : [
            { maximumBytes: 0, unusedForMs: config['cache-days'] * dayMs },
            { maximumBytes: cacheBytes ?? config['cache-bytes'], unusedForMs: 0 },
          ];
    let timer: NodeJS.Timeout | undefined;
    // Once for builds that follow each other closely.
    const afterBuild = () => {
      if (!collectGarbage || timer !== undefined) return;
      timer = setTimeout(() => {
        timer = undefined;
        builder.cache.collect(policies).catch((error: unknown) => {
          log.warn('the build cache could not be looked over', { error: errorMessage(error) });
        });
      }, collectDelayMs);
      timer.unref();
    };
    onStop(() => clearTimeout(timer));
    const builds = new RunningBuilds();
    onStop(builds);
    const metrics = new BuildCounts();
    const server = new BuildkitServer(builder, { builds, counts: metrics, afterBuild });
    onStop(server);
    return {
      routes: { routes: buildRoutes(builder, builds, metrics, afterBuild, server) },
      info: builderInfo(builder),
      metrics,
    };
  },
  // The containers have been taken over by now.
  ready: (context) => builders.get(context)?.steps.collect(),
});
